"""A set of images on disk with the factors and the state that each was made from.

    frames/
      config.json             domain, number of frames, poses, seed
      shards/00000.images.npy uint8 (n, height, width, channels)
      shards/00000.factors.npy one named field for each factor
      shards/00000.state.npy  one named field for each fact about the nearest visible object
      index.json              frames in each shard, names of the object kinds
      card.json               versions, hashes, wall time

Images are read through memory maps, so a set may be larger than memory and is shared between processes.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import Artefact, InputError
from darla.common.files import load_array, read_json

KIND = "frames"
SHARDS = "shards"
INDEX = "index.json"

Images = npt.NDArray[np.uint8]
Index = int | slice | npt.NDArray[np.integer[Any]] | list[int]


class FrameSet:
    """Images by index, uint8 (n, height, width, channels), and what is known about each.

    Open one with `FrameSet.open`.
    """

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        index = read_json(artefact.folder / INDEX)
        self.kinds: tuple[str, ...] = tuple(index["kinds"])
        """Names of the object kinds; `state["kind"]` counts into it, and is -1 where no object is visible."""
        self._sizes: list[int] = index["shards"]
        self._ends = np.cumsum(self._sizes)
        self._shards = [
            load_array(shard_path(artefact.folder, n, "images"), mapped=True) for n in range(len(self._sizes))
        ]
        self.image_shape: tuple[int, int, int] = tuple(index["image_shape"])
        """Height, width, channels."""
        for shard, (images, size) in enumerate(zip(self._shards, self._sizes, strict=True)):
            if images.shape != (size, *self.image_shape) or images.dtype != np.uint8:
                raise InputError(
                    f"{shard_path(artefact.folder, shard, 'images')} holds {images.dtype} {images.shape}, "
                    f"but uint8 {(size, *self.image_shape)} is needed"
                )

    @classmethod
    def open(cls, folder: Path | str) -> "FrameSet":
        """Open a finished set and check every file against its hash.

        Raises:
            InputError: there is no such set, it is unfinished, or a file is missing, truncated or altered.
        """
        return cls(Artefact.load(folder, KIND))

    @property
    def domain(self) -> dict[str, Any]:
        """The domain that the frames were drawn from, as plain data."""
        domain: dict[str, Any] = self.artefact.config["domain"]
        return domain

    @property
    def factor_sizes(self) -> dict[str, int]:
        """How many values each factor of ground-truth image data has; empty for frames of anything else."""
        return dict(self.domain.get("factors", {}))

    @property
    def digest(self) -> str:
        """SHA-256 over the content: the same frames have the same digest, wherever and however they were made."""
        return self.artefact.digest

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: Index) -> Images:
        """Copy frames out of the maps.

        Args:
            index: an int, a slice, or integers in any order.

        Returns:
            uint8 (n, height, width, channels) in the order asked for; without the n for an int.
        """
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        wanted = np.asarray(index)
        if wanted.size and not np.issubdtype(wanted.dtype, np.integer):
            raise TypeError(f"frames are indexed by integers, not by {wanted.dtype}")
        flat = wanted.reshape(-1).astype(np.int64)
        if flat.size and (flat.min() < -len(self) or flat.max() >= len(self)):
            raise IndexError(f"frame index out of range for {len(self)} frames")
        flat = np.where(flat < 0, flat + len(self), flat)
        images = np.empty((flat.size, *self.image_shape), np.uint8)
        shard_of = np.searchsorted(self._ends, flat, side="right")
        for shard in np.unique(shard_of):
            here = np.flatnonzero(shard_of == shard)
            start = int(self._ends[shard]) - self._sizes[shard]
            images[here] = self._shards[shard][flat[here] - start]
        return images if wanted.ndim else images[0]

    @cached_property
    def contexts(self) -> dict[str, npt.NDArray[Any]]:
        """For each factor its value in each frame, (N,): float64, strings for a discrete one, int64 of image data."""
        return self._columns("factors")

    @cached_property
    def state(self) -> dict[str, npt.NDArray[Any]]:
        """For the nearest visible object in each frame, (N,) each; empty for environments that do not tell.

        `kind` int64 index into `kinds`, -1 where none is visible; `bearing` rad, positive to the left; `distance` m;
        `visible` bool. Bearing and distance are 0 where nothing is visible.
        """
        return self._columns("state")

    def _columns(self, part: str) -> dict[str, npt.NDArray[Any]]:
        files = [shard_path(self.artefact.folder, shard, part) for shard in range(len(self._sizes))]
        if not files[0].is_file():
            return {}  # an environment that does not tell; a file gone missing was found when the set was opened
        tables = [load_array(file) for file in files]
        names = tables[0].dtype.names or ()
        return {name: np.concatenate([table[name] for table in tables]) for name in names}


def shard_path(folder: Path, shard: int, part: str) -> Path:
    """Return the file that holds a part (`images`, `factors` or `state`) of a shard."""
    return folder / SHARDS / f"{shard:05d}.{part}.npy"
