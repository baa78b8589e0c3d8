"""The base of all algorithms' settings: a frozen dataclass that checks its numbers."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from darla.common import InputError
from darla.common.checked_config import CheckedConfig

Observation = Literal["latents", "pixels", "state"]
"""The input of a policy: codes of a frozen encoder; images, through SB3's NatureCNN or through an encoder that is
fine-tuned; or the ground-truth state of the environment (`darla.envs.state_vector`)."""

Precision = Literal["float32", "bfloat16"]
"""The arithmetic of the layers that read images: of a frozen encoder, or of a policy on pixels. What comes behind them
(head and codes, or the policy's own layers) is float32 either way."""

_MAY_BE_ZERO = {"ent_coef", "vf_coef", "learning_starts", "gae_lambda", "gamma", "exploration_final_eps"}
_AT_MOST_ONE = {"gamma", "gae_lambda", "exploration_fraction", "exploration_final_eps"}


@dataclass(frozen=True)
class AlgorithmSettings(CheckedConfig):
    """Base of every algorithm's hyperparameters. Fields are named as the arguments of the algorithm's SB3 class.

    Numbers must be positive and finite. Coefficients of losses, discounts, `learning_starts` and rates of exploration
    may be zero; discounts and rates are at most 1.

    Raises:
        InputError: a number is outside its range; the message names the field.
    """

    n_envs: int = 8
    """Environments stepped together."""

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "net_arch":
                if any(units < 1 for units in value):
                    raise InputError(f"{owner}.net_arch must hold positive numbers of units, not {value!r}")
            elif isinstance(value, int | float) and not isinstance(value, bool):
                bounded = each.name in _AT_MOST_ONE
                large_enough = value >= 0 if each.name in _MAY_BE_ZERO else value > 0
                if not large_enough or (bounded and value > 1) or value == float("inf"):
                    expected = "between 0 and 1" if bounded else "positive"
                    raise InputError(f"{owner}.{each.name} must be {expected}, not {value!r}")

    @property
    def rollout_steps(self) -> int:
        """Environment steps, over all environments, between two calls of the algorithm's `train`."""
        return self.n_envs

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the SB3 class, those aside that `darla.agents.algorithms.build` gives to all."""
        return {}


def learning_rate(initial: float, anneal: bool) -> Any:
    """Return SB3's `learning_rate`: a constant, or a schedule that falls linearly to zero over the run."""
    from stable_baselines3.common.utils import LinearSchedule

    return LinearSchedule(initial, 0.0, 1.0) if anneal else initial
