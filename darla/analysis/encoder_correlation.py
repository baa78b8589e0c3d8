"""How measures of encoders go with the transfer of the policies that were trained on them.

An encoder is one item, whatever the number of its policies: its outcome is their mean. So the interval of a
correlation speaks about other encoders, and ten policies on one encoder count as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from darla.analysis.encoder_measures import LABELS, MeasuresConfig
from darla.common import Artefact
from darla.common.files import read_json
from darla.evaluation.aggregates import holm
from darla.evaluation.episode_records import read_rows
from darla.evaluation.rank_correlation import rank_correlation
from darla.evaluation.transfer_files import EPISODES, SCORES

KIND = "correlation"
RESULT = "correlation.json"
MEASURE_PATHS = "measure_paths"
"""Entry of a correlation's card: by digest where the measures of each encoder lie, relative to it."""
ALL_TASKS = "all tasks"
"""The name under which outcomes over the targets of all tasks stand."""
OUTCOMES = {"retention": "retention", "return": "mean return in targets"}
"""What of a transfer is correlated, and what figures call it."""


def main_group(told: Mapping[str, Any]) -> str:
    """Return the outcomes that figures and table show: over all tasks, or of the only one.

    Args:
        told: the content of `correlation.json`.
    """
    groups = [each["task"] for each in told["correlations"]]
    return ALL_TASKS if ALL_TASKS in groups or not groups else str(groups[0])


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
class EncoderRecord:
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


def outcomes_of(
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
        and agent.get("train_domain", "source") == "source"
        and not agent.get("fine_tune", False)
        and (not config.methods or agent["method"] in config.methods)
    )


def correlations(items: Sequence[EncoderRecord], config: CorrelationConfig) -> list[dict[str, Any]]:
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


def _pairs(items: Sequence[EncoderRecord], measure: str, group: str, outcome: str) -> list[tuple[float, float]]:
    """Return measure and outcome of the encoders that have both."""
    return [
        (item.measures[measure], item.outcomes[group][outcome])
        for item in items
        if measure in item.measures and outcome in item.outcomes.get(group, {})
    ]


def flat_record(item: EncoderRecord) -> dict[str, Any]:
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
