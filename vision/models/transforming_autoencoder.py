"""Hinton, Krizhevsky & Wang, Transforming Auto-encoders, ICANN 2011.

Idea: capsules report whether their part is there and where; moved by a known shift, they must draw the shifted image.
Train: darla see FRAMES --out RUN --preset transforming
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from darla.common import InputError
from darla.common.checked_config import require_at_least_one
from darla.vision.models.base import DeterministicPosterior, Posterior, VisionModel
from darla.vision.models.config import VisionModelConfig
from darla.vision.models.feature_space import FeatureSpace
from darla.vision.models.image_model import Given
from darla.vision.models.registry import register_model


@dataclass(frozen=True)
class TransformingAutoencoderConfig(VisionModelConfig):
    """A transforming autoencoder: its capsules and how far images are shifted."""

    latent_dim: int = 90
    """Three numbers for each capsule: the probability that its part is there, and its position x and y; 30 capsules as
    in the paper."""
    recognition_units: int = 20
    """Hidden units of a capsule that read the image; 20 in the paper."""
    generation_units: int = 128
    """Hidden units of a capsule that draw its part; 128 in the paper."""
    largest_shift: int = 4
    """Pixels by which images are shifted, at most, in each direction: the input by a random shift, so that positions
    mean something, and the output by another."""
    downsample: int = 2
    """Side in pixels of the squares that are averaged into one pixel of what the capsules read and draw."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if self.latent_dim % 3 or self.latent_dim < 3:
            raise InputError(f"latent_dim is {self.latent_dim}, but must be a multiple of 3, the latents of a capsule")
        require_at_least_one(self, "recognition_units", "generation_units", "largest_shift", "downsample")


class Capsules(nn.Module):
    """C small networks of the same shape, each with weights of its own: linear maps of (N, C, inputs) to outputs."""

    def __init__(self, capsules: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5  # as PyTorch initializes nn.Linear
        self.weight = nn.Parameter(torch.empty(capsules, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(capsules, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, inputs), or (N, 1, inputs) for all capsules, to (N, C, outputs)."""
        return torch.einsum("nci,cio->nco", x.expand(-1, len(self.weight), -1), self.weight) + self.bias


def shifted(images: Tensor, shifts: Tensor) -> Tensor:
    """Shift each image by its own whole number of pixels, and fill in with zeros.

    Args:
        images: (N, C, H, W).
        shifts: int64 (N, 2), to the right and downwards.
    """
    count, _, height, width = images.shape
    rows = torch.arange(height, device=images.device) - shifts[:, 1:]  # (N, H): where each row comes from
    columns = torch.arange(width, device=images.device) - shifts[:, :1]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    numbers = torch.arange(count, device=images.device)[:, None, None]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    moved = images.permute(0, 2, 3, 1)[numbers, rows[:, :, None], columns[:, None, :]]
    return (moved * inside[..., None]).permute(0, 3, 1, 2)


@register_model(
    "transforming_autoencoder",
    label="Transforming autoencoder",
    presets={"transforming": {"training__learning_rate": 1e-3}},
)
class TransformingAutoencoder(VisionModel):
    """L = 1/2 ||x_shifted - sum_c p_c part_c(position_c + shift)||^2, summed over pixels, minimized.

    Each capsule reads the whole image by sigmoid units and reports p and a position in units of `largest_shift`; its
    generation units see the position alone. The shift is known because training makes it: images are all that is
    needed. Codes are (p, x, y) of one capsule after another.
    """

    Config = TransformingAutoencoderConfig
    has_prior = False

    def __init__(
        self,
        config: TransformingAutoencoderConfig,
        feature_space: FeatureSpace | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        if feature_space is not None:
            raise InputError("the transforming autoencoder has no use for a DAE")
        height, width, channels = image_shape
        if height % config.downsample or width % config.downsample:
            raise InputError(f"downsample is {config.downsample}, which does not divide images of {height} x {width}")
        self.config = config
        capsules, side = config.latent_dim // 3, config.downsample
        self.small_shape = (channels, height // side, width // side)
        pixels = channels * (height // side) * (width // side)
        self.recognition = Capsules(capsules, pixels, config.recognition_units)
        self.report = Capsules(capsules, config.recognition_units, 3)
        self.generation = Capsules(capsules, 2, config.generation_units)
        self.parts = Capsules(capsules, config.generation_units, pixels)

    def capsules_of(self, images: Tensor) -> Tensor:
        """Return probability, x and y of each capsule, (N, capsules, 3), for images (N, C, H, W)."""
        small = functional.avg_pool2d(images, self.config.downsample).flatten(1)[:, None]
        report = self.report(self.recognition(small).sigmoid())
        return torch.cat([report[..., :1].sigmoid(), report[..., 1:]], dim=-1)

    def draw(self, capsules: Tensor, shift: Tensor) -> Tensor:
        """Return the small images, (N, C, H / downsample, W / downsample), that capsules draw after a shift.

        Args:
            capsules: (N, capsules, 3).
            shift: of each image, in units of `largest_shift`, (N, 2).
        """
        parts = self.parts(self.generation(capsules[..., 1:] + shift[:, None]).sigmoid())
        drawn: Tensor = (capsules[..., :1] * parts).sum(dim=1)
        return drawn.reshape(-1, *self.small_shape)

    def encode(self, images: Tensor) -> Posterior:
        """Return (p, x, y) of every capsule, for images float32 (N, C, H, W) in [0, 1]."""
        return DeterministicPosterior.at(self.capsules_of(images).flatten(1).float())

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images that capsules (N, D) draw without a shift, float32 (N, C, H, W) in [0, 1]."""
        small = self.draw(latents.reshape(len(latents), -1, 3), latents.new_zeros(len(latents), 2))
        return functional.interpolate(small.clamp(0, 1), scale_factor=float(self.config.downsample), mode="nearest")

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return half the squared error of the shifted images, summed over small pixels, averaged over images."""
        largest, count = self.config.largest_shift, len(images)
        where: dict[str, Any] = {"generator": generator, "device": images.device}
        jitter, shift = (torch.randint(-largest, largest + 1, (count, 2), **where) for _ in range(2))
        target = functional.avg_pool2d(shifted(images, jitter + shift), self.config.downsample)
        drawn = self.draw(self.capsules_of(shifted(images, jitter)), shift / largest)
        return {"loss": 0.5 * (drawn.float() - target).square().sum() / count}
