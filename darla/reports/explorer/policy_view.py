"""What an agent would do about a code: the probability or value of each action, and the value of the state."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from darla.agents import Agent
from darla.agents.algorithms.registry import ALGORITHMS
from darla.common import InputError
from darla.vision import VisionModel

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ActionChoice:
    """What a policy makes of one code."""

    actions: tuple[float | None, ...]
    """Of each action its probability; of a value-based algorithm its value, None for one that is unbounded."""
    value: float | None
    """Estimated return from here; None where the policy does not estimate it."""


class PolicyView:
    """The policy of an agent on codes.

    Args:
        agent: with a frozen encoder.

    Raises:
        InputError: the agent has none, gives no probabilities of actions, or remembers earlier codes.
    """

    def __init__(self, agent: Agent) -> None:
        if agent.encoder is None:
            on = {"pixels": "images", "state": "the ground-truth state"}.get(agent.description.observation, "images")
            raise InputError(f"the agent acts on {on} and has no frozen encoder, so it has no latents to explore")
        self._agent, self._encoder = agent, agent.encoder
        self._algorithm = ALGORITHMS[agent.description.algorithm]
        if self._algorithm.is_recurrent or self._algorithm.by_prediction or agent.description.action_bounds is not None:
            what = "remembers earlier codes" if self._algorithm.is_recurrent else "gives no probabilities of actions"
            raise InputError(f"the agent {what}, and only choices for single codes can be shown; explore its encoder")

    @property
    def model(self) -> VisionModel:
        """The model of its encoder."""
        return self._encoder.model

    @property
    def n_actions(self) -> int:
        """How many actions it chooses from."""
        return self._agent.n_actions

    @property
    def frame_stack(self) -> int:
        """Successive codes that the policy observes; the explorer gives it one code that many times."""
        return self._agent.description.frame_stack

    @property
    def is_value_based(self) -> bool:
        """Whether actions have values and not probabilities."""
        return self._algorithm.value_based

    @torch.inference_mode()
    def choose(self, code: Array) -> ActionChoice:
        """Return what the policy makes of a code (D,), not normalized."""
        tensor = torch.as_tensor(code[None], dtype=torch.float32, device=self._encoder.device)
        normalized = self.model.normalize(tensor).cpu().numpy()
        inputs, _ = self._agent.policy.obs_to_tensor(np.tile(normalized, (1, self.frame_stack)))
        observations = cast(torch.Tensor, inputs)  # a dictionary only for Dict spaces, which darla refuses
        if self.is_value_based:
            values = self._algorithm.action_values(self._agent.policy, observations)[0].tolist()
            finite = tuple(value if np.isfinite(value) else None for value in values)
            return ActionChoice(finite, max((value for value in finite if value is not None), default=None))
        chosen_from: Any = self._algorithm.distribution(self._agent.policy, observations, None)
        probabilities = chosen_from.probs[0]
        estimate = getattr(self._agent.policy, "predict_values", None)
        value = None if estimate is None else float(estimate(observations)[0])
        return ActionChoice(tuple(probabilities.tolist()), value)
