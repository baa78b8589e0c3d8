"""Which frames are trained on, which are kept, and what is measured on those that are kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError, is_complete, rng_for, start_artefact
from darla.vision.encoders.encode import batches
from darla.vision.models.base import VisionModel
from darla.vision.models.dae import DAE
from darla.vision.training.batches import Frames
from darla.vision.training.devices import DevicePrecision, DistributedContext

Array = np.ndarray[Any, Any]
WATCHED = 256
"""Held-out images that are looked at during training."""
_MEASURED = 2048
_PROBED = 8192


class LabelledFrames(Frames, Protocol):
    """Frames with a digest and, where the environment has any, the state behind each."""

    @property
    def digest(self) -> str:
        """Digest of the frames and their state."""

    @property
    def state(self) -> Mapping[str, Array]:
        """Facts behind each frame, by name; empty where the environment tells none."""


def open_together(out: Path, kind: str, record: Mapping[str, Any], device: str) -> tuple[DistributedContext, bool]:
    """Begin an artefact in one of the processes that `torchrun` started, and let the others wait for it.

    Args:
        out: the artefact's folder.
        kind: its kind.
        record: its configuration.
        device: the device to train on, which decides how processes talk.

    Returns:
        This process among the others, and whether the artefact was finished before.

    Raises:
        InputError: the folder holds something else.
    """
    processes = DistributedContext.join(DevicePrecision.choose("auto", device).device)
    if processes.leads:
        start_artefact(out, kind, record)
    complete = is_complete(out)
    processes.wait()
    return processes, complete


def split(frames: int, held_out: float, seed: int) -> tuple[Array, Array]:
    """Split frame indices into those to train on and those held out, at least one each.

    Raises:
        InputError: there are fewer than two frames.
    """
    if frames < 2:
        raise InputError(f"at least 2 frames are needed to learn to see, not {frames}")
    order = rng_for(seed, "held out").permutation(frames)
    count = min(max(1, round(held_out * frames)), frames - 1)
    return np.sort(order[count:]), order[:count]


@torch.inference_mode()
def errors(model: VisionModel | DAE, frames: Frames, held_out: Array) -> dict[str, float]:
    """Return mean squared errors on held-out images, per pixel and channel in units of the pixel range."""
    raw, shown = [], []
    for images in batches(model, frames, held_out[:_MEASURED]):
        decoded: Tensor = model(images) if isinstance(model, DAE) else model.decode(model.encode(images).mean)
        raw.append((decoded - images).square().mean(dim=(1, 2, 3)))
        if isinstance(model, VisionModel):
            shown.append((model.display(decoded) - images).square().mean(dim=(1, 2, 3)))
    found = {"mean_squared_error": float(torch.cat(raw).mean())}
    if shown:
        found["mean_squared_error_as_displayed"] = float(torch.cat(shown).mean())
    return found


def image_shape_of(frames: Frames) -> tuple[int, int, int]:
    """Return height, width and channels of the frames.

    Raises:
        InputError: they are not uint8 images.
    """
    images = frames[np.arange(min(1, len(frames)))]
    if images.ndim != 4 or images.dtype != np.uint8:
        raise InputError(f"frames must be uint8 images (N, H, W, C), not {images.dtype} of shape {images.shape}")
    return images.shape[1], images.shape[2], images.shape[3]


def sample(rows: Array, count: int, seed: int) -> Array:
    """Return `count` of the rows in ascending order, or all where there are no more."""
    if len(rows) <= count:
        return rows
    return np.sort(rng_for(seed, "statistics").choice(rows, count, replace=False))


def probe_rows(rows: Array, held_out: Array, seed: int) -> tuple[Array, Array]:
    """Return frames to fit probes on and frames to score them on, and which are which."""
    fitted, scored = sample(rows, _PROBED, seed), held_out[:_PROBED]
    return np.concatenate([fitted, scored]), np.repeat([False, True], [len(fitted), len(scored)])


def state_of(frames: LabelledFrames, rows: Array) -> dict[str, Array]:
    """Return the state behind the frames `rows`."""
    return {name: values[rows] for name, values in frames.state.items()}
