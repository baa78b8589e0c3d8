"""3D Shapes (Burgess & Kim 2018): a floor, a wall and an object, in the HDF5 file that its authors publish."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from darla.common import InputError
from darla.envs.image_data.hdf5_rows import HDF5Rows
from darla.envs.image_data.stored_images import StoredImages, existing, kind_of

_SOURCE = "https://github.com/google-deepmind/3d-shapes (3dshapes.h5)"
NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
SIZES = (10, 10, 10, 8, 4, 15)


def shapes3d(path: Path | str, *, factor_sizes: Sequence[int] = SIZES) -> StoredImages:
    """Open 3D Shapes: uint8 (N, 64, 64, 3), read from the file as they are asked for, each of its chunks once.

    Args:
        path: the h5 file.
        factor_sizes: of a file in the same form with fewer values.

    Raises:
        InputError: h5py is not installed, or the file is missing (the message says where to download it), damaged, or
            of another size.
    """
    path = existing(path, "3D Shapes", _SOURCE)
    if (kind := kind_of(path)) != "an HDF5 file":
        raise InputError(f"{path} is not 3D Shapes: an HDF5 file with 'images' is needed, and this is {kind}")
    try:
        import h5py
    except ImportError as error:
        raise InputError("reading 3D Shapes needs h5py; install it with: pip install 'darla[data]'") from error
    try:
        file = h5py.File(path, "r")
        if "images" not in file:
            raise InputError(
                f"{path} is not 3D Shapes: an HDF5 file with 'images' is needed, and this one holds {', '.join(file)}"
            )
        if not isinstance(file["images"], h5py.Dataset):
            raise InputError(f"{path} is not 3D Shapes: its 'images' are a group, not an array")
        images = HDF5Rows(file["images"], path)
    except OSError as error:
        raise InputError(f"{path} is not 3D Shapes: it is damaged: {error}") from error
    reopen = partial(shapes3d, path, factor_sizes=factor_sizes)
    return StoredImages("shapes3d", NAMES, factor_sizes, images, path, reopen=reopen)
