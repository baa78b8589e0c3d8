"""How measures of encoders correlate with the transfer of the policies that were trained on them.

The unit is an encoder, whatever the number of its policies: its outcome is their mean. So the interval of a correlation
is about other encoders, and ten policies on one encoder count as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from darla.analysis.encoder_measures import MeasuresConfig, measure_order
from darla.common import Artefact
from darla.common.checked_config import CheckedConfig
from darla.common.json_records import load_json
from darla.evaluation.aggregates import holm
from darla.evaluation.episode_records import read_episodes
from darla.evaluation.rank_correlation import rank_correlation
from darla.evaluation.score_types import AgentRecord, TransferScores
from darla.evaluation.transfer_files import EPISODES

KIND = "correlation"
RESULT = "correlation.json"
MEASURE_PATHS = "measure_paths"
"""Entry of a correlation's card: by digest where the measures of each encoder lie, relative to it."""
ALL_TASKS = "all tasks"
"""Name of the outcomes over the targets of all tasks."""
OUTCOMES = {"retention": "retention", "return": "mean return in targets"}
"""Outcomes that are correlated, with their labels in figures."""


@dataclass(frozen=True)
class CorrelationConfig(CheckedConfig):
    """What is correlated, and how."""

    measures: MeasuresConfig = field(default_factory=MeasuresConfig)
    """What is measured of each encoder."""
    algorithm: str = "ppo"
    """Only policies that it trained count: returns of different algorithms are not comparable."""
    methods: tuple[str, ...] = ()
    """Only policies of these methods count, for encoders that several methods use; all of the algorithm's if empty."""
    confidence: float = 0.95
    """Nominal coverage of the intervals."""
    resamples: int = 5_000
    """Bootstrap resamples of encoders."""


@dataclass(frozen=True)
class EncoderRecord:
    """One encoder with its measures and outcomes."""

    setting: str
    """Name of its configuration; encoders of one setting differ in their seeds."""
    seed: int
    digest: str
    policies: int
    """Number of policies that were trained on it."""
    measures: Mapping[str, float]
    """By name."""
    outcomes: Mapping[str, Mapping[str, float]]
    """By task, and over all of them: `return` in the targets, in the `source`, and `retention` if the latter is
    positive."""


@dataclass(frozen=True)
class MeasureCorrelation:
    """The rank correlation of one measure with one outcome."""

    task: str
    """A task, or `ALL_TASKS`."""
    outcome: str
    """One of `OUTCOMES`."""
    measure: str
    rho: float
    """Spearman's coefficient."""
    low: float
    """Lower end of its interval over encoders."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided permutation p-value of no relation."""
    items: int
    """Number of encoders."""
    preliminary: bool
    """Whether there are so few that the interval is unreliable."""
    p_value_holm: float
    """Adjusted by Holm's method over the measures of the outcome."""


@dataclass(frozen=True)
class CorrelationResult:
    """The content of `correlation.json`."""

    confidence: float
    """Nominal coverage of the intervals."""
    algorithm: str
    """RL algorithm of the policies."""
    encoders: tuple[EncoderRecord, ...]
    correlations: tuple[MeasureCorrelation, ...]

    @property
    def main_group(self) -> str:
        """The outcomes that figures and table show: over all tasks, or of the only one."""
        groups = [entry.task for entry in self.correlations]
        return ALL_TASKS if ALL_TASKS in groups or not groups else groups[0]


def read_correlation(artefact: Artefact) -> CorrelationResult:
    """Read the result of a correlation artefact.

    Raises:
        ArtefactError: the file is damaged.
    """
    return load_json(CorrelationResult, artefact.folder / RESULT)


def outcomes_of(
    transfers: Sequence[Artefact], config: CorrelationConfig
) -> dict[str, tuple[int, dict[str, dict[str, float]]]]:
    """Return for the digest of each encoder its number of policies, and by task the outcomes of their mean returns."""
    source_means: dict[tuple[str, str], dict[str, float]] = {}  # by encoder and task, for each policy
    target_means: dict[tuple[str, str], dict[str, list[float]]] = {}  # likewise, one for each target
    policies: dict[str, set[str]] = {}
    for transfer in transfers:
        task = str(transfer.config["task"]["name"])
        agents = TransferScores.load(transfer.folder).agents
        encoder_of = {agent.digest: agent.encoder for agent in agents if agent.encoder and _counts(agent, config)}
        returns: dict[tuple[str, str, str], list[float]] = {}
        for record in read_episodes(transfer.folder / EPISODES):
            if record.agent in encoder_of and record.split in ("source", "target"):
                key = (record.agent, record.split, record.domain)
                returns.setdefault(key, []).append(record.episode.return_)
        for (agent, split, _), episode_returns in returns.items():
            encoder = encoder_of[agent]
            policies.setdefault(encoder, set()).add(agent)
            mean = float(np.mean(episode_returns))
            if split == "source":
                source_means.setdefault((encoder, task), {})[agent] = mean
            else:
                target_means.setdefault((encoder, task), {}).setdefault(agent, []).append(mean)
    tasks = list(dict.fromkeys(str(transfer.config["task"]["name"]) for transfer in transfers))
    groups = {task: [task] for task in tasks}
    if len(tasks) > 1:
        groups[ALL_TASKS] = tasks
    outcomes = {}
    for encoder, trained_on_it in policies.items():
        by_group = {}
        for group, members in groups.items():
            if all((encoder, task) in target_means for task in members):
                source = float(np.mean([value for task in members for value in source_means[encoder, task].values()]))
                per_policy = [values for task in members for values in target_means[encoder, task].values()]
                targets = float(np.mean([value for values in per_policy for value in values]))
                by_group[group] = {"return": targets, "source": source}
                if source > 0:
                    by_group[group]["retention"] = targets / source
        outcomes[encoder] = len(trained_on_it), by_group
    return outcomes


def _counts(agent: AgentRecord, config: CorrelationConfig) -> bool:
    """Return whether a policy uses a frozen encoder, was trained in the source alone, and is among those requested."""
    return (
        agent.encoder is not None
        and agent.algorithm == config.algorithm
        and agent.train_domain == "source"
        and not agent.fine_tune
        and (not config.methods or agent.method in config.methods)
    )


def correlations(items: Sequence[EncoderRecord], config: CorrelationConfig) -> list[MeasureCorrelation]:
    """Correlate every measure with every outcome; p-values are adjusted over the measures of one outcome."""
    entries: list[MeasureCorrelation] = []
    groups = list(dict.fromkeys(group for item in items for group in item.outcomes))
    measures = measure_order(name for item in items for name in item.measures)
    for group in groups:
        for outcome in OUTCOMES:
            family = []
            for name in measures:
                pairs = _pairs(items, name, group, outcome)
                result = rank_correlation(
                    *([pair[side] for pair in pairs] for side in (0, 1)),
                    confidence=config.confidence,
                    resamples=config.resamples,
                    seed=config.measures.seed,
                )
                if result is not None:
                    numbers = {**vars(result), "preliminary": result.preliminary}
                    family.append(MeasureCorrelation(group, outcome, name, **numbers, p_value_holm=1.0))
            adjusted = holm([entry.p_value for entry in family])
            entries += [replace(entry, p_value_holm=float(p)) for entry, p in zip(family, adjusted, strict=True)]
    return entries


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
