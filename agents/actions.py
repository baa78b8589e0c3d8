"""What a policy chooses from: n discrete actions, or vectors of numbers between bounds."""

from typing import Any

import numpy as np
from gymnasium import spaces

from darla.common import InputError

Bounds = tuple[tuple[float, ...], tuple[float, ...]]
"""Least and largest value of each number of a continuous action."""
Actions = np.ndarray[Any, Any]
"""int64 (n,), or of continuous actions float32 (n, A)."""


def check_actions(space: spaces.Space[Any], who: str) -> None:
    """Check that an action space is one that agents can choose from.

    Args:
        space: of a single environment.
        who: the environment, as the error names it.

    Raises:
        InputError: it is neither Discrete from 0 on, nor a Box of vectors with finite bounds.
    """
    if isinstance(space, spaces.Box):
        if len(space.shape) != 1 or not np.issubdtype(space.dtype, np.floating):
            raise InputError(
                f"{who} cannot be used: continuous actions must be vectors of floats, and its action space is {space}"
            )
        if not (np.isfinite(space.low).all() and np.isfinite(space.high).all() and (space.low < space.high).all()):
            raise InputError(
                f"{who} cannot be used: continuous actions need finite bounds, and those of {space} are not"
            )
    elif not isinstance(space, spaces.Discrete):
        raise InputError(
            f"{who} cannot be used: agents take one of n discrete actions, or a vector of numbers (Box), and its action"
            f" space is {space}"
        )
    elif space.start != 0:
        raise InputError(f"{who} cannot be used: its actions start at {space.start}, and must start at 0")


def count(space: spaces.Space[Any]) -> int:
    """Return the number of discrete actions, or of the numbers in a continuous one."""
    if isinstance(space, spaces.Box):
        return int(space.shape[0])
    assert isinstance(space, spaces.Discrete), "make_vec refuses other action spaces"
    return int(space.n)


def bounds_of(space: spaces.Space[Any]) -> Bounds | None:
    """Return the bounds of continuous actions; None for discrete ones."""
    if not isinstance(space, spaces.Box):
        return None
    return tuple(map(float, space.low)), tuple(map(float, space.high))


def action_space(n_actions: int, bounds: Bounds | None) -> spaces.Discrete | spaces.Box:
    """Return the action space that `count` and `bounds_of` describe."""
    if bounds is None:
        return spaces.Discrete(n_actions)
    low, high = (np.asarray(end, np.float32) for end in bounds)
    return spaces.Box(low, high, dtype=np.float32)


def draw_uniformly(space: spaces.Space[Any], n: int, rng: np.random.Generator) -> Actions:
    """Draw n actions, each with the same probability, row by row."""
    if not isinstance(space, spaces.Box):
        return rng.integers(count(space), size=n, dtype=np.int64)
    drawn = space.low + (space.high - space.low) * rng.random((n, count(space)))
    return np.clip(drawn.astype(np.float32), space.low, space.high)


def in_words(space: spaces.Space[Any]) -> str:
    """Return what there is to choose from, for messages."""
    if isinstance(space, spaces.Box):
        return f"continuous actions of {count(space)} number{'s' * (count(space) != 1)}"
    return f"{count(space)} discrete actions"
