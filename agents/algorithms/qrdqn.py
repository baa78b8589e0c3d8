"""DQN by quantile regression (Dabney et al. 2018, https://arxiv.org/abs/1710.10044), sb3-contrib's `QRDQN`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.contrib import contrib_class
from darla.agents.algorithms.dqn import DQN, DQNSettings
from darla.agents.algorithms.off_policy import IMAGES_IN_REPLAY
from darla.agents.algorithms.registry import is_size, register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor


@dataclass(frozen=True)
class QRDQNSettings(DQNSettings):
    """Hyperparameters of QR-DQN: those of DQN, and the number of quantiles. They were not searched."""

    n_quantiles: int = 50
    """Quantiles of each action's return that are learned (sb3-contrib's default: 200; 50 are four times as fast)."""


@register_algorithm("qrdqn")
class QRDQN(DQN):
    """DQN by quantile regression."""

    settings = QRDQNSettings
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": QRDQNSettings(),
        "pixels": QRDQNSettings(net_arch=(), buffer_size=IMAGES_IN_REPLAY),
        "state": QRDQNSettings(net_arch=(256, 256)),
    }
    # Estimated, not measured.
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 600.0, "pixels": 70.0, "state": 600.0}

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return sb3-contrib's `QRDQN`."""
        return contrib_class("QRDQN")

    def architecture(self, settings: AlgorithmSettings) -> dict[str, Any]:
        """Return hidden layers and number of quantiles."""
        quantiles = getattr(settings, "n_quantiles", QRDQNSettings.n_quantiles)
        return {**super().architecture(settings), "n_quantiles": quantiles}

    def check_architecture(self, architecture: Mapping[str, Any], inputs: int, n_actions: int) -> None:
        """Check sizes that were read from a file; see `Algorithm.check_architecture`."""
        self.check_fields(architecture, ("net_arch", "n_quantiles"))
        if not is_size(architecture["n_quantiles"]):
            raise InputError(f"n_quantiles must be a positive whole number, not {architecture['n_quantiles']!r}")
        self.check_layers(architecture["net_arch"])

    def action_values(self, policy: "BasePolicy", observations: "Tensor") -> "Tensor":
        """Return the means of the quantiles of the online network."""
        values: Tensor = policy.quantile_net(observations).mean(dim=1)  # type: ignore[operator]
        return values

    def network(self, policy: "BasePolicy") -> Any:
        """Return the online network."""
        return policy.quantile_net
