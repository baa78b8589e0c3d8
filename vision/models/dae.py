"""Vincent et al. 2008, denoising autoencoder, with the corruption of Pathak et al. 2016 as used in DARLA (1707.08475).

Idea: it restores images of which rectangles are masked; its features are what DARLA's perceptual loss compares.
Train: done by `darla see` where the objective needs it, or by `darla.learn_to_see.train_denoiser`.

The paper's settings are known through those who reimplemented it: four convolutions, a bottleneck of 100 or 128 units,
ELU, black rectangles.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig
from darla.vision.models.hue_jitter import random_hue_warp
from darla.vision.models.image_model import Given, ImageModel
from darla.vision.models.likelihoods import likelihood
from darla.vision.models.networks import Architecture, Decoder, Encoder, architecture

LAYERS = ("bottleneck", "conv1", "conv2", "conv3", "conv4", "pixels")
"""Layers at which J can end."""


@dataclass(frozen=True)
class DAEConfig(CheckedConfig):
    """A denoising autoencoder and the corruption it learns to repair."""

    network: str = "darla"
    """Whose four convolutions to use; one linear layer leads from them to the bottleneck."""
    width: int = 1
    """Multiplies the channels of the network."""
    activation: str = "elu"
    """ELU as in reimplementations of the sister paper SCAN; with ReLU many features are dead, and J cannot compare
    them."""
    bottleneck: int = 128
    """Units of the bottleneck. Reports of the paper say 100 or 128; with too few, small objects are lost first."""
    likelihood: str = "gaussian"
    """What is minimized: `gaussian` is squared error, `bernoulli` cross-entropy."""
    pixel_std: float = 1.0
    """Standard deviation of `gaussian`; 1 gives half the summed squared error. It only scales the loss."""
    n_masks: int = 1
    """Masked rectangles in each image."""
    max_mask_size: float = 0.5
    """Longest side of a rectangle as a fraction of the image's side. At 1 its corners are four independent uniform
    coordinates: a ninth of the image on average, sometimes nearly all of it, and the rest does not determine what is
    masked."""
    mask_prob: float = 1.0
    """Probability that an image is masked at all. J later reads clean images only."""
    fill: float = 0.0
    """Value of masked pixels, in units of the pixel range; 0 (black) as in the paper's reimplementations."""
    hue_prob: float = 0.0
    """Probability that the hues of an image are changed at random; our addition. Random hues make room colors
    unpredictable, so the DAE reconstructs them as gray and recognizes objects by shape. J then compares objects, not
    room colors."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if self.bottleneck < 1:
            raise InputError(f"the DAE's bottleneck must be at least 1, not {self.bottleneck}")
        if self.n_masks < 0:
            raise InputError(f"n_masks must not be negative, not {self.n_masks}")
        if not 0 < self.max_mask_size <= 1:
            raise InputError(f"max_mask_size must be a fraction in (0, 1], not {self.max_mask_size}")
        for name in ("mask_prob", "hue_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must be a probability in [0, 1], not {getattr(self, name)}")


def mask_rectangles(images: Tensor, config: DAEConfig, generator: torch.Generator | None = None) -> Tensor:
    """Mask rectangles, each bounded by two uniformly drawn rows and two columns, both included.

    Args:
        images: (N, C, H, W); not changed.
        config: number, maximal size, probability and fill value of the rectangles.
        generator: source of the rectangles.

    Returns:
        The masked images, (N, C, H, W); all channels of a pixel are masked together.
    """
    count, _, height, width = images.shape
    device = images.device
    corners = torch.rand((2, 2, count, config.n_masks), generator=generator, device=device)
    untouched = torch.rand((count, 1, 1), generator=generator, device=device) >= config.mask_prob
    inside = []
    for (start, end), side in zip(corners, (height, width), strict=True):
        start, end = (start * side).floor(), (end * side).floor()
        longest = max(1, round(config.max_mask_size * side)) - 1
        end = torch.maximum(torch.minimum(end, start + longest), start - longest)
        position = torch.arange(side, device=device)
        low, high = torch.minimum(start, end)[..., None], torch.maximum(start, end)[..., None]
        inside.append((position >= low) & (position <= high))
    rows, columns = inside  # each (N, n_masks, side)
    masked = (rows[..., :, None] & columns[..., None, :]).any(dim=1) & ~untouched
    return images.masked_fill(masked[:, None], config.fill)


class DAE(ImageModel):
    """L = -log p(x | g(f(corrupt(x)))), minimized.

    f is four convolutions and a linear bottleneck, g their mirror image.

    Args:
        config: its sizes and its corruption.
        image_shape: height, width, channels.

    Raises:
        InputError: hues of images without color are to be changed.
    """

    def __init__(self, config: DAEConfig, image_shape: tuple[int, int, int] = (64, 64, 3)) -> None:
        super().__init__(image_shape)
        if config.hue_prob and image_shape[2] != 3:
            raise InputError(
                f"hue_prob {config.hue_prob} needs images of 3 channels (RGB), not of {image_shape[2]}; set "
                "dae.hue_prob to 0 (--dae.hue-prob 0), so that the DAE repairs masked parts alone"
            )
        self.config = config
        self.likelihood = likelihood(config.likelihood, config.pixel_std)
        published = architecture(config.network, config.width)
        shape = Architecture(published.channels, hidden=())
        outputs = self.likelihood.channels(image_shape[2])
        self.encoder = Encoder(shape, image_shape, config.bottleneck, config.activation)
        self.decoder = Decoder(shape, image_shape, config.bottleneck, outputs, config.activation)

    def forward(self, images: Tensor) -> Tensor:
        """Return the repaired images, float32 (N, C, H, W) in [0, 1]."""
        return self.likelihood.image(self.decoder(self.encoder(images)))

    def corrupt(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return images (N, C, H, W) with changed hues and masked rectangles, with the configured probabilities."""
        if self.config.hue_prob:
            images = random_hue_warp(images, self.config.hue_prob, generator)
        return mask_rectangles(images, self.config, generator)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return -log p(clean image | repaired image): sum over pixels, mean over images."""
        corrupted = self.corrupt(images, generator)
        return {"loss": self.likelihood.loss(self.decoder(self.encoder(corrupted)), images)}

    def features(self, images: Tensor, layer: str) -> Tensor:
        """Return what J compares: the output of `layer`, before any non-linearity.

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
