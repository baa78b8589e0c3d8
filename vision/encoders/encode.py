"""From images to codes."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError
from darla.common.checked_config import checked_arguments, shown_value
from darla.vision.models.base import Posterior, VisionModel
from darla.vision.models.image_model import ImageModel
from darla.vision.training.batches import Frames, image_shape_of

MIN_DEVIATION = 0.05
"""Lower bound on a code's standard deviation before normalizing, in units of the prior's or, for a model without one,
of the root mean variance of all codes. Without it, unused latents would be scaled up to unit-variance noise."""


@checked_arguments
def encode_images(
    model: VisionModel,
    images: np.ndarray[Any, Any] | Tensor,
    batch_size: int = 512,
    *,
    normalize: bool = False,
) -> np.ndarray[Any, Any]:
    """Return the posterior means of images.

    Args:
        model: a vision model; it is used in eval mode and left in the mode it was in.
        images: uint8 (N, H, W, C).
        batch_size: images encoded at once.
        normalize: apply the model's fixed affine normalizer.

    Returns:
        float32 (N, D).

    Raises:
        InputError: the images have another dtype or shape than the model was made for.
    """
    model.check_images(images)
    codes = np.empty((len(images), model.latent_dim), dtype=np.float32)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                mean = model.encode(model.to_input(images[start : start + batch_size])).mean
                mean = model.normalize(mean) if normalize else mean
                codes[start : start + len(mean)] = mean.cpu().numpy()
    finally:
        model.train(was_training)
    return codes


@torch.inference_mode()
def decode_codes(model: VisionModel, codes: np.ndarray[Any, Any], batch_size: int = 256) -> np.ndarray[Any, Any]:
    """Return the images of codes as a model displays them.

    Args:
        model: in eval mode.
        codes: (N, D), not normalized.
        batch_size: codes decoded at once.

    Returns:
        uint8 (N, H, W, C).
    """
    device = next(model.parameters()).device
    inputs = torch.as_tensor(codes, dtype=torch.float32, device=device)
    starts = range(0, len(inputs), batch_size)
    parts = [model.to_display(model.decode(inputs[start : start + batch_size])) for start in starts]
    pixels = torch.cat(parts).float().clamp(0, 1).mul(255).round().to(torch.uint8)
    images: np.ndarray[Any, Any] = pixels.permute(0, 2, 3, 1).cpu().numpy()
    return images


@checked_arguments
def encode_frames(
    model: VisionModel,
    frames: Frames,
    rows: np.ndarray[Any, Any],
    batch_size: int = 512,
    *,
    normalize: bool = False,
) -> np.ndarray[Any, Any]:
    """Return the posterior means of the frames `rows`, float32 (len(rows), D), read a batch at a time.

    Raises:
        InputError: the frames are not uint8 images, or there is no such row.
    """
    image_shape_of(frames)
    plain = isinstance(rows, np.ndarray)  # tensors are let through for images, and have other attributes
    if not plain or rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise InputError(f"rows is {shown_value(rows)}, but must be an array of whole numbers of shape (n,)")
    if rows.size and not 0 <= rows.min() <= rows.max() < len(frames):
        raise InputError(f"rows run from {rows.min()} to {rows.max()}, but there are {len(frames)} frames")
    pieces = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    codes = [encode_images(model, frames[piece], batch_size, normalize=normalize) for piece in pieces]
    return np.concatenate(codes) if codes else np.empty((0, model.latent_dim), dtype=np.float32)


def batches(model: ImageModel, frames: Frames, rows: np.ndarray[Any, Any], batch_size: int = 256) -> Iterator[Tensor]:
    """Yield the frames `rows` as a model reads them: float32 (N, C, H, W) in [0, 1]."""
    for start in range(0, len(rows), batch_size):
        yield model.to_input(frames[rows[start : start + batch_size]])


@torch.inference_mode()
def posterior_of(model: VisionModel, batches: Iterable[Tensor]) -> Posterior:
    """Return the posterior of all images of some batches, of the model's own class.

    Args:
        model: in eval mode.
        batches: at least one, each float32 (N, C, H, W) in [0, 1].
    """
    posteriors = [model.encode(batch) for batch in batches]
    kind = type(posteriors[0])
    return kind(*(torch.cat([getattr(each, part.name) for each in posteriors]) for part in fields(kind)))


def fit_normalizer(model: VisionModel, codes: np.ndarray[Any, Any]) -> None:
    """Set the model's fixed affine normalizer from codes over D_U, (N, D)."""
    codes = codes.astype(np.float64)
    model.codes_mean.copy_(torch.from_numpy(codes.mean(axis=0).astype(np.float32)))
    deviation = codes.std(axis=0)
    unit = 1.0 if model.has_prior else max(float(np.sqrt(np.square(deviation).mean())), 1e-12)
    model.codes_std.copy_(torch.from_numpy(np.maximum(deviation, MIN_DEVIATION * unit).astype(np.float32)))
