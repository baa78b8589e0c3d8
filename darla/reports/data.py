"""What a report is written from: finished artefacts at and below some folders, and what they stand on."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from darla.analysis.encoder_correlation import KIND as CORRELATION
from darla.analysis.encoder_correlation import MEASURE_PATHS
from darla.analysis.encoder_measures import KIND as MEASURES
from darla.common import Artefact, InputError, is_complete
from darla.common.files import read_json
from darla.evaluation.episode_records import Row, read_rows
from darla.evaluation.transfer_files import AGENT_PATHS, CURVES, EPISODES, SCORES, STRIPS, TRANSFER
from darla.reports.figures.learning_curves import Curves
from darla.vision.metrics.metric_files import METRICS

_KINDS = ("frames", "dae", "encoder", METRICS, MEASURES, "agent", TRANSFER, CORRELATION)
_SUBJECTS = ("encoder", METRICS, MEASURES, TRANSFER, CORRELATION)
"""What a report can be about; the rest is told along with them."""
_NEAR = 3
"""Folders above an artefact, and below that, in which what it was made from is looked for."""


@dataclass(frozen=True)
class TransferData:
    """A transfer with its numbers read."""

    artefact: Artefact

    @cached_property
    def scores(self) -> dict[str, Any]:
        """The content of `scores.json`."""
        scores: dict[str, Any] = read_json(self.artefact.folder / SCORES)
        return scores

    @property
    def task(self) -> dict[str, Any]:
        """The transfer task as plain data."""
        task: dict[str, Any] = self.artefact.config["task"]
        return task

    @cached_property
    def episodes(self) -> list[Row]:
        """One row for each evaluation episode."""
        return read_rows(self.artefact.folder / EPISODES)

    @cached_property
    def curves(self) -> Curves:
        """Return of snapshots by method and domain; see `curve_figure.curve_figure`."""
        found: dict[tuple[str, str], dict[int, list[tuple[int, float]]]] = {}
        path = self.artefact.folder / CURVES
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    seeds = found.setdefault((row["method"], row["domain"]), {})
                    point = int(row["env_steps"]), float(row["mean_return"])
                    seeds.setdefault(int(row["seed"]), []).append(point)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} cannot be read as learning curves: {error}") from error
        return found

    def strip(self, file: str) -> Path:
        """Return the path of a film strip."""
        return self.artefact.folder / STRIPS / file


@dataclass(frozen=True)
class ReportData:
    """Everything that a report tells of."""

    transfers: list[TransferData] = field(default_factory=list)
    agents: list[Artefact] = field(default_factory=list)
    encoders: list[Artefact] = field(default_factory=list)
    denoisers: list[Artefact] = field(default_factory=list)
    frames: list[Artefact] = field(default_factory=list)
    metrics: list[Artefact] = field(default_factory=list)
    measures: list[Artefact] = field(default_factory=list)
    correlations: list[Artefact] = field(default_factory=list)

    def all(self) -> list[Artefact]:
        """Return every artefact in the order of the stages."""
        transfers = [transfer.artefact for transfer in self.transfers]
        seen = [*self.frames, *self.denoisers, *self.encoders, *self.metrics, *self.measures]
        return [*seen, *self.agents, *transfers, *self.correlations]


def gather(runs: Sequence[Path | str]) -> ReportData:
    """Find the artefacts of a report and check them.

    What a transfer or an agent was made from is followed to where it lay, and left out if it is there no
    more.

    Args:
        runs: folders that are artefacts, or hold some at any depth.

    Raises:
        InputError: a folder does not exist, holds nothing to report on, or an artefact is damaged.
    """
    found: dict[str, Artefact] = {}
    for run in map(Path, runs):
        if not run.is_dir():
            raise InputError(f"no artefact at {run}: there is no such folder")
        for folder in _artefacts_below(run):
            _add(found, Artefact.load(folder))
    if not any(artefact.kind in _SUBJECTS for artefact in found.values()):
        where = ", ".join(map(str, runs))
        raise InputError(f"there is nothing to report on in {where}: no finished transfer and no encoder")
    for artefact in list(found.values()):
        _follow(found, artefact)
    by_kind = {kind: [artefact for artefact in found.values() if artefact.kind == kind] for kind in _KINDS}
    return ReportData(
        transfers=[TransferData(artefact) for artefact in by_kind[TRANSFER]],
        agents=by_kind["agent"],
        encoders=by_kind["encoder"],
        denoisers=by_kind["dae"],
        frames=by_kind["frames"],
        metrics=by_kind[METRICS],
        measures=by_kind[MEASURES],
        correlations=by_kind[CORRELATION],
    )


def _add(found: dict[str, Artefact], artefact: Artefact) -> bool:
    if artefact.kind not in _KINDS or artefact.digest in found:
        return False
    found[artefact.digest] = artefact
    return True


def _follow(found: dict[str, Artefact], artefact: Artefact) -> None:
    """Add what an artefact stands on: a transfer's agents, their encoders, these encoders' frames and DAE."""
    for folder, digest in _leads(artefact):
        if digest in found or not is_complete(folder) or _digest_on_card(folder) != digest:
            continue
        below = Artefact.load(folder)
        if _add(found, below):
            _follow(found, below)


def _leads(artefact: Artefact) -> Iterator[tuple[Path, str]]:
    extra, inputs = artefact.card.get("extra", {}), artefact.card.get("inputs", {})
    for digest, path in (extra.get(AGENT_PATHS, {}) | extra.get(MEASURE_PATHS, {})).items():
        yield artefact.folder / path, digest
    if "encoder_path" in extra and "encoder" in inputs:
        yield artefact.folder / extra["encoder_path"], inputs["encoder"]
    # An encoder does not say where its frames lay: they are looked for near it.
    wanted = {inputs[name] for name in ("frames", "dae") if name in inputs}
    if artefact.kind in ("encoder", "dae") and wanted:
        for folder in _artefacts_near(artefact.folder):
            digest = _digest_on_card(folder)
            if digest in wanted:
                yield folder, digest


def _artefacts_near(folder: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    for above in list(folder.resolve().parents)[: _NEAR - 1]:
        for found in _artefacts_below(above, _NEAR):
            if found not in seen:
                seen.add(found)
                yield found


def _artefacts_below(folder: Path, depth: int | None = None) -> Iterable[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        if "card.json" in files and "config.json" in files:
            yield Path(root)
        if depth is not None and len(Path(root).relative_to(folder).parts) >= depth:
            folders.clear()


def _digest_on_card(folder: Path) -> str:
    """Return an artefact's digest without reading its files; they are checked once it is wanted."""
    try:
        card = read_json(folder / "card.json")
    except InputError:
        return ""  # a damaged neighbour is no reason not to report on the rest
    return Artefact(folder, "", {}, card).digest if isinstance(card, dict) and "files" in card else ""
