"""Arrays as they come from anybody, checked: numpy or torch, any dtype that holds real numbers, finite throughout."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError

LARGEST = 1e60
"""Numbers above overflow when sums of their fourth powers are taken in double precision; float32 stays below."""


def is_whole(value: Any) -> bool:
    """Say whether a value is a whole number, and not a truth value."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def wide(device: torch.device) -> torch.dtype:
    """Return the widest floating-point type of a device: Apple's GPUs have no double precision."""
    return torch.float32 if device.type == "mps" else torch.float64


def numbers(given: Any, name: str, dimensions: int | None) -> Tensor:
    """Return finite numbers as int64, float32 or float64, where they are.

    Args:
        given: numpy array, tensor, or nested sequence.
        name: what to call it in an error.
        dimensions: how many it must have; any if None.

    Raises:
        InputError: something else than finite real numbers of moderate size, or another number of dimensions.
    """
    try:
        found = given.detach() if isinstance(given, Tensor) else np.asarray(given)
    except ValueError as error:
        raise InputError(f"{name} must be one array of numbers, not rows of several lengths") from error
    if isinstance(found, np.ndarray):
        if found.dtype.kind not in "biuf":
            raise InputError(f"{name} must be numbers, not {found.dtype}")
        if found.dtype.kind == "u" and found.size and found.max() > np.iinfo(np.int64).max:
            raise InputError(f"{name} must fit 64 bits with a sign, not {found.max()}")
        kind = np.int64 if found.dtype.kind in "biu" else np.float32 if found.dtype.itemsize <= 4 else np.float64
        with np.errstate(over="ignore"):
            found = torch.from_numpy(np.array(found, dtype=kind, order="C"))
    elif found.is_complex() or found.is_quantized:
        raise InputError(f"{name} must be real numbers, not {found.dtype}")
    elif not found.is_floating_point():
        found = found.to(torch.int64)
    elif found.dtype not in (torch.float32, torch.float64):
        found = found.to(torch.float32)
    if dimensions is not None and found.ndim != dimensions:
        raise InputError(f"{name} must be of shape (rows, columns), not {tuple(found.shape)}")
    if found.is_floating_point() and found.numel():
        if not bool(torch.isfinite(found).all()):
            raise InputError(f"{name} must be finite numbers, without NaN or infinity")
        if float(found.abs().max()) > LARGEST:
            raise InputError(f"{name} must be at most {LARGEST:g} in size, not {float(found.abs().max()):g}")
    return found


def same_rows(found: Tensor, name: str, count: int) -> None:
    """Refuse an array with another number of rows than the codes.

    Raises:
        InputError: naming the array and both numbers.
    """
    if len(found) != count:
        raise InputError(f"{name} must have {count} rows, as many as there are codes, not {len(found)}")
