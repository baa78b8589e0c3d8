"""Reconstruction terms of a loss: how a code is decoded, and what the result costs against the image.

Each is in nats, summed over pixels or features and averaged over images, so that `reconstruction + KL` is a negative
evidence lower bound up to constants.
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from darla.common import InputError
from darla.vision.models.config import LatentModelConfig
from darla.vision.models.feature_space import FeatureSpace
from darla.vision.models.likelihoods import Likelihood, likelihood
from darla.vision.models.networks import BroadcastDecoder, Decoder, FeatureDecoder, architecture

Terms = dict[str, Tensor]


class Reconstruction(nn.Module, ABC):
    """A reconstruction term. Called with decoder outputs and images, it returns the term and its parts by name."""

    @abstractmethod
    def build_decoder(self, config: LatentModelConfig, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a decoder from latents to the outputs that this term reads."""

    @abstractmethod
    def forward(self, outputs: Tensor, images: Tensor) -> tuple[Tensor, Terms]:
        """Return the term, a scalar, and its parts `perceptual` and `pixel` before their weights.

        Args:
            outputs: of the decoder.
            images: the images to reconstruct, float32 (N, C, H, W) in [0, 1].
        """

    @abstractmethod
    def to_image(self, outputs: Tensor) -> Tensor:
        """Return the decoded images, float32 (N, C, H, W) in [0, 1]."""

    def to_display(self, images: Tensor) -> Tensor:
        """Return decoded images for display, (N, C, H, W) in [0, 1]; unchanged by default.

        Args:
            images: what `to_image` returned.
        """
        return images


class PixelLoss(Reconstruction):
    """-log p(x|z), a likelihood of pixels: beta-VAE and its relatives."""

    def __init__(self, pixels: Likelihood) -> None:
        super().__init__()
        self.likelihood = pixels

    def build_decoder(self, config: LatentModelConfig, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a decoder to images."""
        shape, outputs = architecture(config.network, config.width), self.likelihood.channels(image_shape[2])
        kind = BroadcastDecoder if config.decoder == "broadcast" else Decoder
        return kind(shape, image_shape, config.latent_dim, outputs, config.activation)

    def forward(self, outputs: Tensor, images: Tensor) -> tuple[Tensor, Terms]:
        """Return -log p(images | outputs)."""
        pixel = self.likelihood.loss(outputs, images)
        return pixel, {"pixel": pixel}

    def to_image(self, outputs: Tensor) -> Tensor:
        """Return the mean of p(x|z)."""
        return self.likelihood.image(outputs)


class PerceptualLoss(PixelLoss):
    """1/2 ||J(x_hat) - J(x)||^2, x_hat the decoded image: DARLA's term as in the paper (see darla_vae.py).

    Args:
        pixels: how decoder outputs become an image.
        feature_space: J.
    """

    def __init__(self, pixels: Likelihood, feature_space: FeatureSpace) -> None:
        super().__init__(pixels)
        self.feature_space = feature_space

    def forward(self, outputs: Tensor, images: Tensor) -> tuple[Tensor, Terms]:
        """Return the squared distance of the two images' features."""
        x_hat = self.to_image(outputs)
        perceptual = self.feature_space.distance(self.feature_space(x_hat), images)
        return perceptual, {"perceptual": perceptual}

    def to_display(self, images: Tensor) -> Tensor:
        """Return the DAE's reconstruction of the images: what J ignores, training leaves undetermined in x_hat."""
        reconstructed: Tensor = self.feature_space.dae(images)
        return reconstructed


class FeatureLoss(Reconstruction):
    """1/2 ||y_hat - J(x)||^2, y_hat decoded from z without an image in between: our form of DARLA's term.

    Args:
        feature_space: J, which must be the DAE's bottleneck.
    """

    def __init__(self, feature_space: FeatureSpace) -> None:
        super().__init__()
        self.feature_space = feature_space

    def build_decoder(self, config: LatentModelConfig, image_shape: tuple[int, int, int]) -> nn.Module:
        """Return a decoder to features."""
        features = self.feature_space.dae.config.bottleneck
        return FeatureDecoder(config.latent_dim, (256 * config.width,) * 2, features, config.activation)

    def forward(self, outputs: Tensor, images: Tensor) -> tuple[Tensor, Terms]:
        """Return the squared distance of predicted features to those of the images."""
        perceptual = self.feature_space.distance(outputs, images)
        return perceptual, {"perceptual": perceptual}

    def to_image(self, outputs: Tensor) -> Tensor:
        """Return what the DAE's own decoder makes of the predicted features."""
        return self.feature_space.decode_features(outputs)


class MixedLoss(PerceptualLoss):
    """1/2 ||J(x_hat) - J(x)||^2 - weight log p(x|z): our addition. The pixel term determines what J ignores.

    Args:
        pixels: likelihood of the pixels.
        feature_space: J.
        pixel_weight: weight of the pixel term.
    """

    def __init__(self, pixels: Likelihood, feature_space: FeatureSpace, pixel_weight: float) -> None:
        super().__init__(pixels, feature_space)
        self.pixel_weight = pixel_weight

    def forward(self, outputs: Tensor, images: Tensor) -> tuple[Tensor, Terms]:
        """Return the weighted sum of both terms."""
        perceptual, terms = super().forward(outputs, images)
        pixel = self.likelihood.loss(outputs, images)
        return perceptual + self.pixel_weight * pixel, {**terms, "pixel": pixel}

    def to_display(self, images: Tensor) -> Tensor:
        """Return the images unchanged."""
        return images


def build_reconstruction(config: LatentModelConfig, feature_space: FeatureSpace | None) -> Reconstruction:
    """Return the reconstruction term that `config.loss` names.

    Args:
        config: the model's configuration.
        feature_space: J; needed unless the loss is `pixel`.

    Raises:
        InputError: J is missing, or given to a loss that has no use for it.
    """
    pixels = likelihood(config.likelihood, config.pixel_std)
    if feature_space is None:
        if config.needs_dae:
            raise InputError(f"loss {config.loss!r} needs a DAE")
        return PixelLoss(pixels)
    if config.loss == "perceptual":
        return PerceptualLoss(pixels, feature_space)
    if config.loss == "features":
        return FeatureLoss(feature_space)
    if config.loss == "mixed" and config.pixel_weight is not None:
        return MixedLoss(pixels, feature_space, config.pixel_weight)
    raise InputError(f"loss {config.loss!r} has no use for a DAE")
