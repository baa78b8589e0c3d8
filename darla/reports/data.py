"""The input of a report: finished artefacts in and below some folders, and the artefacts that these were made from."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from darla.analysis.encoder_correlation import KIND as CORRELATION
from darla.analysis.encoder_correlation import MEASURE_PATHS
from darla.analysis.encoder_measures import KIND as MEASURES
from darla.common import Artefact, ArtefactError, InputError, is_complete
from darla.common.artefact import CARD, CONFIG, ENCODER_PATH
from darla.common.csv_rows import read_rows
from darla.common.files import read_json
from darla.common.sharing.hub import HubReference, download
from darla.evaluation.episode_records import EpisodeRecord, read_episodes
from darla.evaluation.score_types import TransferScores
from darla.evaluation.transfer_files import AGENT_PATHS, CURVES, EPISODES, SCORES, STRIPS, TRANSFER
from darla.reports.figures.learning_curves import Curves
from darla.reports.sections.concepts import CONCEPT_SCORES, FOLLOWERS
from darla.reports.tables.transfer import domain_of
from darla.vision.metrics.metric_files import METRICS

_KINDS = (
    "frames", "dae", "encoder", METRICS, MEASURES, "agent", TRANSFER, CORRELATION, CONCEPT_SCORES, FOLLOWERS,
)  # fmt: skip
_SUBJECTS = ("encoder", METRICS, MEASURES, TRANSFER, CORRELATION, CONCEPT_SCORES, FOLLOWERS)
"""Kinds that a report can be about; artefacts of other kinds are added to it where these were made from them."""
_NEAR = 3
"""How many parent folders, and levels below each, are searched for an artefact's inputs."""


@dataclass(frozen=True)
class TransferData:
    """A transfer whose files are read when they are needed."""

    artefact: Artefact

    @cached_property
    def scores(self) -> TransferScores:
        """The content of `scores.json`; an `ArtefactError` where it is of another task than `config.json`."""
        scores = TransferScores.load(self.artefact.folder)
        task = self.task
        strange = [domain.name for domain in scores.domains if not domain_of(task, domain)]
        if strange or scores.task != task["name"]:
            what = f"domain {strange[0]!r}" if strange else f"task {scores.task!r}"
            raise ArtefactError(f"{self.artefact.folder} is damaged: {SCORES} is about {what}, {CONFIG} is not")
        return scores

    @property
    def task(self) -> dict[str, Any]:
        """The transfer task as plain data."""
        task: dict[str, Any] = self.artefact.config["task"]
        return task

    @cached_property
    def episodes(self) -> list[EpisodeRecord]:
        """One record for each evaluation episode; an `ArtefactError` where one is of something without scores."""
        episodes = read_episodes(self.artefact.folder / EPISODES)
        scored = {(method.method, domain) for method in self.scores.methods for domain in method.domains}
        if strange := {(episode.method, episode.domain) for episode in episodes} - scored:
            method, domain = min(strange)
            raise ArtefactError(
                f"{self.artefact.folder} is damaged: {EPISODES} has episodes of {method!r} in {domain!r}, but {SCORES} "
                "has no scores of them"
            )
        return episodes

    @cached_property
    def curves(self) -> Curves:
        """Return of snapshots by method and domain; see `curve_figure.curve_figure`."""
        curves: dict[tuple[str, str], dict[int, list[tuple[int, float]]]] = {}
        for method, domain, seed, point in read_rows(self.artefact.folder / CURVES, _curve_point):
            curves.setdefault((method, domain), {}).setdefault(seed, []).append(point)
        return curves

    def strip(self, file: str) -> Path:
        """Return the path of a film strip."""
        return self.artefact.folder / STRIPS / file


def _curve_point(cells: Mapping[str, str]) -> tuple[str, str, int, tuple[int, float]]:
    point = int(cells["env_steps"]), float(cells["mean_return"])
    return cells["method"], cells["domain"], int(cells["seed"]), point


@dataclass(frozen=True)
class ReportData:
    """The artefacts of a report."""

    transfers: list[TransferData] = field(default_factory=list)
    agents: list[Artefact] = field(default_factory=list)
    encoders: list[Artefact] = field(default_factory=list)
    denoisers: list[Artefact] = field(default_factory=list)
    frames: list[Artefact] = field(default_factory=list)
    metrics: list[Artefact] = field(default_factory=list)
    measures: list[Artefact] = field(default_factory=list)
    correlations: list[Artefact] = field(default_factory=list)
    concept_scores: list[Artefact] = field(default_factory=list)
    followers: list[Artefact] = field(default_factory=list)

    def all(self) -> list[Artefact]:
        """Return every artefact in the order of the stages."""
        transfers = [transfer.artefact for transfer in self.transfers]
        vision = [*self.frames, *self.denoisers, *self.encoders, *self.metrics, *self.measures]
        concepts = [*self.concept_scores, *self.followers]
        return [*vision, *self.agents, *transfers, *self.correlations, *concepts]


def collect_artefacts(runs: Sequence[Path | str]) -> ReportData:
    """Find the artefacts of a report and check them.

    The artefacts that a transfer or an agent was made from are added, unless they have been moved or deleted.

    Args:
        runs: folders that are artefacts, or hold some at any depth; or such on the Hugging Face hub.

    Raises:
        InputError: a folder does not exist, holds nothing to report on, or an artefact is damaged.
    """
    artefacts: dict[str, Artefact] = {}
    for given in runs:
        reference = HubReference.parse(given)
        run = Path(given) if reference is None else download(reference) / (reference.path or "")
        if not run.is_dir():
            raise InputError(f"no artefact at {run}: there is no such folder")
        opened = [Artefact.load(folder) for folder in _artefacts_below(run)]
        if not any(artefact.kind in _KINDS for artefact in opened):
            kinds = ", ".join(sorted({artefact.kind for artefact in opened})) or "nothing that is finished"
            raise InputError(
                f"there is nothing to report on in {run}: no finished transfer and no encoder, but {kinds}"
            )
        for artefact in opened:
            _add(artefacts, artefact)
    if not any(artefact.kind in _SUBJECTS for artefact in artefacts.values()):
        folders = ", ".join(map(str, runs))
        raise InputError(f"there is nothing to report on in {folders}: no finished transfer and no encoder")
    for artefact in list(artefacts.values()):
        _add_inputs(artefacts, artefact)
    by_kind = {kind: [artefact for artefact in artefacts.values() if artefact.kind == kind] for kind in _KINDS}
    return ReportData(
        transfers=[TransferData(artefact) for artefact in by_kind[TRANSFER]],
        agents=by_kind["agent"],
        encoders=by_kind["encoder"],
        denoisers=by_kind["dae"],
        frames=by_kind["frames"],
        metrics=by_kind[METRICS],
        measures=by_kind[MEASURES],
        correlations=by_kind[CORRELATION],
        concept_scores=by_kind[CONCEPT_SCORES],
        followers=by_kind[FOLLOWERS],
    )


def _add(artefacts: dict[str, Artefact], artefact: Artefact) -> bool:
    if artefact.kind not in _KINDS or artefact.digest in artefacts:
        return False
    artefacts[artefact.digest] = artefact
    return True


def _add_inputs(artefacts: dict[str, Artefact], artefact: Artefact) -> None:
    """Add what an artefact was made from: a transfer's agents, their encoders, the encoders' frames and DAE."""
    for folder, digest in _inputs(artefact):
        if digest in artefacts or not is_complete(folder) or _digest_on_card(folder) != digest:
            continue
        made_from = Artefact.load(folder)
        if _add(artefacts, made_from):
            _add_inputs(artefacts, made_from)


def _inputs(artefact: Artefact) -> Iterator[tuple[Path, str]]:
    """Yield where the inputs of an artefact may lie, and their digests."""
    paths, inputs = artefact.card["paths"], artefact.card["inputs"]
    for name in (AGENT_PATHS, MEASURE_PATHS):
        for digest, path in (paths.get(name) or {}).items():
            yield artefact.folder / path, digest
    if (place := artefact.place_of(ENCODER_PATH)) is not None and "encoder" in inputs:
        yield place, inputs["encoder"]
    # The card of an encoder has no path of its frames: they are searched for near it.
    digests = {inputs[name] for name in ("frames", "dae") if name in inputs}
    if artefact.kind in ("encoder", "dae") and digests:
        for folder in _artefacts_near(artefact.folder):
            digest = _digest_on_card(folder)
            if digest in digests:
                yield folder, digest


def _artefacts_near(folder: Path) -> Iterator[Path]:
    visited: set[Path] = set()
    for parent in list(folder.resolve().parents)[: _NEAR - 1]:
        for artefact in _artefacts_below(parent, _NEAR):
            if artefact not in visited:
                visited.add(artefact)
                yield artefact


def _artefacts_below(folder: Path, depth: int | None = None) -> Iterable[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        if {CARD, CONFIG} <= set(files):
            yield Path(root)
        if depth is not None and len(Path(root).relative_to(folder).parts) >= depth:
            folders.clear()


def _digest_on_card(folder: Path) -> str:
    """Return an artefact's digest without reading its files; they are checked when the artefact is opened."""
    try:
        card = read_json(folder / CARD)
    except InputError:
        return ""  # a damaged artefact nearby does not prevent a report on the others
    is_card = isinstance(card, dict) and isinstance(card.get("files"), dict)
    return Artefact(folder, "", {}, card).digest if is_card else ""
