"""dSprites from its authors' file; `darla.envs.image_data.sprites` draws the same images without it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from darla.envs.image_data.sprites import Sprites
from darla.envs.image_data.stored_images import StoredImages, existing, npz_member

_SOURCE = "https://github.com/google-deepmind/dsprites-dataset (dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz)"


def dsprites(path: Path | str, *, factor_sizes: Sequence[int] = Sprites.factor_sizes) -> StoredImages:
    """Open dSprites (Matthey et al. 2017): uint8 (N, 64, 64, 1), 0 or 255. Takes 3 GB of memory.

    The file may hold 0 and 1, as the published one does, or gray values up to 255.

    Args:
        path: the npz file.
        factor_sizes: of a file in the same form with fewer values.

    Raises:
        InputError: the file is missing (the message says where to download it), damaged, or of another size.
    """
    path = existing(path, "dSprites", _SOURCE)
    images = npz_member(path, "imgs", "dSprites")
    # The published file holds 0 and 1; others in its form hold 0 and 255.
    scale = 255 if images.dtype == np.uint8 and images.size and images.max() == 1 else 1
    reopen = partial(dsprites, path, factor_sizes=factor_sizes)
    return StoredImages("dsprites", Sprites.factor_names, factor_sizes, images, path, scale=scale, reopen=reopen)
