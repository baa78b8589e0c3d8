"""Published ground-truth image data, read from the files of their authors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.envs.image_data.ground_truth import Factors, GroundTruthData, Images
from darla.envs.image_size import fit_images

SIDE = 64
"""Side in pixels that larger images are reduced to, as disentanglement_lib does."""
_KINDS = {
    b"PK\x03\x04": "an npz file",
    b"\x93NUMPY": "an npy file",
    b"\x89HDF": "an HDF5 file",
    b"MATLAB": "a MATLAB file",
    b"\x1f\x8b": "a gzip archive",
}
"""By the first bytes of a file, what it is."""


class StoredImages(GroundTruthData):
    """Images of every combination of factor values, one after the other, the last factor running fastest.

    Args:
        name: what the data are called.
        factor_names: the K factors.
        factor_sizes: how many values each has.
        images: uint8 (N, height, width, channels), or anything that gives such an array for ascending integers.
        where: the file, for messages.
        scale: what a stored value is multiplied with to run to 255.
        reopen: opens the same data again. Another process then gets this and not the images; without it, the images.

    Raises:
        InputError: another number of images than combinations, or no uint8 images.
    """

    def __init__(
        self,
        name: str,
        factor_names: Sequence[str],
        factor_sizes: Sequence[int],
        images: Any,
        where: Path,
        *,
        scale: int = 1,
        reopen: Callable[[], "StoredImages"] | None = None,
    ) -> None:
        self.name, self.factor_names, self.factor_sizes = name, tuple(factor_names), tuple(factor_sizes)
        self._images, self._scale, self._reopen = images, np.uint8(scale), reopen
        shape = tuple(images.shape)
        if len(shape) not in (3, 4) or images.dtype != np.uint8 or shape[0] != len(self):
            sizes = " x ".join(map(str, self.factor_sizes))
            raise InputError(
                f"{where} holds {images.dtype} {shape}, but {name} needs uint8 images of {len(self)} combinations "
                f"({sizes})"
            )
        self.image_shape = (shape[1], shape[2], shape[3] if len(shape) == 4 else 1)

    @property
    def in_memory(self) -> bool:
        """Whether all images are in this process's memory."""
        return isinstance(self._images, np.ndarray)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (self._reopen, ()) if self._reopen is not None else super().__reduce_ex__(protocol)

    def render(self, factors: Factors) -> Images:
        """Look images up, uint8 (N, height, width, channels); see `GroundTruthData.render`."""
        rows = self.rows_of(factors)
        # h5py accepts only ascending rows, each once.
        distinct, positions = np.unique(rows, return_inverse=True)
        images = (
            np.asarray(self._images[distinct])[positions] if len(rows) else np.empty((0, *self.image_shape), np.uint8)
        )
        scaled: Images = images.reshape(len(rows), *self.image_shape) * self._scale
        return scaled


def existing(path: Path | str, name: str, source: str) -> Path:
    """Return the path of a file or folder that the user has to download first.

    Raises:
        InputError: it does not exist; the message says where to download the data.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist; download {name} from {source}")
    return path


def npz_member(path: Path, member: str, name: str) -> npt.NDArray[Any]:
    """Read one array of an npz file; nothing is unpickled.

    Raises:
        InputError: no npz file (the message says what it is instead), no such member, or a damaged one.
    """
    needed = f"an npz file with {member!r} is needed"
    if (kind := kind_of(path)) != "an npz file":
        raise InputError(f"{path} is not {name}: {needed}, and this is {kind}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if member not in archive.files:
                raise InputError(f"{path} is not {name}: {needed}, and this one holds {', '.join(archive.files)}")
            array: npt.NDArray[Any] = archive[member]
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own
        # Of an array of objects NumPy says that it can be unpickled, which is what must not be done.
        reason = f"{member!r} holds Python objects" if "pickle" in str(error) else f"it is damaged: {error}"
        raise InputError(f"{path} is not {name}: {needed}, and {reason}") from error
    return array


def kind_of(path: Path) -> str:
    """Return what a file is by its first bytes, in words, such as `an HDF5 file`."""
    if path.is_dir():
        return "a folder"
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return next((kind for start, kind in _KINDS.items() if head.startswith(start)), "a file of another kind")


def resized(images: Images, side: int = SIDE) -> Images:
    """Return images at `side` x `side` pixels, each the mean over the area of a new pixel; (N, h, w, c)."""
    return fit_images(images, (side, side))
