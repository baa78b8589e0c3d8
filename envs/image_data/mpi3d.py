"""MPI3D (Gondal et al. 2019, arXiv 1906.03292): a robot arm with an object, drawn or photographed."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from darla.envs.image_data.stored_images import StoredImages, existing, npz_member

_SOURCE = "https://github.com/rr-learning/disentanglement_dataset (mpi3d_toy, mpi3d_realistic or mpi3d_real, .npz)"
NAMES = (
    "object_color",
    "object_shape",
    "object_size",
    "camera_height",
    "background_color",
    "horizontal_axis",
    "vertical_axis",
)
SIZES = (6, 6, 2, 3, 3, 40, 40)
"""Of the toy, realistic and real sets; the set with complex objects has 4 colors and 4 shapes."""


def mpi3d(path: Path | str, *, factor_sizes: Sequence[int] = SIZES) -> StoredImages:
    """Open MPI3D: uint8 (N, 64, 64, 3). Takes 12.7 GB of memory.

    Args:
        path: the npz file.
        factor_sizes: of the set; `(4, 4, 2, 3, 3, 40, 40)` for `mpi3d_real_complex`.

    Raises:
        InputError: the file is missing (the message says where to download it), damaged, or of another size.
    """
    path = existing(path, "MPI3D", _SOURCE)
    images = npz_member(path, "images", "MPI3D")
    reopen = partial(mpi3d, path, factor_sizes=factor_sizes)
    return StoredImages("mpi3d", NAMES, factor_sizes, images, path, reopen=reopen)
