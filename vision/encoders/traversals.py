"""Images of what a model has learned: reconstructions, and latent traversals."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from darla.common.files import write_bytes
from darla.envs.pictures import to_rgb
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
    """uint8 (latents, values, H, W, C)."""
    latents: list[int]
    """Index of each row's latent, by falling KL."""
    kl: list[float]
    """Mean KL of each row's latent, in nats."""
    values: list[list[float]]
    """The value of the latent in each column, for each row."""


def to_uint8(images: Tensor) -> Array:
    """Turn (N, C, H, W) in [0, 1] into uint8 (N, H, W, C)."""
    pixels = images.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    converted: Array = pixels.permute(0, 2, 3, 1).cpu().numpy()
    return converted


@torch.inference_mode()
def reconstruct(model: VisionModel | DAE, images: Tensor) -> list[tuple[str, Array]]:
    """Return labeled rows of images: the originals, and the model's reconstructions.

    Args:
        model: in eval mode. For a DAE, corrupted and repaired images are added; for a model whose reconstructions are
            determined in feature space only, both the raw ones and those passed through the DAE.
        images: float32 (N, C, H, W) in [0, 1].
    """
    rows = [("image", to_uint8(images))]
    if isinstance(model, DAE):
        corrupted = model.corrupt(images, torch.Generator(images.device).manual_seed(0))
        rows.append(("DAE", to_uint8(model(images))))
        return [*rows, ("corrupted", to_uint8(corrupted)), ("repaired", to_uint8(model(corrupted)))]
    decoded = model.decode(model.encode(images).mean)
    displayed = model.to_display(decoded)
    rows.append(("decoded", to_uint8(decoded)))
    return rows if displayed is decoded else [*rows, ("through DAE", to_uint8(displayed))]


@torch.inference_mode()
def traverse(model: VisionModel, image: Tensor, kl: Array, *, values: int = 9, latents: int = 16) -> Traversals:
    """Decode one image's code with one latent at a time set to values across its range.

    Args:
        model: in eval mode.
        image: float32 (1, C, H, W) in [0, 1].
        kl: mean KL of each latent, (D,), in nats; it orders the rows.
        values: columns.
        latents: rows, at most.
    """
    order = np.argsort(-kl, kind="stable")[:latents]
    low, high = model.traversal_range().to(image.device)
    steps = low[:, None] + (high - low)[:, None] * torch.linspace(0, 1, values, device=image.device)
    codes = model.encode(image).mean.repeat(len(order), values, 1)
    for row, latent in enumerate(order):
        codes[row, :, int(latent)] = steps[int(latent)]
    decoded = to_uint8(model.to_display(model.decode(codes.flatten(0, 1))))
    decoded = decoded.reshape(len(order), values, *decoded.shape[1:])
    return Traversals(decoded, order.tolist(), kl[order].astype(float).tolist(), steps[order].tolist())


@torch.inference_mode()
def draw_sheets(model: VisionModel, images: Tensor, seed: int) -> dict[str, Array]:
    """Return the model's own pictures of what it has learned (`VisionModel.sheets`) by name, uint8 (height, width, 3).

    Args:
        model: in eval mode.
        images: float32 (N, C, H, W) in [0, 1].
        seed: of whatever is random in them.
    """
    sheets = model.sheets(images, torch.Generator(images.device).manual_seed(seed))
    return {name: grid([(label, to_uint8(row)) for label, row in rows]) for name, rows in sheets.items()}


def grid(rows: Sequence[tuple[str, Array]], scale: int = 1) -> Array:
    """Put rows of images below each other, each with its label at the left.

    Args:
        rows: a label and uint8 images (n, H, W, C) for each row; labels may have several lines.
        scale: whole-number magnification.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = (scale * side for side in rows[0][1].shape[1:3])
    columns = max(len(images) for _, images in rows)
    # A magnified sheet is shown smaller than it is.
    font = ImageFont.load_default(round(_LABEL_SIZE * (1 + scale) / 2))
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [ruler.multiline_textbbox((0, 0), label, font) for label, _ in rows]
    label_width = max(_LABEL_WIDTH, *(math.ceil(right) + 2 * _GAP + 2 for _, _, right, _ in boxes))
    heights = [max(height, math.ceil(bottom - top)) for _, top, _, bottom in boxes]
    tops = np.cumsum([_GAP, *(each + _GAP for each in heights)]).tolist()
    canvas = np.full((tops[-1], label_width + columns * (width + _GAP) + _GAP, 3), _WHITE, np.uint8)
    for top, (_, images) in zip(tops, rows, strict=False):
        for column, image in enumerate(images):
            left = label_width + _GAP + column * (width + _GAP)
            canvas[top : top + height, left : left + width] = _enlarged(image, scale)
    labeled = Image.fromarray(canvas)
    pen = ImageDraw.Draw(labeled)
    for top, each, (label, _) in zip(tops, heights, rows, strict=False):
        pen.text((_GAP + 2, top + each // 2), label, fill=(0, 0, 0), font=font, anchor="lm")
    return np.asarray(labeled)


def traversal_rows(traversals: Traversals) -> list[tuple[str, Array]]:
    """Return the rows of a traversal for `grid`, each labeled with its latent, its KL and its range."""
    return [
        (f"z{latent}  {kl:.2f} nats\n{values[0]:.1f} to {values[-1]:.1f}", images)
        for latent, kl, values, images in zip(
            traversals.latents, traversals.kl, traversals.values, traversals.images, strict=True
        )
    ]


def animate(traversals: Traversals, columns: int = 5, scale: int = 2) -> list[Array]:
    """Return a traversal as a movie: all latents side by side, each moving through its range and back.

    Args:
        traversals: the traversals.
        columns: latents side by side.
        scale: whole-number magnification.

    Returns:
        Frames, uint8 (height, width, 3), that can be played in a loop.
    """
    steps = [*range(traversals.images.shape[1]), *range(traversals.images.shape[1] - 2, 0, -1)]
    size = traversals.images.shape[2] * scale, traversals.images.shape[3] * scale
    rows = -(-len(traversals.latents) // columns)
    pitch = size[0] + _CAPTION + _GAP, size[1] + _GAP
    font = ImageFont.load_default(_LABEL_SIZE)
    frames = []
    for step in steps:
        canvas = Image.new("RGB", (columns * pitch[1] + _GAP, rows * pitch[0] + _GAP), "white")
        pen = ImageDraw.Draw(canvas)
        for position, latent in enumerate(traversals.latents):
            top, left = _GAP + position // columns * pitch[0], _GAP + position % columns * pitch[1]
            pen.text((left + 2, top + _CAPTION // 2), f"z{latent}", fill=(0, 0, 0), font=font, anchor="lm")
            image = _enlarged(traversals.images[position, step], scale)
            canvas.paste(Image.fromarray(image), (left, top + _CAPTION))
        frames.append(np.asarray(canvas))
    return frames


def _enlarged(image: Array, scale: int) -> Array:
    return to_rgb(image).repeat(scale, axis=0).repeat(scale, axis=1)


def write_png(path: Path, image: Array) -> None:
    """Write uint8 (H, W, 3) as PNG."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, format="PNG")
    write_bytes(path, data.getvalue())


def write_gif(path: Path, frames: Sequence[Array], milliseconds: int = 120) -> None:
    """Write uint8 (H, W, 3) frames as a GIF that is played in a loop, each frame for some milliseconds."""
    data = io.BytesIO()
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(data, format="GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    write_bytes(path, data.getvalue())
