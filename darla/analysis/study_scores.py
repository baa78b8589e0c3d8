"""The scores of a study as rows: every method in every domain of every task, against a baseline of its own algorithm.

`scores.json` compares the methods of a transfer with one baseline. A study has several RL algorithms, and DQN on codes
is compared with DQN on pixels: here the baseline of a method is the end-to-end method of the same algorithm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from darla.common import Artefact
from darla.common.csv_rows import write_rows
from darla.evaluation.against_random import better_than_random, learned_source
from darla.evaluation.aggregates import holm, iqm, mean, worst_target
from darla.evaluation.bootstrap import bootstrap, compare
from darla.evaluation.episode_records import EpisodeMeans, mean_returns, read_episodes
from darla.evaluation.score_types import ALL_TARGETS, RANDOM, TransferScores, algorithm_label
from darla.evaluation.transfer_config import TransferConfig
from darla.evaluation.transfer_files import EPISODES


@dataclass(frozen=True)
class StudyRow:
    """One method in one domain of one task, or over all targets."""

    task: str
    method: str
    """Its full name."""
    learner: str
    """RL algorithm that trained its policies, as `algorithm_label` writes it; `random` for the random agent."""
    vision: str
    """Its name without the algorithm: what methods of different algorithms have in common."""
    domain: str
    split: str
    leak: str
    """Leak level of a target for this method, or those of all targets; empty for other splits."""
    bound: bool
    """Whether its policies were trained outside the source or on the ground truth: an upper bound, not a competitor."""
    learned: bool
    """Whether the method returns more than the random agent in the source, by more than chance (`learned_source`); true
    where that was not evaluated, and for the random agent."""
    above_random: bool
    """The same by the test alone (`better_than_random`), in this domain or over all targets."""
    seeds: int
    """Policies."""
    encoders: int | None
    """Different encoders that they were trained on; None without any."""
    preliminary: bool
    """Whether there are fewer than ten independent seeds."""
    mean: float
    """Mean return."""
    mean_low: float | None
    mean_high: float | None
    iqm: float
    """Interquartile mean of the policies' mean returns."""
    iqm_low: float | None
    iqm_high: float | None
    worst: float | None
    """Mean return in the target where it is lowest; only in the row of all targets."""
    worst_low: float | None
    worst_high: float | None
    success: float | None
    """Share of successful episodes; None where the environment does not report success."""
    baseline: str | None
    """End-to-end method of the same algorithm; None where there is none, and for the baseline itself."""
    difference: float | None
    """Mean return less the baseline's."""
    difference_low: float | None
    difference_high: float | None
    paired: bool | None
    """Whether both have the same seeds, which were then resampled together."""
    improvement: float | None
    """Probability that a run of the method beats a run of the baseline."""
    p_value: float | None
    """Two-sided permutation p-value of no difference."""
    p_value_holm: float | None
    """Adjusted by Holm's method: for a single target over all targets and methods of the algorithm, for the mean over
    all targets over the methods."""


def study_rows(transfers: Mapping[str, Artefact], *, overall: bool = False) -> list[StudyRow]:
    """Return a row for each method and domain, and one over all targets, in the order of the transfers.

    Args:
        transfers: artefacts of kind `transfer`, by the name of the task.
        overall: only the rows over all targets, which are all that a table in the paper's layout shows.
    """
    return [row for task, transfer in transfers.items() for row in _of_task(task, transfer, overall)]


def write_study_rows(path: Path, rows: Sequence[StudyRow]) -> None:
    """Write rows as CSV with every digit; a value that is None is an empty cell."""
    write_rows(path, rows, [field.name for field in fields(StudyRow)])


def baselines(scores: TransferScores) -> dict[str, str]:
    """Return for each algorithm the method that others of it are compared with.

    The baseline of the transfer where that algorithm trained it; else the first end-to-end method.
    """
    own = scores.anchors.baseline
    chosen: dict[str, str] = {}
    for agent in sorted(scores.agents, key=lambda agent: agent.method != own):
        if agent.method != RANDOM and (agent.is_end_to_end or agent.method == own):
            chosen.setdefault(agent.algorithm, agent.method)
    return chosen


def _of_task(task: str, transfer: Artefact, overall: bool) -> list[StudyRow]:
    scores = TransferScores.load(transfer.folder)
    records = read_episodes(transfer.folder / EPISODES)
    tables = mean_returns(records, {agent.digest: agent.encoder for agent in scores.agents})
    bounds = {agent.method for agent in scores.agents if not agent.is_zero_shot}
    algorithms = {agent.method: agent.algorithm for agent in scores.agents}
    leaks = {(record.method, record.domain): record.leak for record in records}
    splits: dict[str, str] = {domain.name: domain.split for domain in scores.domains}
    baseline_of = baselines(scores)
    learned = learned_source(scores, records)
    above = {name: better_than_random(scores, records, [name]) for name in splits} if not overall else {}
    above |= {ALL_TARGETS: better_than_random(scores, records, scores.targets)} if scores.targets else {}
    rows = []
    for method, table in tables.items():
        algorithm = algorithms[method]
        baseline = baseline_of.get(algorithm)
        compared = None if baseline in (None, method) else tables.get(str(baseline))
        groups = {} if overall else {name: [name] for name in splits}
        groups |= {ALL_TARGETS: scores.targets} if scores.targets else {}
        for domain, members in groups.items():
            returns = _numbers(table, members, domain == ALL_TARGETS, scores.settings)
            rows.append(
                StudyRow(
                    task=task,
                    method=method,
                    learner=RANDOM if method == RANDOM else algorithm_label(algorithm),
                    vision=method.removesuffix(f" ({algorithm_label(algorithm)})"),
                    domain=domain,
                    split=splits.get(domain, "targets"),
                    leak=", ".join(filter(None, dict.fromkeys(leaks[method, member] for member in members))),
                    bound=method in bounds,
                    learned=learned.get(method, True),
                    above_random=above[domain].get(method, True),
                    baseline=None if compared is None else baseline,
                    **returns,
                    **_difference(table, compared, members, scores.settings),
                )
            )
    return _adjusted(rows)


def _numbers(
    table: EpisodeMeans, members: Sequence[str], over_targets: bool, settings: TransferConfig
) -> dict[str, Any]:
    """Return the fields of a row that describe the method alone."""
    columns = [table.column(member) for member in members]
    returns = table.returns[:, columns]
    statistics = {"mean": mean, "iqm": iqm} | ({"worst": worst_target} if over_targets else {})
    numbers: dict[str, Any] = dict.fromkeys(("worst", "worst_low", "worst_high"))
    for name, statistic in statistics.items():
        estimate = bootstrap(returns, statistic, encoders=table.encoders, **_resampling(settings))
        numbers |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        numbers |= {"seeds": estimate.seeds, "preliminary": estimate.few_seeds}
    numbers["encoders"] = None if table.encoders is None else len(set(table.encoders))
    numbers["success"] = None if table.successes is None else float(table.successes[:, columns].mean())
    return numbers


def _difference(
    table: EpisodeMeans, baseline: EpisodeMeans | None, members: Sequence[str], settings: TransferConfig
) -> dict[str, Any]:
    """Return the fields of a row that compare the method with its baseline."""
    names = ("difference", "difference_low", "difference_high", "paired", "improvement", "p_value", "p_value_holm")
    if baseline is None:
        return dict.fromkeys(names)
    result = compare(
        table.returns[:, [table.column(member) for member in members]],
        baseline.returns[:, [baseline.column(member) for member in members]],
        paired=table.seeds == baseline.seeds,
        encoders=(table.encoders, baseline.encoders),
        **_resampling(settings),
    )
    difference = result.difference
    interval = difference.value, difference.low, difference.high
    values = (*interval, result.paired, result.improvement.value, result.p_value, None)
    return dict(zip(names, values, strict=True))


def _resampling(settings: TransferConfig) -> dict[str, Any]:
    return {
        "resamples": settings.resamples,
        "confidence": settings.confidence,
        "seed": settings.evaluation_seed,
    }


def _adjusted(rows: Sequence[StudyRow]) -> list[StudyRow]:
    """Adjust p-values within each algorithm: of single targets together, and of the means over all targets together."""
    adjusted = list(rows)
    for split in ("target", "targets"):
        for learner in dict.fromkeys(row.learner for row in rows):
            family = [
                (number, row.p_value)
                for number, row in enumerate(rows)
                if (row.learner, row.split) == (learner, split) and row.p_value is not None
            ]
            for (number, _), p_value in zip(family, holm([p_value for _, p_value in family]), strict=True):
                adjusted[number] = replace(adjusted[number], p_value_holm=float(p_value))
    return adjusted
