"""Model-free episodic control as darla's configurations name it: `mfec`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.registry import Algorithm, is_size, register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor

_MAX_NUMBERS = 1 << 30
"""Largest table and projection that a file may ask for, in numbers of four bytes."""


@dataclass(frozen=True)
class MFECSettings(AlgorithmSettings):
    """Hyperparameters of model-free episodic control (Blundell et al. 2016, https://arxiv.org/abs/1606.04460).

    How the defaults were searched for, and the paper's values: docs/episodic_control.md.
    """

    gamma: float = 0.9
    """Discount per environment step (the paper's foraging tasks: 0.99)."""
    neighbors: int = 50
    """k, the entries whose values are averaged for a new state (the paper's foraging tasks: 50)."""
    capacity: int = 20_000
    """Entries of each action; the least recently updated one is replaced (the paper's foraging tasks: 100,000)."""
    bootstrap: bool = True
    """Whether the return of an episode that a time limit cuts off continues with the value of its last state. The paper
    treats every end of an episode as final."""
    exploration_fraction: float = 0.1
    """Fraction of the run over which the probability of a random action falls from 1."""
    exploration_final_eps: float = 0.05
    """Probability of a random action after that (the paper: 0.005 from the first step); also when a trained agent acts
    stochastically."""
    projection: int | None = None
    """Size of the Gaussian random projection of an observation; None takes codes as they are."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.capacity < self.neighbors:
            raise InputError(f"MFEC's capacity {self.capacity} must hold its {self.neighbors} neighbors")

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `EpisodicControl`."""
        return {
            "gamma": self.gamma,
            "bootstrap": self.bootstrap,
            "exploration_fraction": self.exploration_fraction,
            "exploration_final_eps": self.exploration_final_eps,
        }


@register_algorithm("mfec")
class MFEC(Algorithm):
    """Model-free episodic control."""

    settings = MFECSettings
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": MFECSettings(),
        "pixels": MFECSettings(projection=64),  # the paper's size
        "state": MFECSettings(),
    }
    value_based = True
    uses_gradients = False
    log_interval_is_in_episodes = True
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 1_090.0, "pixels": 1_190.0, "state": 1_090.0}

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return `EpisodicControl`, which is a subclass of SB3's `OffPolicyAlgorithm`."""
        from darla.agents.algorithms.episodic_control.algorithm import EpisodicControl

        return EpisodicControl

    def exploration(self, settings: AlgorithmSettings) -> float:
        """Return the probability of a random action at the end of training."""
        assert isinstance(settings, MFECSettings)
        return settings.exploration_final_eps

    def architecture(self, settings: AlgorithmSettings) -> dict[str, Any]:
        """Return the sizes of the table and of the projection; there are no layers."""
        assert isinstance(settings, MFECSettings)
        return {
            "capacity": settings.capacity,
            "neighbors": settings.neighbors,
            "projection": settings.projection,
        }

    def check_architecture(self, architecture: Mapping[str, Any], inputs: int, n_actions: int) -> None:
        """Check the sizes of a table that was read from a file; see `Algorithm.check_architecture`."""
        self.check_fields(architecture, ("capacity", "neighbors", "projection"))
        capacity, neighbors, projection = (architecture[name] for name in ("capacity", "neighbors", "projection"))
        sizes = [neighbors] if projection is None else [neighbors, projection]
        if not isinstance(capacity, int) or isinstance(capacity, bool) or not all(is_size(size) for size in sizes):
            raise InputError("the sizes of an episodic memory must be positive whole numbers")
        numbers = n_actions * capacity * (projection or inputs) + inputs * (projection or 0)
        if not neighbors <= capacity or numbers > _MAX_NUMBERS:
            raise InputError(
                f"an episodic memory must hold at least its {neighbors} neighbors and, with its projection, at most"
                f" {_MAX_NUMBERS} numbers, but its capacity is {capacity}"
            )

    def action_values(self, policy: "BasePolicy", observations: "Tensor") -> "Tensor":
        """Return the values in the table."""
        values: Tensor = policy.q_values(observations)  # type: ignore[operator]
        return values
