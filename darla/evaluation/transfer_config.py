"""How agents are evaluated: which episodes they play, how actions are chosen, and how intervals are made."""

from dataclasses import dataclass, fields
from typing import Literal

from darla.common import InputError, seed_for
from darla.common.checked_config import CheckedConfig
from darla.evaluation.aggregates import valid_confidence

Split = Literal["source", "validation", "selection", "target"]
"""The role of a domain in a transfer task."""
SPLITS: tuple[Split, ...] = ("source", "validation", "selection", "target")
MAX_RESAMPLES = 1_000_000
"""Of the bootstrap: a hundred times as many as intervals need, and they still fit in memory."""
_SNAPSHOT_EPISODES = 8
"""Episodes for each snapshot where a configuration names none."""


@dataclass(frozen=True)
class EvaluationProtocol(CheckedConfig):
    """Which episodes are played, and how actions are chosen in them."""

    episodes: int = 100
    """Episodes for each agent and domain; the standard error of a success rate of one half is then 0.05."""
    n_envs: int = 8
    """Environments in which the episodes of a batch run side by side; also the agents' batch size."""
    evaluation_seed: int = 2017
    """Master seed of the evaluation. All agents play the same episodes."""
    deterministic: bool = False
    """Whether agents take their most probable action. Otherwise actions are sampled from the policy as in training,
    with a generator for each episode. A policy that was trained with an entropy bonus may turn left and right forever
    if it is deterministic."""

    def __post_init__(self) -> None:
        for name in ("episodes", "n_envs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.evaluation_seed < 0:
            raise InputError(f"evaluation_seed is {self.evaluation_seed}, but must not be negative")

    def seeds(self, domain: str) -> list[int]:
        """Return the seed that each episode in a domain is reset with."""
        return [seed_for(self.evaluation_seed, domain, episode) for episode in range(self.episodes)]


@dataclass(frozen=True)
class Resampling(CheckedConfig):
    """How intervals are made."""

    resamples: int = 10_000
    """Bootstrap resamples behind each interval."""
    confidence: float = 0.95
    """Nominal coverage of the intervals."""

    def __post_init__(self) -> None:
        if not 1 <= self.resamples <= MAX_RESAMPLES:
            raise InputError(f"resamples is {self.resamples}, but must be between 1 and {MAX_RESAMPLES}")
        valid_confidence(self.confidence)


@dataclass(frozen=True)
class TransferConfig(Resampling, EvaluationProtocol):
    """How agents are evaluated."""

    splits: tuple[Split, ...] = ("source", "validation", "target")
    """Which of the task's domains are evaluated. `selection` holds the contexts for choosing between
    encoders: evaluate candidates on `("source", "selection")` and only the chosen one on the targets."""
    snapshot_eval_episodes: int | None = None
    """Episodes for each snapshot of an agent in the source and in each target; 0 for no learning curves. They are the
    first of the published episodes. No snapshot is selected by them. None means 8, or all episodes if there are
    fewer."""
    strip_frames: int = 13
    """Images in a film strip; 0 for no strips. There is one strip for each method and target, of its first agent."""
    baseline: str | None = None
    """Method that the others are compared with and that normalizes the scores; None takes the first method that was
    trained end to end in the source, if there is one."""

    def __post_init__(self) -> None:
        EvaluationProtocol.__post_init__(self)
        Resampling.__post_init__(self)
        for split in self.splits:
            if split not in SPLITS:
                raise InputError(f"splits names {split!r}, but must be among {', '.join(SPLITS)}")
        if "source" not in self.splits:
            raise InputError("splits must hold 'source': gap and retention are measured against it")
        for name in ("snapshot_eval_episodes", "strip_frames"):
            if (getattr(self, name) or 0) < 0:
                raise InputError(f"{name} is {getattr(self, name)}, but must not be negative")
        if self.episodes_per_snapshot > self.episodes:
            raise InputError(
                f"snapshot_eval_episodes is {self.snapshot_eval_episodes}, but must not exceed the {self.episodes} "
                "episodes"
            )

    @property
    def episodes_per_snapshot(self) -> int:
        """Episodes for each snapshot; 0 for no learning curves."""
        if self.snapshot_eval_episodes is None:
            return min(_SNAPSHOT_EPISODES, self.episodes)
        return self.snapshot_eval_episodes

    @property
    def protocol(self) -> EvaluationProtocol:
        """Which episodes are played."""
        return EvaluationProtocol(**{field.name: getattr(self, field.name) for field in fields(EvaluationProtocol)})

    @property
    def resampling(self) -> Resampling:
        """How intervals are made."""
        return Resampling(**{field.name: getattr(self, field.name) for field in fields(Resampling)})
