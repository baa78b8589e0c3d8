"""A set of images on disk with the factors and the state that each was made from.

    frames/
      config.json             domain, number of frames, sampling, seed
      shards/00000.images.npy uint8 (n, height, width, channels)
      shards/00000.factors.npy one named field for each factor
      shards/00000.state.npy  one or two named fields for each fact about the state
      shards/00000.domains.npy  which part of the domain each frame is of
      shards/00000.known.npy  what is known of each unit: which factor varies in a group, the action of a transition
      index.json              frames in each shard, factor space and facts of the world
      card.json               versions, hashes, wall time

Images are read when they are asked for, so a set may be larger than memory.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from darla.common import Artefact, InputError
from darla.common.checked_config import checked_arguments, checked_value
from darla.common.files import load_array, read_json
from darla.common.json_records import as_written
from darla.envs.domains.factor_space import FactorSpace
from darla.envs.domains.world import Fact
from darla.envs.frames.image_file import ImageFile
from darla.envs.frames.units import UnitKind

KIND = "frames"
SHARDS = "shards"
INDEX = "index.json"

Images = npt.NDArray[np.uint8]
Index = int | slice | npt.NDArray[np.integer[Any]] | list[int]


class FrameSet:
    """Images by index, uint8 (n, height, width, channels), with the factors and facts behind each.

    Open one with `FrameSet.open`.
    """

    def __init__(self, artefact: Artefact) -> None:
        self.artefact = artefact
        with as_written(artefact.folder / INDEX):
            self._read(read_json(artefact.folder / INDEX))
        self._ends = np.cumsum(self._sizes)
        self._shards = [
            ImageFile(shard_path(artefact.folder, shard, "images"), (size, *self.image_shape))
            for shard, size in enumerate(self._sizes)
        ]

    def _read(self, index: Mapping[str, Any]) -> None:
        self.facts: tuple[Fact, ...] = tuple(map(Fact.from_dict, index["facts"]))
        """What `state` holds, by name and kind; empty for image data and environments without a world."""
        self.factor_space: FactorSpace | None = FactorSpace.from_list(index["factors"]) if index["factors"] else None
        """The factors of the world that the frames show; None for image data and environments without a world."""
        self.unit: UnitKind = index["unit"]["kind"]
        """What was drawn together (`darla.envs.frames.units`)."""
        self.unit_size = checked_value("unit.size", index["unit"]["size"], int)
        """Frames in a unit, k; unit u are the frames k u, ..., k u + k - 1."""
        self.group_parts = checked_value("unit.parts", index["unit"]["parts"], tuple[str, ...])
        """Of groups: what varies in them, the factor of each kind of group, and `rest` for all others together."""
        self._sizes: tuple[int, ...] = checked_value("shards", index["shards"], tuple[int, ...])
        self.image_shape: tuple[int, int, int] = checked_value(
            "image_shape", index["image_shape"], tuple[int, int, int]
        )
        """Height, width, channels."""
        if self.unit not in get_args(UnitKind):
            raise InputError(f"unit.kind is {self.unit!r}")
        if self.unit_size < 1 or min(self._sizes, default=0) < 1 or sum(self._sizes) % self.unit_size:
            raise InputError(f"units of {self.unit_size} frames do not fit into shards of {self._sizes}")

    @classmethod
    @checked_arguments
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
        """SHA-256 over the content: the same frames have the same digest, whenever they were collected."""
        return self.artefact.digest

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: Index) -> Images:
        """Read frames from disk.

        Args:
            index: an int, a slice, or integers in any order.

        Returns:
            uint8 (n, height, width, channels) in the order of `index`; without the n for an int.

        Raises:
            TypeError: `index` is of another kind.
            IndexError: there is no such frame.
            InputError: a file is gone, or was cut off since the set was opened.
        """
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        rows = np.asarray(index)
        if rows.size and not np.issubdtype(rows.dtype, np.integer):
            raise TypeError(f"frames are indexed by integers, not by {rows.dtype}")
        flat = rows.reshape(-1).astype(np.int64)
        if flat.size and (flat.min() < -len(self) or flat.max() >= len(self)):
            raise IndexError(f"frame index out of range for {len(self)} frames")
        flat = np.where(flat < 0, flat + len(self), flat)
        images = np.empty((flat.size, *self.image_shape), np.uint8)
        shard_of = np.searchsorted(self._ends, flat, side="right")
        for shard in np.unique(shard_of):
            positions = np.flatnonzero(shard_of == shard)
            start = int(self._ends[shard]) - self._sizes[shard]
            self._shards[shard].read(flat[positions] - start, images, positions)
        return images if rows.ndim else images[0]

    @cached_property
    def contexts(self) -> dict[str, npt.NDArray[Any]]:
        """For each factor its value in each frame, (N,): float64, strings for a discrete one, int64 of image data."""
        return self._columns("factors")

    @cached_property
    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The facts about the state behind each frame, (N,) each; empty where there are no `facts`.

        A class is int64, an index into its fact's values and -1 for none; a number float64; an angle two columns
        `NAME_sin` and `NAME_cos`; a mask bool. In SeekAvoid they describe the nearest visible object: `kind`,
        `bearing` (rad, positive to the left), `distance` (m) and `visible`; zero where nothing is visible.
        """
        return self._columns("state")

    @property
    def pairs(self) -> npt.NDArray[np.int64] | None:
        """Frames that show one thing twice, (P, 2): pairs, and the images before and after actions; None without."""
        return self._units("pair", "transition")

    @property
    def groups(self) -> npt.NDArray[np.int64] | None:
        """Frames of each group, (G, k); None for other units."""
        return self._units("group")

    @cached_property
    def varied(self) -> npt.NDArray[np.int64] | None:
        """Which of `group_parts` varies in each group, (G,); None for other units."""
        return self._known("known") if self.unit == "group" else None

    @property
    def transitions(self) -> npt.NDArray[np.int64] | None:
        """Frames before and after each action, (T, 2); None for other units."""
        return self._units("transition")

    @cached_property
    def actions(self) -> npt.NDArray[Any] | None:
        """The action of each transition, int64 (T,) or float32 (T, A); None for other units."""
        return self._known("known") if self.unit == "transition" else None

    @cached_property
    def domain_ids(self) -> npt.NDArray[np.int64] | None:
        """Which part of the domain each frame is of, int64 (N,); None for a domain of one part."""
        return self._known("domains")

    def _units(self, *kinds: UnitKind) -> npt.NDArray[np.int64] | None:
        return np.arange(len(self)).reshape(-1, self.unit_size) if self.unit in kinds else None

    def _known(self, part: str) -> npt.NDArray[Any] | None:
        files = [shard_path(self.artefact.folder, shard, part) for shard in range(len(self._sizes))]
        return np.concatenate([load_array(file) for file in files]) if files[0].is_file() else None

    def _columns(self, part: str) -> dict[str, npt.NDArray[Any]]:
        files = [shard_path(self.artefact.folder, shard, part) for shard in range(len(self._sizes))]
        if not files[0].is_file():
            return {}  # nothing of the kind was stored; a missing file was noticed when the set was opened
        tables = [load_array(file) for file in files]
        names = tables[0].dtype.names or ()
        return {name: np.concatenate([table[name] for table in tables]) for name in names}


def shard_path(folder: Path, shard: int, part: str) -> Path:
    """Return the file that holds a part (`images`, `factors`, `state`, `domains` or `known`) of a shard."""
    return folder / SHARDS / f"{shard:05d}.{part}.npy"
