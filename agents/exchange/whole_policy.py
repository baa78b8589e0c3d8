"""An agent as one network from images to actions: encoder and policy together."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from darla.agents.agent import Agent
from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.fine_tuning import copy_encoder_into, encoder_network
from darla.agents.policy_io import PolicyDescription
from darla.common import Artefact, InputError

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy


def whole_policy(agent: Agent, encoder: Artefact | None) -> "tuple[PolicyDescription, BasePolicy]":
    """Return a policy that reads images, or the state, and holds the encoder of an agent on codes.

    Args:
        agent: a trained agent.
        encoder: the artefact of its frozen encoder; None without one.

    Returns:
        Its description, of an agent with an encoder as of a policy whose encoder was trained with it, and the policy in
        evaluation mode, on the CPU, in float32.

    Raises:
        InputError: it stacks codes, whose first are zeros and not codes of images, or its encoder cannot be a part of
            the policy.
    """
    description, policy = agent.description, agent.policy
    if agent.encoder is None:
        if description.precision is None:
            return description, policy
        plain = replace(description, precision=None)
        built = plain.build()
        built.load_state_dict(policy.state_dict())
        built.set_training_mode(False)
        return plain, built
    assert encoder is not None, "an agent on codes has an encoder"
    if not ALGORITHMS[description.algorithm].uses_gradients:
        raise InputError(f"a policy of {description.algorithm!r} is a table of codes, and cannot hold an encoder")
    if description.frame_stack > 1:
        raise InputError(
            f"an agent that stacks {description.frame_stack} codes cannot become one network: at the beginning of an "
            "episode the stack holds zeros, which are the code of no image; train it with frame_stack=1"
        )
    whole = replace(description, observation="pixels", latent_dim=None, precision=None, vision=encoder_network(encoder))
    built = whole.build()
    ours = policy.state_dict()
    state = built.state_dict()
    if left := sorted(ours.keys() - state.keys()):
        raise InputError(f"a policy of {description.algorithm!r} cannot hold an encoder: it has no {left[0]!r} then")
    with torch.no_grad():
        for name, tensor in ours.items():
            state[name].copy_(tensor)
    copy_encoder_into(built, agent.encoder.model)
    built.set_training_mode(False)
    return whole, built
