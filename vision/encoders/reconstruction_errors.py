"""How well held-out images are reconstructed."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.vision.encoders.encode import batches
from darla.vision.models.base import VisionModel
from darla.vision.models.dae import DAE
from darla.vision.training.batches import Frames

_MEASURED = 2048
"""Held-out images, at most."""


@torch.inference_mode()
def reconstruction_errors(model: VisionModel | DAE, frames: Frames, held_out: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return mean squared errors on held-out images, per pixel and channel in units of the pixel range.

    Args:
        model: in eval mode.
        frames: uint8 images.
        held_out: indices of the images; at most 2048 are used.

    Returns:
        `mean_squared_error`, and of a vision model `mean_squared_error_as_displayed` (see `to_display`).
    """
    raw, displayed = [], []
    for images in batches(model, frames, held_out[:_MEASURED]):
        decoded: Tensor = model(images) if isinstance(model, DAE) else model.decode(model.encode(images).mean)
        raw.append((decoded - images).square().mean(dim=(1, 2, 3)))
        if isinstance(model, VisionModel):
            displayed.append((model.to_display(decoded) - images).square().mean(dim=(1, 2, 3)))
    errors = {"mean_squared_error": float(torch.cat(raw).mean())}
    if displayed:
        errors["mean_squared_error_as_displayed"] = float(torch.cat(displayed).mean())
    return errors
