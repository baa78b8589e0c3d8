"""Does disentanglement predict transfer? Everything measured of encoders, against how their policies transfer.

    runs/correlation/
      encoders/      one artefact of measures for each encoder (`darla.analysis.encoder_measures`)
      correlation/   an artefact: correlation.json, encoders.csv, correlations.csv, table.md, retention.png, return.png

An encoder is one item, whatever number of policies stands on it: its outcome is their mean. So the interval of a
correlation speaks about other encoders, and ten policies on one encoder count as one.
"""

import csv
import io
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from darla.common import Artefact, InputError, begin, finish, is_complete
from darla.common.files import read_json, write_bytes, write_json
from darla.common.jobs.scheduler import Cell, only_one, run_cells
from darla.reports.tables.correlation import ALL_TASKS, OUTCOMES, correlation_table
from darla.analysis.encoder_measures import LABELS, MeasuresConfig, measure, read_measures
from darla.envs import Domain, TransferTask
from darla.evaluation.episode_records import read_rows
from darla.evaluation.rank_correlation import rank_correlation
from darla.evaluation.aggregates import holm
from darla.envs.domains.task_files import task_from_dict
from darla.zero_shot import EPISODES, SCORES
from darla.zero_shot import KIND as TRANSFER

KIND = "correlation"
RESULT, TABLE = "correlation.json", "table.md"
MEASURE_PATHS = "measure_paths"
"""Entry of a correlation's card: by digest where the measures of each encoder lie, relative to it."""
_SECONDS = 120.0  # expected for one encoder; decides the estimate of the time left, nothing else


@dataclass(frozen=True)
class CorrelationConfig:
    """What is correlated, and how."""

    measures: MeasuresConfig = field(default_factory=MeasuresConfig)
    """What is measured of each encoder."""
    algorithm: str = "ppo"
    """Only policies that it trained count: another learner's returns are not comparable."""
    methods: tuple[str, ...] = ()
    """Only policies of these methods count, where an encoder serves several, such as one that fine-tunes it; all of
    the algorithm's if empty."""
    confidence: float = 0.95
    """Nominal coverage of the intervals."""
    resamples: int = 5_000
    """Bootstrap resamples of encoders."""


@dataclass(frozen=True)
class Item:
    """One encoder with all its numbers."""

    setting: str
    """What it was trained as; encoders of one setting differ in their seeds."""
    seed: int
    digest: str
    policies: int
    """How many policies stand on it."""
    measures: Mapping[str, float]
    outcomes: Mapping[str, Mapping[str, float]]
    """By task, and over all of them: return in the targets and in the source, and retention if anything was learnt."""


def correlate(
    encoders: Sequence[tuple[str, Artefact | Path | str]],
    transfers: Sequence[Artefact | Path | str],
    out: Path | str,
    *,
    frames: Artefact | Path | str | Sequence[Artefact | Path | str],
    config: CorrelationConfig | None = None,
    processes: int | None = None,
) -> Artefact:
    """Measure encoders, and correlate each measure with the transfer of the policies that stand on them.

    An interrupted call goes on where it stopped; an encoder is measured once.

    Args:
        encoders: pairs of a setting's name and what `darla.see` made.
        transfers: what `darla.transfer` made, one for each task, of agents on these encoders. Its tasks are also those
            whose drift is measured.
        out: folder for everything that is made.
        frames: the D_U, or all of them, that the encoders learnt from.
        config: what to correlate.
        processes: encoders measured at the same time, one thread each; one for each core if None.

    Returns:
        An artefact of kind `correlation`.

    Raises:
        InputError: fewer than four encoders, one on which no policy stands or whose frames are missing, or a damaged
            artefact.
    """
    started = time.monotonic()
    config = config or CorrelationConfig()
    out = Path(out)
    named = [(setting, _load(found, "encoder")) for setting, found in encoders]
    if len({encoder.digest for _, encoder in named}) < 4:
        raise InputError(f"{len(named)} encoders were given, but a correlation needs at least 4 different ones")
    shown = [frames] if isinstance(frames, Artefact | Path | str) else list(frames)
    by_digest = {each.digest: each for each in (_load(found, "frames") for found in shown)}
    found_transfers = [_load(found, TRANSFER) for found in transfers]
    if not found_transfers:
        raise InputError("there is no transfer to correlate with; name at least one")
    outcomes = _outcomes(found_transfers, config)
    for setting, encoder in named:
        if encoder.digest not in outcomes:
            raise InputError(
                f"no policy of {config.algorithm!r} stands on {encoder.folder} ({setting}) in the transfers"
            )
    with only_one(out):
        cells = {
            encoder.digest: _cell(setting, encoder, by_digest, found_transfers, config, out)
            for setting, encoder in named
        }
        run_cells(list(cells.values()), processes, out / "logs")
        measured = {digest: Artefact.load(cell.folder, "measures") for digest, cell in cells.items()}
        record = {
            "encoders": [[setting, encoder.digest] for setting, encoder in named],
            "measures": [measured[encoder.digest].digest for _, encoder in named],
            "transfers": [each.digest for each in found_transfers],
            "correlation": asdict(config),
        }
        folder = begin(out / "correlation", KIND, record)
        if is_complete(folder):
            return Artefact.load(folder, KIND)
        items = [
            Item(
                setting,
                int(encoder.card["seed"]),
                encoder.digest,
                outcomes[encoder.digest][0],
                read_measures(measured[encoder.digest]),
                outcomes[encoder.digest][1],
            )
            for setting, encoder in named
        ]
        _write(folder, items, config)
    inputs = {f"encoder {setting} {encoder.digest[:8]}": encoder.digest for setting, encoder in named}
    inputs |= {f"transfer {each.config['task']['name']}": each.digest for each in found_transfers}
    lie = {each.digest: os.path.relpath(each.folder, folder) for each in measured.values()}
    return finish(
        folder,
        KIND,
        record,
        seed=config.measures.seed,
        inputs=inputs,
        wall_seconds=time.monotonic() - started,
        extra={MEASURE_PATHS: lie},
    )


def _cell(
    setting: str,
    encoder: Artefact,
    frames: Mapping[str, Artefact],
    transfers: Sequence[Artefact],
    config: CorrelationConfig,
    out: Path,
) -> Cell:
    learnt_from = encoder.card["inputs"].get("frames", "")
    if learnt_from not in frames:
        raise InputError(f"the frames that {encoder.folder} has learnt from are not among those given")
    folder = out / "encoders" / encoder.digest[:16]
    arguments = {
        "encoder": encoder.folder,
        "frames": frames[learnt_from].folder,
        "out": folder,
        "tasks": _tasks(transfers),
        "config": config.measures,
    }
    return Cell(f"measures of {setting}, seed {encoder.card['seed']}", folder, measure, arguments, (), _SECONDS)


def _tasks(transfers: Sequence[Artefact]) -> list[TransferTask]:
    """Return the tasks whose states can be shown in other looks, each once."""
    found = {each.config["task"]["name"]: task_from_dict(each.config["task"]) for each in transfers}
    return [task for task in found.values() if isinstance(task.source, Domain)]


def _outcomes(
    transfers: Sequence[Artefact], config: CorrelationConfig
) -> dict[str, tuple[int, dict[str, dict[str, float]]]]:
    """Return for the digest of each encoder its number of policies, and by task the outcomes of their mean returns."""
    home: dict[tuple[str, str], dict[str, float]] = {}  # by encoder and task, for each policy
    away: dict[tuple[str, str], dict[str, list[float]]] = {}  # and its returns by target
    policies: dict[str, set[str]] = {}
    for transfer in transfers:
        task = str(transfer.config["task"]["name"])
        stands_on = {agent["digest"]: agent["encoder"] for agent in read_json(transfer.folder / SCORES)["agents"]
                     if _counts(agent, config)}  # fmt: skip
        returns: dict[tuple[str, str, str], list[float]] = {}
        for row in read_rows(transfer.folder / EPISODES):
            if row.agent in stands_on and row.split in ("source", "target"):
                returns.setdefault((row.agent, row.split, row.domain), []).append(row.total)
        for (agent, split, _), totals in returns.items():
            encoder = stands_on[agent]
            policies.setdefault(encoder, set()).add(agent)
            mean = float(np.mean(totals))
            if split == "source":
                home.setdefault((encoder, task), {})[agent] = mean
            else:
                away.setdefault((encoder, task), {}).setdefault(agent, []).append(mean)
    tasks = list(dict.fromkeys(str(each.config["task"]["name"]) for each in transfers))
    groups = {task: [task] for task in tasks}
    if len(tasks) > 1:
        groups[ALL_TASKS] = tasks
    found = {}
    for encoder, agents in policies.items():
        by_group = {}
        for group, members in groups.items():
            if all((encoder, task) in away for task in members):
                source = float(np.mean([value for task in members for value in home[encoder, task].values()]))
                per_policy = [values for task in members for values in away[encoder, task].values()]
                targets = float(np.mean([value for values in per_policy for value in values]))
                by_group[group] = {"return": targets, "source": source}
                if source > 0:
                    by_group[group]["retention"] = targets / source
        found[encoder] = len(agents), by_group
    return found


def _counts(agent: Mapping[str, Any], config: CorrelationConfig) -> bool:
    """Tell whether a policy stands on a frozen encoder, has acted in the source alone, and is among those asked for."""
    return (
        agent["encoder"] is not None
        and agent.get("algorithm", config.algorithm) == config.algorithm
        and agent.get("trains_in", "source") == "source"
        and not agent.get("fine_tune", False)
        and (not config.methods or agent["method"] in config.methods)
    )


def _correlations(items: Sequence[Item], config: CorrelationConfig) -> list[dict[str, Any]]:
    """Correlate every measure with every outcome; p-values are adjusted over the measures of one outcome."""
    found: list[dict[str, Any]] = []
    groups = list(dict.fromkeys(group for item in items for group in item.outcomes))
    known = dict.fromkeys(name for item in items for name in item.measures)
    measures = sorted(known, key=lambda name: (list(LABELS) + list(known)).index(name))
    for group in groups:
        for outcome in OUTCOMES:
            family = []
            for name in measures:
                pairs = _pairs(items, name, group, outcome)
                correlated = rank_correlation(
                    *([pair[side] for pair in pairs] for side in (0, 1)),
                    confidence=config.confidence,
                    resamples=config.resamples,
                    seed=config.measures.seed,
                )
                if correlated is not None:
                    family.append({"task": group, "outcome": outcome, "measure": name, **correlated.to_dict()})
            adjusted = holm([each["p_value"] for each in family])
            found += [each | {"p_value_holm": float(p)} for each, p in zip(family, adjusted, strict=True)]
    return found


def _pairs(items: Sequence[Item], measure: str, group: str, outcome: str) -> list[tuple[float, float]]:
    """Return measure and outcome of the encoders that have both."""
    return [
        (item.measures[measure], item.outcomes[group][outcome])
        for item in items
        if measure in item.measures and outcome in item.outcomes.get(group, {})
    ]


def _write(folder: Path, items: Sequence[Item], config: CorrelationConfig) -> None:
    from darla.reports.figures.correlation import correlation_figure  # not at the top: Matplotlib takes a second to import
    from darla.reports.figures.style import to_png

    correlations = _correlations(items, config)
    told = {
        "confidence": config.confidence,
        "algorithm": config.algorithm,
        "encoders": [asdict(item) for item in items],
        "correlations": correlations,
    }
    write_json(folder / RESULT, told)
    write_bytes(folder / TABLE, (correlation_table(told).markdown() + "\n").encode())
    write_bytes(folder / "correlations.csv", _csv(correlations))
    write_bytes(folder / "encoders.csv", _csv([_flat(item) for item in items]))
    for outcome in OUTCOMES:
        write_bytes(folder / f"{outcome}.png", to_png(correlation_figure(told, outcome)))


def _flat(item: Item) -> dict[str, Any]:
    """Return an encoder's numbers in one row."""
    row = {
        "setting": item.setting,
        "seed": item.seed,
        "digest": item.digest,
        "policies": item.policies,
        **item.measures,
    }
    for group, outcomes in item.outcomes.items():
        row |= {f"{outcome} ({group})": value for outcome, value in outcomes.items()}
    return row


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as CSV; what some of them lack is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _load(found: Artefact | Path | str, kind: str) -> Artefact:
    return found if isinstance(found, Artefact) else Artefact.load(found, kind)
