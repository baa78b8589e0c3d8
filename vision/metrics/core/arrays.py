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


def check_dense(given: Any, name: str) -> None:
    """Refuse tensors that do not lie in memory as numbers side by side.

    Raises:
        InputError: a tensor that is nested, sparse or on the meta device.
    """
    if isinstance(given, Tensor) and (given.is_meta or given.is_nested or given.layout != torch.strided):
        form = "a tensor without values" if given.is_meta else "a nested tensor" if given.is_nested else given.layout
        raise InputError(f"{name} must be a dense array of numbers, not {form}")


def numbers(given: Any, name: str, dimensions: int | None) -> Tensor:
    """Return finite numbers as int64, float32 or float64, where they are.

    Args:
        given: numpy array, tensor, or nested sequence.
        name: what to call it in an error.
        dimensions: how many it must have; any if None.

    Raises:
        InputError: something else than finite real numbers of moderate size, or another number of dimensions.
    """
    check_dense(given, name)
    if np.ma.is_masked(given):
        raise InputError(f"{name} has masked values, which a score cannot leave out; give the rows that have none")
    try:
        array = given.detach() if isinstance(given, Tensor) else np.asarray(given)
    except ValueError as error:
        raise InputError(f"{name} must be one array of numbers, not rows of several lengths") from error
    if isinstance(array, np.ndarray):
        if array.dtype.kind not in "biuf":
            raise InputError(f"{name} must be numbers, not {array.dtype}")
        if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
            raise InputError(f"{name} must fit 64 bits with a sign, not {array.max()}")
        kind = np.int64 if array.dtype.kind in "biu" else np.float32 if array.dtype.itemsize <= 4 else np.float64
        with np.errstate(over="ignore"):
            array = torch.from_numpy(np.array(array, dtype=kind, order="C"))
    elif array.is_complex() or array.is_quantized:
        raise InputError(f"{name} must be real numbers, not {array.dtype}")
    elif not array.is_floating_point():
        array = array.to(torch.int64)
    elif array.dtype not in (torch.float32, torch.float64):
        array = array.to(torch.float32)
    if dimensions is not None and array.ndim != dimensions:
        raise InputError(f"{name} must be of shape (rows, columns), not {tuple(array.shape)}")
    if array.is_floating_point() and array.numel():
        if not bool(torch.isfinite(array).all()):
            raise InputError(f"{name} must be finite numbers, without NaN or infinity")
        if float(array.abs().max()) > LARGEST:
            raise InputError(f"{name} must be at most {LARGEST:g} in size, not {float(array.abs().max()):g}")
    return array


def same_rows(array: Tensor, name: str, count: int) -> None:
    """Refuse an array with another number of rows than the codes.

    Raises:
        InputError: naming the array and both numbers.
    """
    if len(array) != count:
        raise InputError(f"{name} must have {count} rows, as many as there are codes, not {len(array)}")
