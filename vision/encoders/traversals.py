"""Pictures of what a model has learnt: reconstructions, and latents moved one at a time."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from darla.common.files import write_bytes
from darla.vision.models.base import VisionModel
from darla.vision.models.dae import DAE

Array = np.ndarray[Any, Any]
_GAP = 2
_LABEL_WIDTH, _LABEL_SIZE = 116, 15
_CAPTION = 18
_WHITE = 255


@dataclass(frozen=True)
class Traversals:
    """Decoded images of latents moved one at a time, the most informative latent first."""

    images: Array
    """uint8 (latents shown, values, H, W, C)."""
    latents: list[int]
    """Index of each row's latent, by falling KL."""
    kl: list[float]
    """Mean KL of each row's latent, in nats."""
    values: list[list[float]]
    """What each column sets the latent to, for each row."""


def to_pictures(images: Tensor) -> Array:
    """Turn (N, C, H, W) in [0, 1] into uint8 (N, H, W, C)."""
    pixels = images.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    picture: Array = pixels.permute(0, 2, 3, 1).cpu().numpy()
    return picture


@torch.inference_mode()
def reconstruct(model: VisionModel | DAE, images: Tensor) -> list[tuple[str, Array]]:
    """Return named rows of pictures: images as they are, and as the model gives them back.

    Args:
        model: in eval mode. Of a DAE the repaired damage is shown too; of a model whose reconstructions are
            only fixed in feature space, both the raw ones and what the DAE makes of them.
        images: float32 (N, C, H, W) in [0, 1].
    """
    rows = [("image", to_pictures(images))]
    if isinstance(model, DAE):
        damaged = model.damage(images, torch.Generator(images.device).manual_seed(0))
        rows.append(("DAE", to_pictures(model(images))))
        return [*rows, ("damaged", to_pictures(damaged)), ("repaired", to_pictures(model(damaged)))]
    decoded = model.decode(model.encode(images).mean)
    shown = model.display(decoded)
    rows.append(("decoded", to_pictures(decoded)))
    return rows if shown is decoded else [*rows, ("through DAE", to_pictures(shown))]


@torch.inference_mode()
def traverse(model: VisionModel, image: Tensor, kl: Array, *, values: int = 9, latents: int = 16) -> Traversals:
    """Decode one image's code with one latent at a time set to values across its reach.

    Args:
        model: in eval mode.
        image: float32 (1, C, H, W) in [0, 1].
        kl: mean KL of each latent, (D,), in nats; it orders the rows.
        values: columns.
        latents: rows, at most.
    """
    order = np.argsort(-kl, kind="stable")[:latents]
    low, high = model.reach().to(image.device)
    steps = low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, values, device=image.device)
    codes = model.encode(image).mean.repeat(len(order), values, 1)
    for row, latent in enumerate(order):
        codes[row, :, int(latent)] = steps[int(latent)]
    pictures = to_pictures(model.display(model.decode(codes.flatten(0, 1))))
    pictures = pictures.reshape(len(order), values, *pictures.shape[1:])
    return Traversals(pictures, order.tolist(), kl[order].astype(float).tolist(), steps[order].tolist())


def grid(rows: Sequence[tuple[str, Array]], scale: int = 1) -> Array:
    """Lay rows of pictures out under each other, each with its label at the left.

    Args:
        rows: a label and uint8 pictures (n, H, W, 3 or 1) for each row.
        scale: whole-number magnification.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = rows[0][1].shape[1:3]
    columns = max(len(pictures) for _, pictures in rows)
    canvas = np.full(
        (
            len(rows) * (height * scale + _GAP) + _GAP,
            _LABEL_WIDTH + columns * (width * scale + _GAP) + _GAP,
            3,
        ),
        _WHITE,
        np.uint8,
    )
    tops = [_GAP + number * (height * scale + _GAP) for number in range(len(rows))]
    for top, (_, pictures) in zip(tops, rows, strict=True):
        for column, picture in enumerate(pictures):
            left = _LABEL_WIDTH + _GAP + column * (width * scale + _GAP)
            canvas[top : top + height * scale, left : left + width * scale] = _enlarged(picture, scale)
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(_LABEL_SIZE)
    for top, (label, _) in zip(tops, rows, strict=True):
        pen.text((_GAP + 2, top + height * scale // 2), label, fill=(0, 0, 0), font=font, anchor="lm")
    return np.asarray(image)


def traversal_rows(found: Traversals) -> list[tuple[str, Array]]:
    """Return the rows of a traversal for `grid`, each labelled with its latent, its KL and its range."""
    return [
        (f"z{latent}  {kl:.2f} nats\n{values[0]:.1f} to {values[-1]:.1f}", pictures)
        for latent, kl, values, pictures in zip(found.latents, found.kl, found.values, found.images, strict=True)
    ]


def animate(found: Traversals, columns: int = 5, scale: int = 2) -> list[Array]:
    """Return a traversal as moving pictures: all latents side by side, each on its way through its range and back.

    Args:
        found: the traversal.
        columns: latents side by side.
        scale: whole-number magnification.

    Returns:
        A list of uint8 (height, width, 3), which can be shown in a circle.
    """
    steps = [*range(found.images.shape[1]), *range(found.images.shape[1] - 2, 0, -1)]
    size = found.images.shape[2] * scale, found.images.shape[3] * scale
    rows = -(-len(found.latents) // columns)
    pitch = size[0] + _CAPTION + _GAP, size[1] + _GAP
    font = ImageFont.load_default(_LABEL_SIZE)
    shown = []
    for step in steps:
        canvas = Image.new("RGB", (columns * pitch[1] + _GAP, rows * pitch[0] + _GAP), "white")
        pen = ImageDraw.Draw(canvas)
        for place, latent in enumerate(found.latents):
            top, left = _GAP + place // columns * pitch[0], _GAP + place % columns * pitch[1]
            pen.text((left + 2, top + _CAPTION // 2), f"z{latent}", fill=(0, 0, 0), font=font, anchor="lm")
            picture = _enlarged(found.images[place, step], scale)
            canvas.paste(Image.fromarray(np.broadcast_to(picture, (*size, 3))), (left, top + _CAPTION))
        shown.append(np.asarray(canvas))
    return shown


def _enlarged(picture: Array, scale: int) -> Array:
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def write_png(path: Path, picture: Array) -> None:
    """Write uint8 (H, W, 3) as PNG."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, format="PNG")
    write_bytes(path, data.getvalue())


def write_gif(path: Path, pictures: Sequence[Array], milliseconds: int = 120) -> None:
    """Write uint8 (H, W, 3) pictures as a GIF that runs in a circle, each shown for some milliseconds."""
    data = io.BytesIO()
    first, *others = (Image.fromarray(picture) for picture in pictures)
    first.save(data, format="GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    write_bytes(path, data.getvalue())
