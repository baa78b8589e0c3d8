"""Images with their factors, for metrics: of ground-truth data, or of any frames on disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import Artefact, InputError, rng_for
from darla.common.checked_config import has_members_of, shown_value
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.ground_truth import GroundTruthData
from darla.envs.image_data.registry import IMAGE_DATA, image_data

Source = GroundTruthData | FrameSet | Artefact | Path | str


@dataclass(frozen=True)
class FactorTable:
    """Rows of factor values, and the image of each."""

    origin: dict[str, Any]
    """Name of the data, and digest of a frame set."""
    names: tuple[str, ...]
    """The K factors."""
    factors: npt.NDArray[Any]
    """(N, K): int64, or float64 where a factor is continuous; names of a discrete factor are numbered."""
    continuous: tuple[bool | None, ...]
    """For each factor False where its values are known to be classes, which names and the values of ground-truth data
    are; None where they are numbers of which that is not known."""
    rows: npt.NDArray[np.int64]
    """Frames on disk that the images are; numbers of the rows for images that are drawn."""
    source: GroundTruthData | FrameSet

    def __len__(self) -> int:
        return len(self.factors)

    def images(self, batch_size: int = 512) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the images in order, uint8 (n, height, width, channels) each."""
        for start in range(0, len(self), batch_size):
            part = slice(start, start + batch_size)
            if isinstance(self.source, FrameSet):
                yield self.source[self.rows[part]]
            else:
                yield self.source.render(self.factors[part])

    def close(self) -> None:
        """Free the resources of the renderer."""
        close = getattr(self.source, "close", None)
        if close is not None:
            close()


def factor_table(data: Source, count: int, seed: int) -> FactorTable:
    """Draw rows of factor values.

    Args:
        data: ground-truth data or the name of some, or frames of `darla collect`. Their factors are those that
            vary, in the order in which they are stored.
        count: rows; all frames where there are no more.
        seed: seed of the draw.

    Raises:
        InputError: neither known data nor frames, or frames without a factor that varies.
    """
    if count < 2:
        raise InputError(f"rows is {count}, but at least 2 are needed")
    if isinstance(data, str) and data in IMAGE_DATA and not Path(data, "card.json").is_file():
        data = image_data(data)
    if isinstance(data, str | Path):
        if isinstance(data, str) and not Path(data).is_dir():
            names = ", ".join(IMAGE_DATA)
            raise InputError(f"data {data!r} are neither of {names} nor a folder of darla collect")
        data = FrameSet.open(data)
    if isinstance(data, Artefact):
        data = FrameSet.open(data.folder)
    if isinstance(data, FrameSet):
        return _of_frames(data, count, seed)
    if not has_members_of(data, GroundTruthData):
        raise InputError(
            f"data are {shown_value(data)}, but must be a name, frames, or an object as GroundTruthData describes it"
        )
    factors = data.sample_factors(count, rng_for(seed, "metrics", "factors"))
    classes = (False,) * len(data.factor_names)
    return FactorTable({"name": data.name}, data.factor_names, factors, classes, np.arange(count), data)


def _of_frames(frames: FrameSet, count: int, seed: int) -> FactorTable:
    rows = np.arange(len(frames))
    if count < len(frames):
        rows = np.sort(rng_for(seed, "metrics", "rows").choice(len(frames), count, replace=False))
    contexts = {name: values[rows] for name, values in frames.contexts.items()}
    columns = {name: numbered(values) for name, values in contexts.items()}
    varying = [name for name, values in columns.items() if (values != values[:1]).any()]
    if not varying:
        raise InputError(f"{frames.artefact.folder} has no factor that varies, so there is nothing to score")
    for name in varying:
        if not is_number(contexts[name]) and 2 * (classes := len(np.unique(columns[name]))) > len(rows):
            raise InputError(
                f"factor {name!r} has {classes} different names in {len(rows)} images of {frames.artefact.folder}; "
                "a factor of classes has each many times: leave it out, or give numbers"
            )
    table = np.stack([columns[name] for name in varying], axis=1)
    known = tuple(False if name in frames.factor_sizes or not is_number(contexts[name]) else None for name in varying)
    origin = {"name": frames.domain["name"], "frames": frames.digest}
    return FactorTable(origin, tuple(varying), table, known, rows, frames)


def is_number(values: npt.NDArray[Any]) -> bool:
    """Return whether a column holds numbers, and not names."""
    return bool(np.issubdtype(values.dtype, np.number))


def numbered(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a column of numbers: names become their place in alphabetical order."""
    return values if is_number(values) else np.unique(values, return_inverse=True)[1]


def check_channels(table: FactorTable, image_shape: Sequence[int]) -> None:
    """Refuse images of another shape than an encoder reads.

    Raises:
        InputError: naming both shapes, and what to do.
    """
    shape = tuple(table.source.image_shape)
    if shape != tuple(image_shape):
        raise InputError(
            f"{table.origin['name']} has images {shape}, but the encoder reads {tuple(image_shape)}; score it on "
            "what it was trained on or, of images of your own, give them that size with resize and channels"
        )
