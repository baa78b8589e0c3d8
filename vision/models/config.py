"""Configurations that vision models share. Each model adds its own weights to one of these."""

from dataclasses import dataclass, field
from typing import Self

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig
from darla.vision.models.feature_space import PerceptualConfig

DECODERS = ("mirror", "broadcast")
LOSSES = ("pixel", "perceptual", "features", "mixed")


@dataclass(frozen=True)
class VisionModelConfig(CheckedConfig):
    """What every vision model has."""

    latent_dim: int = 32
    """Latents; 32 as in DARLA."""
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    """Feature space J in which images are compared, where the model uses a denoising autoencoder."""

    @property
    def needs_dae(self) -> bool:
        """Whether a denoising autoencoder has to be trained first."""
        return False

    def for_frames(self, frames: object) -> Self:
        """Return the configuration with what the frames decide, such as the number of actions; by default, itself.

        Args:
            frames: what the model will be trained on; they have what it needs beside images.

        Raises:
            InputError: the model cannot be trained on these frames as it is configured.
        """
        return self


@dataclass(frozen=True)
class LatentModelConfig(VisionModelConfig):
    """Networks and reconstruction term of a model with an encoder and a decoder."""

    network: str = "darla"
    """Encoder and decoder: `darla` (32, 32, 64, 64 channels, 256 units), `locatello` or `burgess`."""
    width: int = 1
    """Multiplies the channels and hidden units of the network."""
    decoder: str = "mirror"
    """`mirror` (the encoder's mirror image) or `broadcast` (the code at each position of a grid, beside the position's
    coordinates, Watters et al. 2019), which makes it easy to draw an object at any position."""
    activation: str = "relu"
    """`relu`, as reported for DARLA, or `elu`."""
    loss: str = "pixel"
    """Reconstruction term: `pixel` (β-VAE), `perceptual` (DAE features of the decoded image; β-VAE_DAE as in the
    paper), `features` (the decoder predicts the DAE's bottleneck itself; our addition), or `mixed` (`perceptual` plus
    pixels; our addition). See darla_vae.py."""
    likelihood: str = "bernoulli"
    """Pixel term: `bernoulli`, `gaussian` or `gaussian_per_pixel`."""
    pixel_std: float = 0.1
    """Standard deviation of the `gaussian` likelihood, in units of the pixel range. With 0.1, codes of images of rooms
    hold 20 to 30 nats."""
    pixel_weight: float | None = None
    """Weight of the pixel term beside the perceptual one, for loss `mixed` alone."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        if self.loss not in LOSSES:
            raise unknown_name("loss", self.loss, LOSSES)
        if self.decoder not in DECODERS:
            raise unknown_name("decoder", self.decoder, DECODERS)
        if self.decoder != "mirror" and self.loss == "features":
            raise InputError(f"decoder {self.decoder!r} would be ignored: loss 'features' decodes to no image")
        if self.loss == "mixed" and (self.pixel_weight is None or not self.pixel_weight > 0):
            raise InputError(f"loss 'mixed' needs a pixel_weight above 0, not {self.pixel_weight}")
        if self.loss == "features" and self.perceptual.layer != "bottleneck":
            raise InputError(f"loss 'features' predicts the bottleneck, not layer {self.perceptual.layer!r}")
        if self.loss != "mixed" and self.pixel_weight is not None:
            raise InputError(f"pixel_weight {self.pixel_weight} would be ignored: it belongs to loss 'mixed' only")

    @property
    def needs_dae(self) -> bool:
        """Whether the reconstruction term compares features of a denoising autoencoder."""
        return self.loss != "pixel"


def require_non_negative(config: object, *names: str) -> None:
    """Check that weights are not negative.

    Raises:
        InputError: one is; names it.
    """
    for name in names:
        if not getattr(config, name) >= 0:
            raise InputError(f"{name} must not be negative, not {getattr(config, name)}")
