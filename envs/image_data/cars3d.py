"""Cars3D (Reed et al. 2015): 183 models of cars from 4 elevations and 24 azimuths, one MATLAB file a car."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import scipy.io

from darla.common import InputError
from darla.envs.image_data.stored_images import SIDE, StoredImages, existing, resized

_SOURCE = "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz (folder data/cars)"
NAMES = ("elevation", "azimuth", "object_type")
SIZES = (4, 24, 183)


def cars3d(folder: Path | str, *, factor_sizes: Sequence[int] = SIZES) -> StoredImages:
    """Open Cars3D: uint8 (N, 64, 64, 3), reduced from 128 x 128 pixels. Takes 0.2 GB of memory.

    Args:
        folder: holds a `.mat` file for each car; in the order of their names they are `object_type` 0, 1, ...
        factor_sizes: of files in the same form with fewer views, or of fewer cars.

    Raises:
        InputError: the folder is missing (the message says where to download it), a file is damaged, or there are more
            or fewer than one for each car.
    """
    folder = existing(folder, "Cars3D", _SOURCE)
    elevations, azimuths, cars = factor_sizes
    files = sorted(folder.glob("*.mat"))
    if len(files) != cars:
        raise InputError(f"{folder} holds {len(files)} .mat files, but Cars3D has {cars}, one for each car")
    images = np.empty((elevations, azimuths, cars, SIDE, SIDE, 3), np.uint8)
    for car, file in enumerate(files):
        try:
            views = scipy.io.loadmat(file)["im"]
        except (OSError, ValueError, KeyError, NotImplementedError) as error:
            raise InputError(f"{file} is not a car of Cars3D: a MATLAB file with 'im' is needed ({error})") from error
        if views.dtype != np.uint8 or views.ndim != 5 or views.shape[2:] != (3, azimuths, elevations):
            raise InputError(
                f"{file} holds {views.dtype} {views.shape}, but a car of Cars3D is uint8 "
                f"(height, width, 3, {azimuths}, {elevations})"
            )
        flat = np.moveaxis(views, (4, 3), (0, 1)).reshape(-1, *views.shape[:3])
        images[:, :, car] = resized(flat).reshape(elevations, azimuths, SIDE, SIDE, 3)
    reopen = partial(cars3d, folder, factor_sizes=factor_sizes)
    return StoredImages("cars3d", NAMES, factor_sizes, images.reshape(-1, SIDE, SIDE, 3), folder, reopen=reopen)
