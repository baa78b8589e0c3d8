"""What `scores.json` holds, as dataclasses: the fields are its keys.

Reading a damaged file raises `ArtefactError` with the name of the file and of the field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isinf
from pathlib import Path
from typing import Any

from darla.common import InputError
from darla.common.errors import ArtefactError
from darla.common.json_records import from_json, load_json
from darla.envs.domains.transfer_task import TrainDomain
from darla.evaluation.aggregates import Proportion
from darla.evaluation.transfer_config import Split, TransferConfig
from darla.evaluation.transfer_files import SCORES

OWN = "own"
"""The algorithm of an agent that darla did not train: an object with `predict`."""
RANDOM = "random"
"""The method name of the agent that chooses actions uniformly."""
ALL_TARGETS = "all targets"
"""The name of a comparison over all targets together."""


def algorithm_label(algorithm: str) -> str:
    """Return what tables call an algorithm: `PPO`, the class of an import path, or that darla has not trained it."""
    if algorithm == OWN:
        return "not trained by darla"
    _, is_path, name = algorithm.rpartition(":")
    return name if is_path else name.upper()


@dataclass(frozen=True)
class Estimate:
    """A number and its interval."""

    value: float
    """The statistic of the scores themselves; infinite for a ratio to a baseline whose mean is not positive."""
    low: float | None
    """Lower end; None where a single seed leaves nothing to resample."""
    high: float | None
    """Upper end; infinite where the data do not bound it."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values; JSON has no infinity, so an infinite number is None and is named in `unbounded`."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        unbounded = [name for name, number in numbers.items() if number is not None and isinf(number)]
        return {
            **{name: None if name in unbounded else number for name, number in numbers.items()},
            "unbounded": unbounded,
        }

    @classmethod
    def from_json(cls, data: Any, path: Path | str, field: str = "") -> "Estimate":
        """Return what `to_json` was called on.

        Raises:
            ArtefactError: a field is missing or is no number; the error names `path` and `field`.
        """
        stored: _StoredEstimate = from_json(_StoredEstimate, data, path, field)
        # Every unbounded number is an upper one: a ratio over a baseline at or below 0.
        numbers = {
            name: inf if name in stored.unbounded else getattr(stored, name) for name in ("value", "low", "high")
        }
        if numbers["value"] is None:
            raise ArtefactError(f"{path} is damaged: {field}.value is neither a number nor unbounded")
        return cls(**numbers)

    def scaled(self, factor: float) -> "Estimate":
        """Return the same in another unit."""
        low, high = (None if end is None else factor * end for end in (self.low, self.high))
        return Estimate(factor * self.value, low, high)


@dataclass(frozen=True)
class _StoredEstimate:
    """An estimate as JSON has it."""

    value: float | None
    low: float | None
    high: float | None
    unbounded: tuple[str, ...]


UNKNOWN_LEAK = "unknown"
"""Leak level of a target with values that are new to a policy, whose encoder was trained on images of no domain."""


@dataclass(frozen=True)
class AgentRecord:
    """What identifies an evaluated agent; it stays the same when the agent's folder is moved."""

    method: str
    """The way of making an agent that this one is a sample of."""
    seed: int
    """Seed of its training."""
    digest: str
    """Digest of the agent artefact; the method's name for the random agent, which has none."""
    encoder: str | None = None
    """Digest of the encoder that it was trained on, or that fine-tuning started from; None without one."""
    algorithm: str = RANDOM
    """RL algorithm that trained it."""
    env_steps: int = 0
    """Environment steps that the policy was trained for."""
    snapshot_steps: tuple[int, ...] = ()
    """Environment steps of its snapshots, in ascending order."""
    train_domain: TrainDomain = "source"
    """Domain that it was trained in."""
    observation: str = "images"
    """What it observes: `images`, or the ground-truth `state` behind them."""
    augment: tuple[str, ...] = ()
    """Augmentations of its training images."""
    fine_tune: bool = False
    """Whether its encoder was fine-tuned; the agent then has its own copy."""

    @property
    def is_own(self) -> bool:
        """Whether darla did not train it; where it was trained is then its author's word."""
        return self.algorithm == OWN

    @property
    def is_zero_shot(self) -> bool:
        """Whether it was trained in the source alone and on images alone; other agents are upper bounds."""
        return self.train_domain == "source" and self.observation == "images"

    @property
    def is_end_to_end(self) -> bool:
        """Whether it was trained in the source, on unaugmented images, and without an encoder."""
        plain = self.is_zero_shot and not self.augment and self.encoder is None
        return plain and self.algorithm not in (RANDOM, OWN)


@dataclass(frozen=True)
class ScoredDomain:
    """A domain in which agents were evaluated."""

    name: str
    split: Split
    """Its role in the task."""
    leak: str
    """Leak level of a target for agents that were trained in the source; empty for every other split."""


@dataclass(frozen=True)
class Anchors:
    """What 0 and 1 mean in a normalized score."""

    baseline: str | None
    """Method that the others are compared with."""
    reference_return: float | None
    """1: its mean return in the source."""
    random_return: Mapping[str, float | None]
    """0: the mean return of the random agent, by domain."""


@dataclass(frozen=True)
class DomainScores:
    """One method in one domain."""

    return_: Estimate
    """Mean undiscounted return of an episode."""
    return_by_seed: Mapping[str, float]
    """The same of each policy, by its seed."""
    length: float
    """Mean length of an episode in environment steps."""
    truncated: float
    """Share of episodes whose last step reached the time limit."""
    collected_good: float | None
    """Mean number of good objects collected in an episode; None where the environment reports none."""
    collected_bad: float | None
    """Mean number of bad objects collected in an episode; None where the environment reports none."""
    success: Estimate | None
    """Share of successful episodes; None where the environment does not report success."""
    success_within_policy: Mapping[str, Proportion] | None
    """The same of each policy, by its seed, with an interval over episodes."""
    normalized: Estimate | None
    """Normalized return, see `Anchors`; None where it is not defined."""
    gap: Estimate | None
    """Return in the source less the return in this domain; None but for trained methods in targets."""
    retention: Estimate | None
    """Return in this domain over the return in the source; None as for the gap, and unless every seed's return in the
    source is positive."""


@dataclass(frozen=True)
class ReturnAggregates:
    """Aggregates of the return over all targets."""

    mean: Estimate
    worst: Estimate
    """In the target where the mean over seeds is lowest."""


@dataclass(frozen=True)
class NormalizedAggregates:
    """Aggregates of the normalized score over all targets."""

    mean: Estimate
    iqm: Estimate
    """Interquartile mean over all seeds and targets."""
    worst: Estimate
    """In the target where the mean over seeds is lowest."""
    optimality_gap: Estimate
    """By how much scores fall short of 1 on average."""


@dataclass(frozen=True)
class TargetScores:
    """One method over all targets."""

    return_: ReturnAggregates
    success: Estimate | None
    """Share of successful episodes, mean over the targets; None where the environment does not report success."""
    normalized: NormalizedAggregates | None
    """None unless the score is defined in every target."""
    gap: Estimate | None
    """Return in the source less the mean return over the targets; None for the random agent."""
    retention: Estimate | None
    """Mean return over the targets over the return in the source; None as for the gap, and unless every seed's return
    in the source is positive."""


@dataclass(frozen=True)
class MethodScores:
    """Everything about one method."""

    method: str
    seeds: tuple[int, ...]
    """Seeds of its policies."""
    encoders: int | None
    """Number of different encoders that they were trained on; None without encoders."""
    few_seeds: bool
    """Whether there are so few independent seeds that intervals are too narrow (`bootstrap.FEW_SEEDS`)."""
    domains: Mapping[str, DomainScores]
    over_targets: TargetScores | None
    """None without a target."""
    leaks: Mapping[str, str] = field(default_factory=dict)
    """By target the leak level of this method, where it differs from the task's since it was trained elsewhere."""


@dataclass(frozen=True)
class BaselineComparison:
    """One method against the baseline in one target, or over all of them."""

    method: str
    baseline: str
    domain: str
    """A target, or `ALL_TARGETS`."""
    difference: Estimate
    """Mean return less the baseline's."""
    ratio: Estimate
    """Mean return over the baseline's."""
    improvement: Estimate
    """Probability that a random run of the method beats a random run of the baseline in a random target."""
    p_value: float
    """Two-sided permutation p-value of no difference."""
    p_value_holm: float | None
    """Adjusted by Holm's method: over all methods and single targets, or over the methods for all targets together.
    None for the latter in files of earlier development versions."""
    paired: bool
    """Whether both have the same seeds, which were then resampled together."""
    seeds: int
    """Policies of the side that has fewer."""
    independent: int
    """Independent seeds of that side: encoders, where policies share one."""
    few_seeds: bool
    """Whether these are so few that the intervals are too narrow."""


@dataclass(frozen=True)
class StripEpisode:
    """One episode of a film strip."""

    return_: float
    length: int
    """Environment steps."""
    positive_rewards: int
    """Steps with a reward above 0."""
    negative_rewards: int
    """Steps with a reward below 0."""
    context: Mapping[str, Any]
    """Values of the domain's factors, where it has some."""


@dataclass(frozen=True)
class StripRecord:
    """A film strip: the same episode in the source and in a target."""

    method: str
    seed: int
    """Of the agent."""
    target: str
    file: str
    """Name of the image in the folder of strips."""
    episode_seed: int
    frame_interval: int
    """Environment steps between two images."""
    source_episode: StripEpisode
    target_episode: StripEpisode


@dataclass(frozen=True)
class EpisodeScores:
    """What follows from the episodes of a transfer."""

    domains: tuple[ScoredDomain, ...]
    """In the order of evaluation: the source first, the targets last."""
    anchors: Anchors
    methods: tuple[MethodScores, ...]
    comparisons: tuple[BaselineComparison, ...]
    """Each trained method against the baseline; none without one."""

    @property
    def targets(self) -> list[str]:
        """The names of the targets."""
        return [domain.name for domain in self.domains if domain.split == "target"]

    @property
    def source(self) -> str:
        """The name of the source."""
        return next(domain.name for domain in self.domains if domain.split == "source")

    def beats_random(self, method: MethodScores) -> bool:
        """Return whether a method returns more than the random agent in the source, its whole interval above.

        What one that does not scores in a target says nothing of transfer. True where no random agent was run, and for
        a method that was trained elsewhere than in the source.
        """
        floor, returns = self.anchors.random_return.get(self.source), method.domains[self.source].return_
        return (
            bool(method.leaks)
            or floor is None
            or (returns.value > floor and (returns.low is None or returns.low > floor))
        )


@dataclass(frozen=True)
class TransferScores(EpisodeScores):
    """The content of `scores.json`: the scores, and what they were computed from."""

    task: str
    settings: TransferConfig
    """How the agents were evaluated; its baseline is the one that was taken."""
    agents: tuple[AgentRecord, ...]
    episode_seeds: Mapping[str, tuple[int, ...]]
    """By domain the seed of each episode."""
    strips: tuple[StripRecord, ...]

    def __post_init__(self) -> None:
        """Refuse scores that name methods or domains of which nothing else is known, and parts that do not agree."""
        agents = {RANDOM, *(agent.method for agent in self.agents)}
        domains = {domain.name for domain in self.domains}
        methods = {method.method for method in self.methods}
        for method in self.methods:
            if method.method not in agents or method.domains.keys() != domains:
                raise InputError(f"the scores of {method.method!r} are of other agents or domains than the rest")
            if (method.over_targets is None) == bool(self.targets):
                raise InputError(f"the scores of {method.method!r} are not over the targets that the others have")
        if self.domains and [domain.split for domain in self.domains].count("source") != 1:
            raise InputError("the scores are of no source, or of several")
        if self.anchors.random_return.keys() != domains:
            raise InputError("the returns of the random agent are of other domains than the rest")
        if not self.episode_seeds.keys() <= domains:
            raise InputError("the seeds of episodes are of other domains than the rest")
        if self.anchors.baseline is not None and not (
            self.anchors.baseline in methods and self.anchors.reference_return is not None
        ):
            raise InputError(f"{self.anchors.baseline!r} is the baseline, but has no scores")
        for comparison in self.comparisons:
            if not {comparison.method, comparison.baseline} <= methods:
                raise InputError(f"{comparison.method!r} is compared with {comparison.baseline!r}, but has no scores")
            if comparison.domain not in (*self.targets, ALL_TARGETS):
                raise InputError(f"{comparison.method!r} is compared in {comparison.domain!r}, which is no target")
        for strip in self.strips:
            if strip.method not in methods or strip.target not in domains:
                raise InputError(f"a film strip is of {strip.method!r} in {strip.target!r}, but there are no scores")

    @classmethod
    def load(cls, folder: Path) -> "TransferScores":
        """Read the scores of a transfer.

        Args:
            folder: of the transfer artefact.

        Raises:
            ArtefactError: the file is missing, or a field is missing, unknown or of another type.
        """
        return load_json(cls, folder / SCORES)
