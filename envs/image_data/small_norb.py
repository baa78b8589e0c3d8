"""SmallNORB (LeCun et al. 2004): toys from many viewpoints in six lightings, from its authors' binary files."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.envs.image_data.stored_images import SIDE, StoredImages, existing, resized

_SOURCE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small (the six -dat, -cat and -info .mat files, unpacked)"
NAMES = ("category", "instance", "elevation", "azimuth", "lighting")
SIZES = (5, 10, 9, 18, 6)
_PARTS = ("smallnorb-5x46789x9x18x6x2x96x96-training", "smallnorb-5x01235x9x18x6x2x96x96-testing")
_TYPES: dict[int, np.dtype[Any]] = {0x1E3D4C55: np.dtype("u1"), 0x1E3D4C54: np.dtype("<i4")}
"""Number at the head of a file that names the type of its values."""


def small_norb(folder: Path | str, *, factor_sizes: Sequence[int] = SIZES) -> StoredImages:
    """Open SmallNORB: uint8 (N, 64, 64, 1), the left camera's images, reduced from 96 x 96 pixels.

    Training and testing set are put together, as together they hold every combination. Takes 0.2 GB of memory.

    Args:
        folder: holds the six files.
        factor_sizes: of files in the same form with fewer values.

    Raises:
        InputError: a file is missing (the message says where to download it), damaged, or of another size, or a
            combination occurs twice or never.
    """
    folder = existing(folder, "SmallNORB", _SOURCE)
    sizes = tuple(factor_sizes)
    count = math.prod(sizes)
    images, counts = np.zeros((count, SIDE, SIDE, 1), np.uint8), np.zeros(count, np.int64)
    for part in _PARTS:
        files = [existing(folder / f"{part}-{what}.mat", "SmallNORB", _SOURCE) for what in ("dat", "cat", "info")]
        toys, category, info = (_read(file) for file in files)
        if toys.ndim != 4 or category.shape != (len(toys),) or info.shape != (len(toys), 4):
            raise InputError(
                f"{files[0]} and its neighbors hold {toys.shape}, {category.shape} and {info.shape}, "
                "but (n, 2, height, width), (n,) and (n, 4) are needed"
            )
        instance, elevation, azimuth, lighting = info.T
        # Azimuths are numbered 0, 2, ..., 34, in units of ten degrees.
        factors = np.stack([category, instance, elevation, azimuth // 2, lighting], axis=1)
        if (factors < 0).any() or (factors >= sizes).any():
            raise InputError(f"{files[2]} names values outside of {' x '.join(map(str, sizes))}: {factors.max(axis=0)}")
        rows = np.ravel_multi_index(tuple(factors.T), sizes)
        images[rows] = resized(toys[:, 0, :, :, None])
        np.add.at(counts, rows, 1)
    if (counts != 1).any():
        raise InputError(
            f"{folder} holds {int((counts == 0).sum())} of {count} combinations never and {int((counts > 1).sum())} "
            "more than once, but SmallNORB holds each once"
        )
    reopen = partial(small_norb, folder, factor_sizes=factor_sizes)
    return StoredImages("small_norb", NAMES, sizes, images, folder, reopen=reopen)


def _read(path: Path) -> npt.NDArray[Any]:
    """Read a file: a number for the type, the number of sides, at least three sides, and the values."""
    with path.open("rb") as file:
        head = np.fromfile(file, "<i4", 2)
        if len(head) < 2 or int(head[0]) not in _TYPES or not 1 <= head[1] <= 8:
            raise InputError(f"{path} is not a file of SmallNORB: its first bytes name no known type")
        sides = np.fromfile(file, "<i4", max(3, int(head[1])))[: head[1]]
        values = np.fromfile(file, _TYPES[int(head[0])])
    if len(sides) < head[1] or (sides < 1).any() or len(values) != math.prod(sides.tolist()):
        raise InputError(f"{path} is damaged: {len(values)} values are not {sides.tolist()}")
    array: npt.NDArray[Any] = values.reshape(sides)
    return array
