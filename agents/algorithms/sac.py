"""Soft actor-critic (Haarnoja et al. 2018, https://arxiv.org/abs/1812.05905) for continuous actions, SB3's `SAC`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.off_policy import IMAGES_IN_REPLAY, ReplayAlgorithm, ReplaySettings
from darla.agents.algorithms.registry import Memory, register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation, learning_rate

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor
    from torch.distributions import Distribution


@dataclass(frozen=True)
class SACSettings(ReplaySettings):
    """Hyperparameters of SAC.

    Discount and number of environments are those of PPO; the rest are SB3's defaults, with a smaller replay buffer, and
    were not searched.
    """

    algorithm = "SAC"
    learning_rate: float = 3e-4
    """Adam's step size at the start of training, of actor, critics and entropy coefficient."""
    anneal_lr: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step."""
    buffer_size: int = 50_000
    """Transitions kept for replay, over all environments."""
    learning_starts: int = 1_000
    """Environment steps of random actions before the first update."""
    batch_size: int = 256
    """Transitions in an update."""
    train_freq: int = 1
    """Vectorized steps between two rounds of updates; each is `n_envs` environment steps."""
    gradient_steps: int = 4
    """Updates in a round; SB3 recommends as many as environment steps between rounds, at most."""
    tau: float = 0.005
    """Share of the critics that is copied to their targets at every update."""
    ent_coef: float | None = None
    """Weight of the policy's entropy in its reward; None learns it, as in the paper's second version."""
    net_arch: tuple[int, ...] = (256, 256)
    """Units of the hidden layers of the actor, and of each of the two critics."""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of SB3's `SAC`."""
        return {
            "learning_rate": learning_rate(self.learning_rate, self.anneal_lr),
            "gamma": self.gamma,
            "buffer_size": self.buffer_size,
            "learning_starts": self.learning_starts,
            "batch_size": self.batch_size,
            "train_freq": self.train_freq,
            "gradient_steps": self.gradient_steps,
            "tau": self.tau,
            "ent_coef": "auto" if self.ent_coef is None else self.ent_coef,
        }


@register_algorithm("sac")
class SAC(ReplayAlgorithm):
    """Soft actor-critic."""

    settings = SACSettings
    actions = ("continuous",)
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": SACSettings(),
        "pixels": SACSettings(buffer_size=IMAGES_IN_REPLAY),
        "state": SACSettings(),
    }
    # Estimated, not measured.
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 250.0, "pixels": 20.0, "state": 250.0}

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return SB3's `SAC`."""
        import stable_baselines3

        return stable_baselines3.SAC

    def distribution(self, policy: "BasePolicy", observations: "Tensor", memory: Memory | None) -> "Distribution":
        """Return the actor's normal distribution, before it is squashed."""
        from torch.distributions import Normal

        actor: Any = policy.actor
        mean, log_deviation, _ = actor.get_action_dist_params(observations)
        return Normal(mean, log_deviation.exp())

    def network(self, policy: "BasePolicy") -> Any:
        """Return the actor."""
        return policy.actor
