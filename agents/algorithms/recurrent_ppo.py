"""PPO with an LSTM, which remembers earlier steps of an episode: sb3-contrib's `RecurrentPPO`.

Hausknecht & Stone 2015, https://arxiv.org/abs/1507.06527, for why; what an image does not show has to be remembered.
While it acts, each episode has its own row of the LSTM's state, which begins with zeros.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from darla.agents.algorithms.contrib import contrib_class
from darla.agents.algorithms.ppo import PPO, PPOSettings
from darla.agents.algorithms.registry import Memory, is_size, register_algorithm
from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor
    from torch.distributions import Distribution


@dataclass(frozen=True)
class RecurrentPPOSettings(PPOSettings):
    """Hyperparameters of PPO with an LSTM: those of PPO, and the width of the LSTM. They were not searched."""

    lstm_hidden_size: int = 128
    """Units of the LSTM; the value function has one of its own (RL Zoo's Atari setting: 128)."""


@dataclass
class LSTMState:
    """The state of the policy's LSTM in n episodes."""

    hidden: "Tensor"
    """(layers, n, units)."""
    cell: "Tensor"
    """(layers, n, units)."""

    def forget(self, rows: Sequence[int]) -> None:
        """Begin new episodes in some rows."""
        import torch

        with torch.inference_mode():  # in which the state was computed
            self.hidden[:, rows] = 0
            self.cell[:, rows] = 0


@register_algorithm("recurrent_ppo")
class RecurrentPPO(PPO):
    """Proximal policy optimization with an LSTM."""

    settings = RecurrentPPOSettings
    is_recurrent = True
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]] = {
        "latents": RecurrentPPOSettings(),
        "pixels": RecurrentPPOSettings(net_arch=()),  # linear heads on the LSTM
        "state": RecurrentPPOSettings(),
    }
    # Estimated, not measured.
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 250.0, "pixels": 150.0, "state": 250.0}

    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return sb3-contrib's `RecurrentPPO`."""
        return contrib_class("RecurrentPPO")

    def policy_name(self, shape: tuple[int, ...]) -> str:
        """Return sb3-contrib's name of the policy for an observation of this shape."""
        return "CnnLstmPolicy" if len(shape) == 3 else "MlpLstmPolicy"

    def architecture(self, settings: AlgorithmSettings) -> dict[str, Any]:
        """Return hidden layers and width of the LSTM."""
        units = getattr(settings, "lstm_hidden_size", RecurrentPPOSettings.lstm_hidden_size)
        return {**super().architecture(settings), "lstm_hidden_size": units}

    def check_architecture(self, architecture: Mapping[str, Any], inputs: int, n_actions: int) -> None:
        """Check sizes that were read from a file; see `Algorithm.check_architecture`."""
        self.check_fields(architecture, ("net_arch", "lstm_hidden_size"))
        if not is_size(architecture["lstm_hidden_size"]):
            raise InputError(
                f"lstm_hidden_size must be a positive whole number, not {architecture['lstm_hidden_size']!r}"
            )
        self.check_layers(architecture["net_arch"])

    def new_memory(self, policy: "BasePolicy", n: int) -> Memory:
        """Return LSTM states of zeros."""
        import torch

        layers, _, units = policy.lstm_hidden_state_shape  # type: ignore[misc]
        zeros = torch.zeros(layers, n, units, device=policy.device)
        return LSTMState(zeros, zeros.clone())

    def distribution(self, policy: "BasePolicy", observations: "Tensor", memory: Memory | None) -> "Distribution":
        """Return what actions are drawn from, and advance the LSTM by a step."""
        assert isinstance(memory, LSTMState)
        starts = observations.new_zeros(len(observations))  # `forget` has cleared the rows where an episode begins
        act: Any = policy.get_distribution
        distribution, (memory.hidden, memory.cell) = act(observations.float(), (memory.hidden, memory.cell), starts)
        inner: Distribution = distribution.distribution
        return inner
