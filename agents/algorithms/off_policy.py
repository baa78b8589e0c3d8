"""What algorithms that learn from a replay buffer have in common: DQN, QR-DQN, SAC."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from darla.agents.algorithms.registry import Algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError

IMAGES_IN_REPLAY = 20_000
"""Transitions kept where observations are images. SB3's replay buffer keeps both images of a transition, half a
gigabyte for 20,000 of 64x64x3. Its `optimize_memory_usage` would keep one, but then treats a time limit as an end
(SB3 #934), which biases the values of a task with a time limit."""


@dataclass(frozen=True)
class ReplaySettings(AlgorithmSettings):
    """Base of settings with `buffer_size`, `batch_size` and `train_freq`, which each algorithm has in its own place."""

    algorithm: ClassVar[str]
    """What errors call the algorithm."""

    def __post_init__(self) -> None:
        super().__post_init__()
        own: Any = self
        if own.buffer_size < max(own.batch_size, self.n_envs):
            raise InputError(f"{self.algorithm}'s buffer_size {own.buffer_size} must hold a batch of {own.batch_size}")

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two rounds of updates."""
        own: Any = self
        return int(own.train_freq) * self.n_envs


class ReplayAlgorithm(Algorithm):
    """An algorithm whose settings are `ReplaySettings`."""

    log_interval_is_in_episodes = True

    def preset(self, observation: Observation, *, fine_tune: bool = False) -> AlgorithmSettings:
        """Return the settings where a configuration has none; with `fine_tune` the replay buffer holds images too."""
        settings = super().preset(observation, fine_tune=fine_tune)
        return replace(settings, buffer_size=IMAGES_IN_REPLAY) if fine_tune else settings  # type: ignore[call-arg]
