"""Check that an environment has the spaces that agents need, and report in one sentence if it has not."""

import numpy as np
from gymnasium import spaces

from darla.agents.actions import check_actions
from darla.common import InputError


def check_spaces(observation_space: spaces.Space[object], action_space: spaces.Space[object], who: str) -> None:
    """Check that an environment shows uint8 images (height, width, channel) and takes actions that agents can choose.

    Args:
        observation_space: of a single environment.
        action_space: of a single environment.
        who: the environment, as the error names it.

    Raises:
        InputError: it does not.
    """
    need = f"{who} cannot be used: observations must be uint8 images (height, width, channels) from 0 to 255"
    if not isinstance(observation_space, spaces.Box):
        raise InputError(f"{need}, and these are {_describe(observation_space)}")
    shape = observation_space.shape
    if len(shape) != 3 or observation_space.dtype != np.uint8:
        raise InputError(f"{need}, and these are {_describe(observation_space)}")
    if min(shape[:2]) <= shape[2]:
        hint = ' (channels first? write "channels_first": true into the task)' if shape[0] < min(shape[1:]) else ""
        raise InputError(f"{need}, and these have shape {shape}{hint}")
    if np.any(observation_space.low != 0) or np.any(observation_space.high != 255):
        raise InputError(f"{need}, and these have other bounds: {observation_space}")
    check_actions(action_space, who)


def image_shape(space: spaces.Space[object]) -> tuple[int, int, int]:
    """Return (height, width, channels) of a checked observation space."""
    assert space.shape is not None
    height, width, channels = space.shape
    return height, width, channels


def _describe(space: spaces.Space[object]) -> str:
    if isinstance(space, spaces.Box):
        return f"a {space.dtype} array of shape {space.shape}"
    return f"a {type(space).__name__} space"
