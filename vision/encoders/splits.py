"""Which frames are trained on, which are held out, and which of each are measured."""

from typing import Any

import numpy as np

from darla.common import InputError, rng_for

Array = np.ndarray[Any, Any]
_PROBED = 8192
"""Frames, at most, to fit probes on, and to score them on."""


def split(frames: int, held_out: float, seed: int, unit_size: int = 1) -> tuple[Array, Array]:
    """Split frame indices into those to train on and those held out, at least one unit each.

    Args:
        frames: number of frames.
        held_out: fraction to hold out.
        seed: of the split.
        unit_size: frames that belong together, such as the two of a pair; a multiple of them from the first frame on is
            a unit, and is not divided.

    Raises:
        InputError: there are fewer than two units.
    """
    units = frames // unit_size
    if units < 2:
        what = "frames" if unit_size == 1 else f"units of {unit_size} frames"
        raise InputError(f"at least 2 {what} are needed to learn to see, not {units}")
    order = rng_for(seed, "held out").permutation(units)
    count = min(max(1, round(held_out * units)), units - 1)
    rows = unit_size * order[:, None] + np.arange(unit_size)
    return np.sort(rows[count:].reshape(-1)), rows[:count].reshape(-1)


def subsample(rows: Array, count: int, seed: int) -> Array:
    """Return `count` of the rows in ascending order, or all where there are no more."""
    if len(rows) <= count:
        return rows
    return np.sort(rng_for(seed, "statistics").choice(rows, count, replace=False))


def probe_rows(rows: Array, held_out: Array, seed: int) -> tuple[Array, Array]:
    """Return the frames for probes, and for each whether it is held out (scored) or not (fitted on)."""
    fitted, scored = subsample(rows, _PROBED, seed), held_out[:_PROBED]
    return np.concatenate([fitted, scored]), np.repeat([False, True], [len(fitted), len(scored)])
