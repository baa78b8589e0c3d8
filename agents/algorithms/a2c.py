"""Advantage actor-critic, the synchronous A3C (Mnih et al. 2016, https://arxiv.org/abs/1602.01783), SB3's `A2C`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.registry import Algorithm, register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation, learning_rate

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


@dataclass(frozen=True)
class A2CSettings(AlgorithmSettings):
    """Hyperparameters of A2C.

    Discount and number of environments are those of PPO; the rest starts from RL Zoo's Atari settings and was not
    searched. It learns SeekAvoid.
    """

    n_steps: int = 16
    """Steps of each environment between two updates."""
    learning_rate: float = 7e-4
    """RMSProp's step size at the start of training (SB3's default)."""
    anneal_lr: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step."""
    gae_lambda: float = 0.95
    """Lambda of generalized advantage estimation; 1 is the n-step return of the paper."""
    ent_coef: float = 0.01
    """Weight of the entropy bonus in the loss (the paper's 0.01)."""
    vf_coef: float = 0.5
    """Weight of the value loss (SB3's default)."""
    max_grad_norm: float = 0.5
    """Gradient norm above which the gradient is scaled down (SB3's default)."""
    rms_prop_eps: float = 1e-5
    """Added to RMSProp's denominator (RL Zoo's Atari setting)."""
    net_arch: tuple[int, ...] = (64, 64)
    """Units of the policy's hidden layers, and of the value function's."""

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two updates."""
        return self.n_envs * self.n_steps

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of SB3's `A2C`."""
        return {
            "learning_rate": learning_rate(self.learning_rate, self.anneal_lr),
            "n_steps": self.n_steps,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "ent_coef": self.ent_coef,
            "vf_coef": self.vf_coef,
            "max_grad_norm": self.max_grad_norm,
            "rms_prop_eps": self.rms_prop_eps,
        }


@register_algorithm("a2c")
class A2C(Algorithm):
    """Advantage actor-critic."""

    settings = A2CSettings
    actions = ("discrete", "continuous")
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": A2CSettings(),
        "pixels": A2CSettings(net_arch=()),  # linear heads on NatureCNN, as in PPO
        "state": A2CSettings(net_arch=(256, 256)),
    }
    # Estimated, not measured.
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 1_000.0, "pixels": 450.0, "state": 1_000.0}

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return SB3's `A2C`."""
        import stable_baselines3

        return stable_baselines3.A2C
