"""Denoising autoencoder: it repairs pictures, and its features are what DARLA's perceptual loss compares.

Higgins et al. 2017 (arXiv 1707.08475) train it in the manner of Pathak et al. 2016: rectangles of a picture
are blanked and the whole picture is to be restored. The paper's settings are known through
those who reimplemented it: four convolutions, a bottleneck of 100 or 128 units, ELU, black rectangles.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError, unknown_name
from darla.vision.models.base import ImageModel
from darla.vision.models.hue_jitter import random_hue_warp
from darla.vision.models.likelihoods import likelihood
from darla.vision.models.networks import Decoder, Encoder, architecture

LAYERS = ("bottleneck", "conv1", "conv2", "conv3", "conv4", "pixels")
"""Where J can end: names of what the DAE computes, in no order of merit."""


@dataclass(frozen=True)
class DAEConfig:
    """A denoising autoencoder and the damage it learns to repair."""

    network: str = "darla"
    """Whose four convolutions to use; one linear layer leads from them to the bottleneck."""
    width: int = 1
    """Multiplies the channels of the network."""
    activation: str = "elu"
    """ELU as in the sister paper's reimplementation; ReLU leaves many features dead, which J then cannot
    compare."""
    bottleneck: int = 128
    """Units of the bottleneck. Reports of the paper say 100 or 128; too few, and small objects are what is
    dropped."""
    likelihood: str = "gaussian"
    """What is minimised: `gaussian` is squared error, `bernoulli` cross-entropy."""
    pixel_std: float = 1.0
    """Standard deviation of `gaussian`; 1 gives half the summed squared error. It only scales the loss."""
    rectangles: int = 1
    """Rectangles blanked in each picture."""
    largest: float = 0.5
    """Longest side of a rectangle as a share of the picture's side. At 1, four independent uniform
    coordinates: a ninth of the picture on average, at times all of it, and what is not seen can only be
    guessed from the rest."""
    occluded: float = 1.0
    """Share of the pictures that are damaged at all. J later reads clean pictures only."""
    fill: float = 0.0
    """What the rectangle is filled with, in units of the pixel range; 0 (black) as in the paper's
    reimplementations."""

    recoloured: float = 0.0
    """Share of the pictures whose hues are scrambled; our addition. Hues of a room can then not be told and
    come out grey, and things of one colour are restored by their shape, so that J compares things and not
    the colours of rooms."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.bottleneck < 1:
            raise InputError(f"the DAE's bottleneck must be at least 1, not {self.bottleneck}")
        if self.rectangles < 0:
            raise InputError(f"rectangles must not be negative, not {self.rectangles}")
        if not 0 < self.largest <= 1:
            raise InputError(f"largest must be a share in (0, 1], not {self.largest}")
        for name in ("occluded", "recoloured"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be a share in [0, 1], not {getattr(self, name)}")


def occlude(images: Tensor, config: DAEConfig, generator: torch.Generator | None = None) -> Tensor:
    """Blank rectangles: two rows and two columns, drawn uniformly, bound each one, both ends included.

    Args:
        images: (N, C, H, W); not changed.
        config: number, largest size, share and filling of the rectangles.
        generator: source of the rectangles.

    Returns:
        The damaged images, (N, C, H, W); all channels of a pixel are blanked together.
    """
    count, _, height, width = images.shape
    device = images.device
    corners = torch.rand((2, 2, count, config.rectangles), generator=generator, device=device)
    spared = torch.rand((count, 1, 1), generator=generator, device=device) >= config.occluded
    hit = torch.ones((), dtype=torch.bool, device=device)
    inside = []
    for (start, end), side in zip(corners, (height, width), strict=True):
        start, end = (start * side).floor(), (end * side).floor()
        reach = max(1, round(config.largest * side)) - 1
        end = torch.maximum(torch.minimum(end, start + reach), start - reach)
        place = torch.arange(side, device=device)
        low, high = torch.minimum(start, end)[..., None], torch.maximum(start, end)[..., None]
        inside.append((place >= low) & (place <= high))
    rows, columns = inside  # each (N, rectangles, side)
    hit = (rows[..., :, None] & columns[..., None, :]).any(dim=1) & ~spared
    return images.masked_fill(hit[:, None], config.fill)


class DAE(ImageModel):
    """Denoising autoencoder with four convolutions, a linear bottleneck, and the mirror image of both.

    Args:
        config: its sizes and its damage.
        image_shape: height, width, channels.

    Raises:
        InputError: pictures without colour are to be recoloured.
    """

    def __init__(self, config: DAEConfig, image_shape: tuple[int, int, int] = (64, 64, 3)) -> None:
        super().__init__(image_shape)
        if config.recoloured and image_shape[2] != 3:
            raise InputError(f"only pictures of 3 channels can be recoloured, not of {image_shape[2]}")
        self.config = config
        self.likelihood = likelihood(config.likelihood, config.pixel_std)
        shape = architecture(config.network, config.width)
        shape = type(shape)(shape.channels, hidden=())
        outputs = self.likelihood.channels(image_shape[2])
        self.encoder = Encoder(shape, image_shape, config.bottleneck, config.activation)
        self.decoder = Decoder(shape, image_shape, config.bottleneck, outputs, config.activation)

    def forward(self, images: Tensor) -> Tensor:
        """Return the repaired images, float32 (N, C, H, W) in [0, 1]."""
        return self.likelihood.image(self.decoder(self.encoder(images)))

    def damage(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return images (N, C, H, W) with other hues and blanked rectangles, as often as the configuration says."""
        if self.config.recoloured:
            images = random_hue_warp(images, self.config.recoloured, generator)
        return occlude(images, self.config, generator)

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return how far repaired pictures are from clean ones: sum over pixels, mean over pictures."""
        damaged = self.damage(images, generator)
        return {"loss": self.likelihood.loss(self.decoder(self.encoder(damaged)), images)}

    def features(self, images: Tensor, layer: str) -> Tensor:
        """Return what J compares: what `layer` computes, before any non-linearity.

        Args:
            images: float (N, C, H, W) in [0, 1].
            layer: `bottleneck` (N, bottleneck); `conv1` to `conv4`, (N, C', H', W'), before the activation;
                `pixels`, (N, C, H, W), the DAE's output before the sigmoid.

        Raises:
            InputError: there is no such layer.
        """
        if layer == "bottleneck":
            bottleneck: Tensor = self.encoder(images)
            return bottleneck
        if layer == "pixels":
            outputs: Tensor = self.decoder(self.encoder(images))
            return outputs[:, : self.image_shape[2]]  # of a decoder with variances, the means
        if layer not in LAYERS:
            raise unknown_name("feature layer", layer, LAYERS)
        return self.encoder.features(images, int(layer.removeprefix("conv")))
