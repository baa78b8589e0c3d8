"""Images to train on, and the order in which they are seen."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch

from darla.common import InputError, rng_for


class Frames(Protocol):
    """Images that can be indexed: a `FrameSet`, or an array of uint8 (N, H, W, C)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray[Any, Any]: ...


class LabeledFrames(Frames, Protocol):
    """Frames with a digest and, where the environment has any, the state behind each."""

    @property
    def digest(self) -> str:
        """Digest of the frames and their state."""

    @property
    def state(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """Facts behind each frame, by name; empty where the environment has none."""


def image_shape_of(frames: Frames) -> tuple[int, int, int]:
    """Return height, width and channels of the frames.

    Raises:
        InputError: they are not uint8 images.
    """
    if isinstance(frames, torch.Tensor):  # type: ignore[unreachable]  # it has the members of `Frames`
        raise InputError("frames are a tensor, but must be a set of frames, or an array of uint8 (N, H, W, C)")
    images = frames[np.arange(min(1, len(frames)))]
    if images.ndim != 4 or images.dtype != np.uint8:
        raise InputError(f"frames must be uint8 images (N, H, W, C), not {images.dtype} of shape {images.shape}")
    return images.shape[1], images.shape[2], images.shape[3]


class BatchOrder:
    """Which images each step sees: one permutation of the rows after another.

    Each permutation is seeded by its number, so the images of any step can be computed without the steps before it.

    Args:
        rows: indices of the images to train on.
        batch_size: images a step.
        seed: seed of the order.
    """

    def __init__(self, rows: np.ndarray[Any, Any], batch_size: int, seed: int) -> None:
        if not len(rows):
            raise InputError("there are no images to train on")
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self._number = -1
        self._pass = rows

    def __call__(self, step: int) -> np.ndarray[Any, Any]:
        """Return the indices of a step, counted from 0; steps can be requested in any order."""
        position, left = step * self.batch_size, self.batch_size
        pieces = []
        while left:
            number, start = divmod(position, len(self.rows))
            if number != self._number:
                self._number = number
                self._pass = self.rows[rng_for(self.seed, "pass", number).permutation(len(self.rows))]
            piece = self._pass[start : start + left]
            pieces.append(piece)
            position, left = position + len(piece), left - len(piece)
        return np.concatenate(pieces)
