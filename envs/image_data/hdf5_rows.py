"""Rows of an HDF5 data set in any order, as fast as its chunks are decompressed.

h5py reads a list of rows row by row in each chunk that it meets, and chunks as it guesses them for many images, such as
those of 3D Shapes, (15000, 4, 4, 1), hold a few pixels of many images: any row meets hundreds of chunks, and many rows
meet all. Here each chunk is decompressed once, and the pixels of the rows that are asked for are taken from it. No more
than one chunk is in memory beside the result.
"""

import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError

Array = npt.NDArray[Any]
_LARGEST = 2**28
"""Bytes of a chunk up to which it is decompressed here; a larger one is read by h5py in parts."""


class HDF5Rows:
    """Rows of a data set, `rows[ascending integers]`.

    Args:
        data: of h5py, of any shape (N, ...).
        path: of its file, for messages.
    """

    def __init__(self, data: Any, path: Path) -> None:
        self._data, self._path = data, path
        self.shape: tuple[int, ...] = tuple(data.shape)
        self.dtype = data.dtype
        self._bytes = int(np.prod(data.chunks or 1)) * data.dtype.itemsize
        self._is_plain = data.chunks is not None and self._bytes <= _LARGEST and _is_plain(data)

    def __len__(self) -> int:
        """The number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> Array:
        """Return rows, (n, ...).

        Args:
            rows: their numbers, ascending, each once.

        Raises:
            InputError: the file is damaged.
        """
        try:
            return self._by_chunk(rows) if self._is_plain else self._by_span(rows)
        except (OSError, RuntimeError, ValueError, zlib.error) as error:
            raise InputError(f"{self._path} is damaged: {error}") from error

    def _by_chunk(self, rows: npt.NDArray[np.int64]) -> Array:
        sizes = self._data.chunks
        read = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for first, here in _runs(rows, sizes[0]):
            local = rows[here] - first
            corners = [range(0, side, size) for side, size in zip(self.shape[1:], sizes[1:], strict=True)]
            for corner in product(*corners):
                place = tuple(slice(start, start + size) for start, size in zip(corner, sizes[1:], strict=True))
                target = read[(here, *place)]
                # A chunk at the border is whole in the file.
                inside = tuple(slice(0, length) for length in target.shape[1:])
                target[...] = self._chunk((first, *corner))[local][(slice(None), *inside)]
        return read

    def _chunk(self, corner: tuple[int, ...]) -> Array:
        data = self._data
        try:
            skipped, raw = data.id.read_direct_chunk(corner)
        except (OSError, RuntimeError, ValueError):
            if data.id.get_chunk_info_by_coord(corner).byte_offset is not None:
                raise
            return np.full(data.chunks, data.fillvalue, self.dtype)  # never written
        compressed = data.compression is not None and not skipped
        # Told the size, zlib does not grow its buffer step by step, which takes half of its time.
        content = zlib.decompress(raw, bufsize=self._bytes) if compressed else raw
        return np.frombuffer(content, self.dtype).reshape(data.chunks)

    def _by_span(self, rows: npt.NDArray[np.int64]) -> Array:
        """Read what lies between rows, as much at a time as is allowed, and take the rows from it."""
        read = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = max(1, _LARGEST // max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize))
        for _, here in _runs(rows, size):
            low, high = rows[here][0], rows[here][-1] + 1
            read[here] = self._data[low:high][rows[here] - low]
        return read


def _is_plain(data: Any) -> bool:
    """Return whether chunks are as they are in memory, or that compressed by zlib and nothing else."""
    from h5py import h5z

    recipe = data.id.get_create_plist()
    filters = [recipe.get_filter(number)[0] for number in range(recipe.get_nfilters())]
    # Shuffling moves the bytes of a value apart, of which a byte has one.
    harmless = {h5z.FILTER_DEFLATE} | ({h5z.FILTER_SHUFFLE} if data.dtype.itemsize == 1 else set())
    return data.dtype.kind in "iufb" and data.dtype.isnative and set(filters) <= harmless


def _runs(rows: npt.NDArray[np.int64], size: int) -> Iterator[tuple[int, slice]]:
    """Yield each span of `size` rows that some rows are in, as its first row, and which they are."""
    start = 0
    while start < len(rows):
        first = int(rows[start]) // size * size
        end = int(np.searchsorted(rows, first + size))
        yield first, slice(start, end)
        start = end
