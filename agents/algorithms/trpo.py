"""Trust region policy optimization (Schulman et al. 2015, https://arxiv.org/abs/1502.05477), sb3-contrib's `TRPO`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.contrib import contrib_class
from darla.agents.algorithms.registry import Algorithm, register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation, learning_rate

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


@dataclass(frozen=True)
class TRPOSettings(AlgorithmSettings):
    """Hyperparameters of TRPO.

    Discount and number of environments are those of PPO; the rest are sb3-contrib's defaults, with shorter rollouts,
    and were not searched.
    """

    n_steps: int = 256
    """Steps of each environment between two updates."""
    batch_size: int = 128
    """Transitions in a minibatch of the value function's updates."""
    learning_rate: float = 1e-3
    """Adam's step size for the value function; the policy's step follows from `target_kl`."""
    anneal_lr: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step."""
    gae_lambda: float = 0.95
    """Lambda of generalized advantage estimation."""
    target_kl: float = 0.01
    """Largest mean KL divergence between the policies before and after an update, in nats (the paper's delta)."""
    cg_max_steps: int = 15
    """Steps of the conjugate gradient method that finds the policy's direction."""
    cg_damping: float = 0.1
    """Added to the diagonal of the Fisher matrix."""
    n_critic_updates: int = 10
    """Passes over each rollout for the value function."""
    net_arch: tuple[int, ...] = (64, 64)
    """Units of the policy's hidden layers, and of the value function's."""

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two updates."""
        return self.n_envs * self.n_steps

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of sb3-contrib's `TRPO`."""
        return {
            "learning_rate": learning_rate(self.learning_rate, self.anneal_lr),
            "n_steps": self.n_steps,
            "batch_size": self.batch_size,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "target_kl": self.target_kl,
            "cg_max_steps": self.cg_max_steps,
            "cg_damping": self.cg_damping,
            "n_critic_updates": self.n_critic_updates,
        }


@register_algorithm("trpo")
class TRPO(Algorithm):
    """Trust region policy optimization."""

    settings = TRPOSettings
    actions = ("discrete", "continuous")
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": TRPOSettings(),
        "pixels": TRPOSettings(net_arch=()),  # linear heads on NatureCNN, as in PPO
        "state": TRPOSettings(net_arch=(256, 256)),
    }

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return sb3-contrib's `TRPO`."""
        return contrib_class("TRPO")
