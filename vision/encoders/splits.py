"""Which frames are trained on, which are held out, and which of each are measured."""

from typing import Any

import numpy as np

from darla.common import InputError, rng_for

Array = np.ndarray[Any, Any]
_PROBED = 8192
"""Frames, at most, to fit probes on, and to score them on."""


def split(frames: int, held_out: float, seed: int) -> tuple[Array, Array]:
    """Split frame indices into those to train on and those held out, at least one each.

    Raises:
        InputError: there are fewer than two frames.
    """
    if frames < 2:
        raise InputError(f"at least 2 frames are needed to learn to see, not {frames}")
    order = rng_for(seed, "held out").permutation(frames)
    count = min(max(1, round(held_out * frames)), frames - 1)
    return np.sort(order[count:]), order[:count]


def subsample(rows: Array, count: int, seed: int) -> Array:
    """Return `count` of the rows in ascending order, or all where there are no more."""
    if len(rows) <= count:
        return rows
    return np.sort(rng_for(seed, "statistics").choice(rows, count, replace=False))


def probe_rows(rows: Array, held_out: Array, seed: int) -> tuple[Array, Array]:
    """Return the frames for probes, and for each whether it is held out (scored) or not (fitted on)."""
    fitted, scored = subsample(rows, _PROBED, seed), held_out[:_PROBED]
    return np.concatenate([fitted, scored]), np.repeat([False, True], [len(fitted), len(scored)])
