"""From images to codes, and from an artefact to a model."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import Artefact, InputError, open_artefact
from darla.vision.models.base import ImageModel, Posterior, VisionModel
from darla.vision.training.batches import Frames

DEAD = 0.05
"""Floor under the standard deviation of a code, in units of the prior's or, where there is none, of the root mean
variance of all codes: the codes of a latent that the model does not use hardly move, and are not to be blown up into
noise of unit size."""


def encode_images(
    model: VisionModel,
    images: np.ndarray[Any, Any] | Tensor,
    batch_size: int = 512,
    *,
    normalise: bool = False,
) -> np.ndarray[Any, Any]:
    """Return the posterior means of images.

    Args:
        model: a vision model; it is used in eval mode and left in the mode it was in.
        images: uint8 (N, H, W, C).
        batch_size: images encoded at once.
        normalise: apply the model's fixed affine normaliser.

    Returns:
        float32 (N, D).

    Raises:
        InputError: the images have another dtype or shape than the model was made for.
    """
    codes = np.empty((len(images), model.latent_dim), dtype=np.float32)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                mean = model.encode(model.to_input(images[start : start + batch_size])).mean
                mean = model.normalise(mean) if normalise else mean
                codes[start : start + len(mean)] = mean.cpu().numpy()
            if not len(images):
                model.to_input(images)
    finally:
        model.train(was_training)
    return codes


def encode_frames(
    model: VisionModel,
    frames: Frames,
    rows: np.ndarray[Any, Any],
    batch_size: int = 512,
    *,
    normalise: bool = False,
) -> np.ndarray[Any, Any]:
    """Return the posterior means of the frames `rows`, float32 (len(rows), D), read a batch at a time."""
    pieces = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    codes = [encode_images(model, frames[piece], batch_size, normalise=normalise) for piece in pieces]
    return np.concatenate(codes) if codes else np.empty((0, model.latent_dim), dtype=np.float32)


def batches(model: ImageModel, frames: Frames, rows: np.ndarray[Any, Any], batch_size: int = 256) -> Iterator[Tensor]:
    """Yield the frames `rows` as a model reads them: float32 (N, C, H, W) in [0, 1]."""
    for start in range(0, len(rows), batch_size):
        yield model.to_input(frames[rows[start : start + batch_size]])


@torch.inference_mode()
def posterior_of(model: VisionModel, batches: Iterable[Tensor]) -> Posterior:
    """Return the posterior of all images of some batches, of the kind that the model has.

    Args:
        model: in eval mode.
        batches: at least one, each float32 (N, C, H, W) in [0, 1].
    """
    parts = [model.encode(batch) for batch in batches]
    kind = type(parts[0])
    return kind(*(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(kind)))


def fit_normaliser(model: VisionModel, codes: np.ndarray[Any, Any]) -> None:
    """Set the model's fixed affine normaliser from codes over D_U, (N, D)."""
    wide = codes.astype(np.float64)
    model.codes_mean.copy_(torch.from_numpy(wide.mean(axis=0).astype(np.float32)))
    spread = wide.std(axis=0)
    unit = 1.0 if model.has_prior else max(float(np.sqrt(np.square(spread).mean())), 1e-12)
    model.codes_std.copy_(torch.from_numpy(np.maximum(spread, DEAD * unit).astype(np.float32)))


def restore(model: torch.nn.Module, tensors: dict[str, Tensor], source: Path) -> None:
    """Load tensors into a model, all of them and no others.

    Raises:
        InputError: a tensor is missing, unknown, or of another shape.
    """
    expected = model.state_dict()
    if missing := sorted(expected.keys() - tensors.keys()):
        raise InputError(f"{source} lacks the tensor {missing[0]!r}")
    if unknown := sorted(tensors.keys() - expected.keys()):
        raise InputError(f"{source} holds a tensor {unknown[0]!r} that its model does not have")
    for name, value in expected.items():
        if value.shape != tensors[name].shape:
            raise InputError(
                f"{source}: tensor {name!r} has shape {tuple(tensors[name].shape)}, not {tuple(value.shape)}"
            )
    model.load_state_dict(tensors)


def load(folder: Artefact | Path | str, device: str = "cpu") -> VisionModel:
    """Open an encoder artefact.

    Args:
        folder: what `train_encoder` wrote, or the artefact already opened.
        device: where the model is put.

    Returns:
        The model, in eval mode, none of its parameters requiring a gradient.

    Raises:
        InputError: no finished encoder artefact, or a damaged one.
    """
    from darla.vision.encoders.config import SeeConfig
    from darla.vision.encoders.train_encoder import build_model

    artefact = open_artefact(folder, "encoder")
    config = SeeConfig.from_dict(artefact.config["see"])
    model = build_model(config, tuple(artefact.config["image_shape"]))
    restore(model, artefact.tensors(), artefact.folder)
    return model.to(device).requires_grad_(False).eval()
