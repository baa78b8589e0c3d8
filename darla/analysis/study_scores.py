"""What a study's transfers say of every method in every domain, with each learner's own baseline, as plain rows.

`scores.json` compares the methods of a transfer with one baseline. A study has several learners, and DQN on codes is
compared with DQN on pixels: here every method's baseline is the end-to-end method that the same algorithm trained.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from darla.common import Artefact
from darla.common.files import read_json, write_bytes
from darla.evaluation.aggregates import holm, iqm, worst_target
from darla.evaluation.bootstrap import bootstrap, compare
from darla.evaluation.episode_records import EpisodeMeans, mean_returns, read_rows
from darla.evaluation.scores import ALL_TARGETS, RANDOM
from darla.evaluation.transfer_files import EPISODES, SCORES


@dataclass(frozen=True)
class StudyRow:
    """One method in one domain of one task, or over all targets."""

    task: str
    method: str
    """Its whole name."""
    learner: str
    """What trained its policies: `PPO`, `DQN`, ...; `random` for the random agent."""
    vision: str
    """Its name without the learner's: what the methods of different learners have in common."""
    domain: str
    split: str
    leak: str
    """Leak level of a target as this method's policies have met it, of all targets their levels; empty elsewhere."""
    bound: bool
    """Whether its policies acted elsewhere than in the source, or were told the ground truth: no rival, but a bound."""
    seeds: int
    """Policies."""
    encoders: int | None
    """Encoders they stand on; None without any."""
    preliminary: bool
    """Whether fewer than ten independent seeds stand behind it."""
    mean: float
    """Mean return."""
    mean_low: float | None
    mean_high: float | None
    iqm: float
    """Interquartile mean of the policies' mean returns, over all targets in the row of all."""
    iqm_low: float | None
    iqm_high: float | None
    worst: float | None
    """Mean return in the target where it is lowest; only in the row of all targets."""
    worst_low: float | None
    worst_high: float | None
    baseline: str | None
    """End-to-end method of the same learner; None where there is none, and for the baseline itself."""
    difference: float | None
    """Mean return less the baseline's."""
    difference_low: float | None
    difference_high: float | None
    paired: bool | None
    """Whether both have the same seeds, which were then resampled together."""
    improvement: float | None
    """Probability that a run beats one of the baseline."""
    p_value: float | None
    """Two-sided permutation p-value of no difference."""
    p_value_holm: float | None
    """Adjusted by Holm's method: of a target over all targets and methods of the task and learner, of the mean over all
    targets over the methods."""


def study_rows(transfers: Mapping[str, Artefact], *, overall: bool = False) -> list[StudyRow]:
    """Return a row for each method and domain, and one over all targets, in the order of the transfers.

    Args:
        transfers: artefacts of kind `transfer`, by the name of the task.
        overall: only the rows over all targets, which are all that a table in the paper's layout shows.
    """
    return [row for task, transfer in transfers.items() for row in _of_task(task, transfer, overall)]


def write_rows(path: Path, rows: Sequence[StudyRow]) -> None:
    """Write rows as CSV with every digit; what there is not is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(StudyRow)]
    writer.writerow(names)
    for row in rows:
        cells = [getattr(row, name) for name in names]
        writer.writerow(["" if cell is None else int(cell) if isinstance(cell, bool) else cell for cell in cells])
    write_bytes(path, text.getvalue().encode())


def baselines(scores: Mapping[str, Any]) -> dict[str, str]:
    """Return for each algorithm the method that others of it are compared with.

    The study's own baseline where that algorithm trained it; else the first method that learnt in the source, from its
    images as they are and without an encoder.

    Args:
        scores: the content of `scores.json`.
    """
    own = scores["anchors"]["baseline"]
    found: dict[str, str] = {}
    for agent in sorted(scores["agents"], key=lambda agent: agent["method"] != own):
        end_to_end = _is_rival(agent) and not agent.get("augment") and agent["encoder"] is None
        if agent["method"] != RANDOM and (end_to_end or agent["method"] == own):
            found.setdefault(agent.get("algorithm", ""), agent["method"])
    return found


def _is_rival(agent: Mapping[str, Any]) -> bool:
    """Tell whether a policy acted in the source alone and saw images alone."""
    return (agent.get("train_domain", "source"), agent.get("observation", "images")) == ("source", "images")


def _of_task(task: str, transfer: Artefact, overall: bool) -> list[StudyRow]:
    scores = read_json(transfer.folder / SCORES)
    agents = {agent["digest"]: agent for agent in scores["agents"]}
    episodes = read_rows(transfer.folder / EPISODES)
    tables = mean_returns(episodes, {digest: agent["encoder"] for digest, agent in agents.items()})
    bounds = {agent["method"] for agent in agents.values() if not _is_rival(agent)}
    algorithms = {agent["method"]: str(agent.get("algorithm", "")) for agent in agents.values()}
    leaks = {(row.method, row.domain): row.leak for row in episodes}
    splits = {domain["name"]: domain["split"] for domain in scores["domains"]}
    against = baselines(scores)
    settings = scores["settings"]
    resampling = {
        "resamples": settings["resamples"],
        "confidence": settings["confidence"],
        "seed": settings["evaluation_seed"],
    }
    found = []
    for method, table in tables.items():
        algorithm = algorithms.get(method, "")
        baseline = against.get(algorithm)
        rival = None if baseline in (None, method) else tables.get(str(baseline))
        targets = [name for name, split in splits.items() if split == "target"]
        groups = {} if overall else {name: [name] for name in splits}
        groups |= {ALL_TARGETS: targets} if targets else {}
        for domain, members in groups.items():
            found.append(
                {
                    "task": task,
                    "method": method,
                    "learner": RANDOM if method == RANDOM else algorithm.upper(),
                    "vision": method.removesuffix(f" ({algorithm.upper()})"),
                    "domain": domain,
                    "split": splits.get(domain, "targets"),
                    "leak": ", ".join(filter(None, dict.fromkeys(leaks[method, member] for member in members))),
                    "bound": method in bounds,
                    "baseline": None if rival is None else baseline,
                    **_numbers(table, members, domain == ALL_TARGETS, resampling),
                    **_difference(table, rival, members, resampling),
                }
            )
    _adjust(found)
    return [StudyRow(**row) for row in found]


def _numbers(
    table: EpisodeMeans, members: Sequence[str], over_targets: bool, resampling: Mapping[str, Any]
) -> dict[str, Any]:
    returns = table.returns[:, [table.column(member) for member in members]]
    statistics = {"mean": None, "iqm": iqm} | ({"worst": worst_target} if over_targets else {})
    said: dict[str, Any] = dict.fromkeys(("worst", "worst_low", "worst_high"))
    for name, statistic in statistics.items():
        chosen = () if statistic is None else (statistic,)
        estimate = bootstrap(returns, *chosen, encoders=table.encoders, **resampling)
        said |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        said |= {"seeds": estimate.seeds, "preliminary": estimate.optimistic}
    return said | {"encoders": None if table.encoders is None else len(set(table.encoders))}


def _difference(
    table: EpisodeMeans, rival: EpisodeMeans | None, members: Sequence[str], resampling: Mapping[str, Any]
) -> dict[str, Any]:
    names = ("difference", "difference_low", "difference_high", "paired", "improvement", "p_value", "p_value_holm")
    if rival is None:
        return dict.fromkeys(names)
    result = compare(
        table.returns[:, [table.column(member) for member in members]],
        rival.returns[:, [rival.column(member) for member in members]],
        paired=table.seeds == rival.seeds,
        encoders=(table.encoders, rival.encoders),
        **resampling,
    )
    difference = result.difference
    told = difference.value, difference.low, difference.high, result.paired, result.improvement.value, result.p_value
    return dict(zip(names, (*told, None), strict=True))


def _adjust(rows: Sequence[dict[str, Any]]) -> None:
    """Adjust p-values within each learner: of single targets together, and of the means over all targets together."""
    for split in ("target", "targets"):
        for learner in dict.fromkeys(row["learner"] for row in rows):
            family = [row for row in rows if (row["learner"], row["split"]) == (learner, split)]
            family = [row for row in family if row["p_value"] is not None]
            for row, p_value in zip(family, holm([row["p_value"] for row in family]), strict=True):
                row["p_value_holm"] = float(p_value)
