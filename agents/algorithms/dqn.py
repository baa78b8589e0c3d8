"""Deep Q-network (Mnih et al. 2015, https://www.nature.com/articles/nature14236), SB3's `DQN`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.off_policy import IMAGES_IN_REPLAY, ReplayAlgorithm, ReplaySettings
from darla.agents.algorithms.registry import register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation, learning_rate

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor


@dataclass(frozen=True)
class DQNSettings(ReplaySettings):
    """Hyperparameters of DQN.

    Discount and number of environments are those of PPO; the rest starts from RL Zoo's Atari settings, with schedules
    for a run of 80,000 environment steps, and was not searched. It learns SeekAvoid.
    """

    algorithm = "DQN"
    learning_rate: float = 5e-4
    """Adam's step size at the start of training."""
    anneal_lr: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step."""
    buffer_size: int = 50_000
    """Transitions kept for replay, over all environments."""
    learning_starts: int = 2_000
    """Environment steps of random actions before the first update."""
    batch_size: int = 128
    """Transitions in an update."""
    train_freq: int = 1
    """Vectorized steps between two rounds of updates; each is `n_envs` environment steps."""
    gradient_steps: int = 2
    """Updates in a round."""
    target_update_interval: int = 1_000
    """Environment steps between two copies of the network to the target network (RL Zoo's Atari setting)."""
    exploration_fraction: float = 0.3
    """Fraction of the run over which the probability of a random action falls from 1."""
    exploration_final_eps: float = 0.05
    """Probability of a random action after that; also when a trained agent acts stochastically (SB3's default)."""
    max_grad_norm: float = 10.0
    """Gradient norm above which the gradient is scaled down (SB3's default)."""
    net_arch: tuple[int, ...] = (128, 128)
    """Units of the Q-network's hidden layers."""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of SB3's `DQN`."""
        return {
            "learning_rate": learning_rate(self.learning_rate, self.anneal_lr),
            "gamma": self.gamma,
            "buffer_size": self.buffer_size,
            "learning_starts": self.learning_starts,
            "batch_size": self.batch_size,
            "train_freq": self.train_freq,
            "gradient_steps": self.gradient_steps,
            "target_update_interval": self.target_update_interval,
            "exploration_fraction": self.exploration_fraction,
            "exploration_final_eps": self.exploration_final_eps,
            "max_grad_norm": self.max_grad_norm,
        }


@register_algorithm("dqn")
class DQN(ReplayAlgorithm):
    """Deep Q-network."""

    settings = DQNSettings
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": DQNSettings(),
        "pixels": DQNSettings(net_arch=(), buffer_size=IMAGES_IN_REPLAY),  # a linear head on NatureCNN
        "state": DQNSettings(net_arch=(256, 256)),
    }
    value_based = True
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 810.0, "pixels": 75.0, "state": 810.0}

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return SB3's `DQN`."""
        import stable_baselines3

        return stable_baselines3.DQN

    def exploration(self, settings: AlgorithmSettings) -> float:
        """Return the probability of a random action at the end of training."""
        return float(getattr(settings, "exploration_final_eps", 0.0))

    def action_values(self, policy: "BasePolicy", observations: "Tensor") -> "Tensor":
        """Return the values of the online network; the policy holds the target network beside it."""
        values: Tensor = policy.q_net(observations)  # type: ignore[operator]
        return values

    def network(self, policy: "BasePolicy") -> Any:
        """Return the online network."""
        return policy.q_net
