"""Proximal policy optimization (Schulman et al. 2017, https://arxiv.org/abs/1707.06347), SB3's `PPO`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.registry import Algorithm, register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation, learning_rate
from darla.common import InputError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


@dataclass(frozen=True)
class PPOSettings(AlgorithmSettings):
    """Hyperparameters of PPO.

    The defaults were searched for in the source domain of SeekAvoid, where they serve policies on the codes of an
    encoder and end-to-end training alike (docs/baselines.md).
    """

    n_steps: int = 128
    """Steps of each environment between two updates; a rollout holds `n_envs * n_steps` environment steps."""
    batch_size: int = 256
    """Transitions in a minibatch; must divide the rollout."""
    n_epochs: int = 4
    """Passes over each rollout."""
    learning_rate: float = 5e-4
    """Adam's step size at the start of training."""
    anneal_lr: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step; 0.97 looks about 33 steps ahead, the width of the room."""
    gae_lambda: float = 0.95
    """Lambda of generalized advantage estimation, bias against variance (Schulman et al. 2016; SB3's default)."""
    clip_range: float = 0.2
    """How far an update may move the probability ratio from 1 (epsilon of the paper's equation 7; SB3's default)."""
    ent_coef: float = 0.01
    """Weight of the entropy bonus in the loss (c2 of the paper's equation 9; RL Zoo's Atari setting)."""
    vf_coef: float = 0.5
    """Weight of the value loss (c1 of the paper's equation 9; SB3's default)."""
    max_grad_norm: float = 0.5
    """Gradient norm above which the gradient is scaled down (SB3's default)."""
    net_arch: tuple[int, ...] = (64, 64)
    """Units of the policy's hidden layers, and of the value function's; empty for linear heads."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size < 2 or self.rollout_steps % self.batch_size:
            raise InputError(
                f"PPO's batch_size {self.batch_size} must be at least 2 and divide its rollout of"
                f" n_envs x n_steps = {self.rollout_steps} environment steps"
            )

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two updates."""
        return self.n_envs * self.n_steps

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of SB3's `PPO`."""
        return {
            "learning_rate": learning_rate(self.learning_rate, self.anneal_lr),
            "n_steps": self.n_steps,
            "batch_size": self.batch_size,
            "n_epochs": self.n_epochs,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "clip_range": self.clip_range,
            "ent_coef": self.ent_coef,
            "vf_coef": self.vf_coef,
            "max_grad_norm": self.max_grad_norm,
        }


@register_algorithm("ppo")
class PPO(Algorithm):
    """Proximal policy optimization."""

    settings = PPOSettings
    actions = ("discrete", "continuous")
    has_bfloat16_pixels = True
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": PPOSettings(),
        # NatureCNN ends in a layer of 512 units, so SB3 puts linear heads on it by default.
        "pixels": PPOSettings(net_arch=()),
        # With layers of 64 units the return in the source of SeekAvoid stops at 9.8, with these at 11.2
        # (docs/baselines.md).
        "state": PPOSettings(net_arch=(256, 256)),
    }
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 1_100.0, "pixels": 455.0, "state": 1_160.0}

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return SB3's `PPO`."""
        import stable_baselines3

        return stable_baselines3.PPO
