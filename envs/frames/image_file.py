"""Images in a `.npy` file, read by row.

A memory map would be shorter. But every page that was ever read through one counts as memory of the process for as long
as the map is open, so a training would seem to hold all its frames, and a container may end it for that.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.common.files import load_array

Rows = npt.NDArray[np.int64]


class ImageFile:
    """Images of one shape, uint8 (n, height, width, channels). The file is open only while it is read.

    Args:
        path: the file.
        shape: of the array that it must hold.

    Raises:
        InputError: the file is missing, truncated, or holds another array.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        # Mapped for a moment, which reads its header, and compares its length with that.
        array: Any = load_array(path, mapped=True)
        if array.shape != shape or array.dtype != np.uint8:
            raise InputError(f"{path} holds {array.dtype} {array.shape}, but uint8 {shape} is needed")
        if not array.flags.c_contiguous:
            raise InputError(f"{path} holds its images column by column (Fortran order), but row by row is needed")
        self.path = path
        self._start: int = array.offset
        self._bytes = array[0].nbytes

    def read(self, rows: Rows, images: npt.NDArray[np.uint8], positions: Rows) -> None:
        """Copy rows into `images`.

        Args:
            rows: of the file, (k,).
            images: where to, C-contiguous.
            positions: row of `images` for each row of the file, (k,).

        Raises:
            InputError: the file is gone or was cut off.
        """
        # Rows that follow one another in both places are read at once.
        follows = (np.diff(rows) == 1) & (np.diff(positions) == 1)
        runs = np.split(np.arange(len(rows)), np.flatnonzero(~follows) + 1)
        try:
            with self.path.open("rb", buffering=0) as file:
                for run in runs if len(rows) else ():
                    piece = images[positions[run[0]] : positions[run[-1]] + 1].data
                    self._read_at(file.fileno(), self._start + int(rows[run[0]]) * self._bytes, piece.cast("B"))
        except OSError as error:
            raise InputError(f"could not read {self.path}: {error.strerror or error}") from error

    def _read_at(self, file: int, place: int, into: memoryview) -> None:
        while into.nbytes:
            count = os.preadv(file, [into], place)
            if not count:
                raise InputError(f"{self.path} was cut off while it was in use")
            place, into = place + count, into[count:]
