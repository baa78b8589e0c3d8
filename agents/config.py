"""What a person can ask of the second stage, learn to act."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from darla.agents.algorithms import get_algorithm
from darla.agents.settings import Observation, Settings
from darla.base import InputError, unknown_name

_VALIDATION_EPISODES = 50
"""Episodes per snapshot where a configuration names none: a standard error of about a seventh of the
spread."""


@dataclass(frozen=True)
class ActConfig:
    """How a policy is trained in the source domain."""

    algorithm: str = "ppo"
    """`ppo`, `a2c` or `dqn`."""
    env_steps: int = 80_000
    """Environment steps over all environments together, rounded up to whole rollouts; a converged policy on
    SeekAvoid."""
    settings: Settings | None = None
    """The algorithm's hyperparameters; None takes its preset for latents or for pixels."""
    frame_stack: int = 1
    """Successive codes (or images) that the policy sees at once; SeekAvoid moves only when the agent does, so
    1."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the frozen encoder's layers; `auto` is bfloat16 where the hardware has it, which encodes
    twice as fast and moves a code by about a hundredth of its spread. The agent keeps it wherever it is
    evaluated."""
    snapshots: int = 8
    """Evenly spaced points at which the policy is kept, the last at the end; fewer if rollouts are long."""
    segment_steps: int = 10_000
    """Environment steps between two checkpoints. Each segment starts from a fresh seed and fresh episodes, so
    this number is part of the result."""
    curve_steps: int = 2_000
    """Environment steps that one row of the learning curve covers; about 13 episodes of SeekAvoid."""
    selection: Literal["last", "validation"] = "last"
    """Which snapshot becomes the policy: the last, or the best on the source validation split."""
    validation_episodes: int | None = None
    """Episodes per snapshot on the validation split, only with `selection="validation"`; None means 50."""

    def __post_init__(self) -> None:
        algorithm = get_algorithm(self.algorithm)
        if self.settings is not None and not isinstance(self.settings, algorithm.settings):
            given = type(self.settings).__name__
            raise InputError(f"algorithm {self.algorithm!r} takes {algorithm.settings.__name__}, not {given}")
        for name in ("env_steps", "frame_stack", "snapshots", "segment_steps", "curve_steps"):
            if getattr(self, name) < 1:
                raise InputError(f"ActConfig.{name} must be at least 1, not {getattr(self, name)}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise unknown_name("precision", self.precision, ("auto", "float32", "bfloat16"))
        if self.selection not in ("last", "validation"):
            raise InputError(f"ActConfig.selection must be 'last' or 'validation', not {self.selection!r}")
        if self.validation_episodes is not None:
            if self.selection == "last":
                raise InputError("ActConfig.validation_episodes would be ignored with selection='last'; leave it out")
            if self.validation_episodes < 1:
                raise InputError(f"ActConfig.validation_episodes must be at least 1, not {self.validation_episodes}")

    def resolve(self, observation: Observation) -> Settings:
        """Return the hyperparameters that a policy on latents or on pixels will be trained with."""
        return self.settings if self.settings is not None else get_algorithm(self.algorithm).preset(observation)

    def episodes_per_snapshot(self) -> int:
        """Return the number of validation episodes for each snapshot; 0 where there is no validation."""
        if self.selection == "last":
            return 0
        return self.validation_episodes if self.validation_episodes is not None else _VALIDATION_EPISODES

    def to_dict(self, observation: Observation) -> dict[str, Any]:
        """Return the configuration as plain values, with every preset filled in."""
        filled = {**asdict(self), "settings": asdict(self.resolve(observation))}
        filled["validation_episodes"] = self.episodes_per_snapshot()
        return filled
