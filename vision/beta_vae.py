"""beta-VAE and DARLA's beta-VAE_DAE: one model, whose reconstruction term is chosen.

beta-VAE: Higgins et al., ICLR 2017 (openreview Sy2fzU9gl). beta-VAE_DAE: Higgins et al. 2017, arXiv
1707.08475.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from darla.base import InputError, unknown_name
from darla.vision.base import Posterior, VisionModel
from darla.vision.likelihoods import likelihood
from darla.vision.networks import Decoder, Encoder, FeatureDecoder, architecture
from darla.vision.perceptual import PerceptualConfig, PerceptualLoss

LOSSES = ("pixel", "perceptual", "features", "mixed")


@dataclass(frozen=True)
class BetaVAEConfig:
    """A beta-VAE: its networks and its objective."""

    latent_dim: int = 32
    """Latents; 32 as in DARLA."""
    network: str = "darla"
    """Encoder and decoder: `darla` (32, 32, 64, 64 channels, 256 units) or `burgess`."""
    width: int = 1
    """Multiplies the channels and hidden units of the network."""
    activation: str = "relu"
    """`relu`, as reported for DARLA, or `elu`."""
    beta: float = 1.0
    """Weight of the KL divergence. With the reconstruction term summed over pixels, 1 is the evidence lower
    bound."""
    beta_is_normalised: bool = False
    """Read `beta` as Higgins et al.'s normalised beta: the weight is then beta * (pixels x channels) /
    latents."""
    beta_warm_up: float = 0.0
    """Share of the training in which beta rises in a straight line from 0. A perceptual loss begins so far from any
    picture that the code would collapse before the decoder has found out how to draw."""
    loss: str = "pixel"
    """Reconstruction term: `pixel` (beta-VAE), `perceptual` (beta-VAE_DAE), `features` (the same distance, but
    the decoder predicts the DAE's bottleneck itself instead of a picture that the DAE then reads; our
    addition), or `mixed` (pixels and features of pictures; our addition)."""
    likelihood: str = "bernoulli"
    """Pixel term: `bernoulli`, `gaussian` or `gaussian_per_pixel`."""
    pixel_std: float = 0.1
    """Standard deviation of the `gaussian` likelihood, in units of the pixel range; measured on rooms as
    where a latent code of 20 to 30 nats ends up."""
    pixel_weight: float | None = None
    """Weight of the pixel term beside the perceptual one, for `mixed` alone."""
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    """The perceptual term, unless the loss is `pixel`."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing or would be ignored."""
        if self.loss not in LOSSES:
            raise unknown_name("loss", self.loss, LOSSES)
        if self.beta < 0:
            raise InputError(f"beta must not be negative, not {self.beta}")
        if not 0 <= self.beta_warm_up < 1:
            raise InputError(f"beta_warm_up must be a share in [0, 1), not {self.beta_warm_up}")
        if self.loss == "mixed" and (self.pixel_weight is None or not self.pixel_weight > 0):
            raise InputError(f"loss 'mixed' needs a pixel_weight above 0, not {self.pixel_weight}")
        if self.loss == "features" and self.perceptual.layer != "bottleneck":
            raise InputError(f"loss 'features' predicts the bottleneck, not layer {self.perceptual.layer!r}")
        if self.loss != "mixed" and self.pixel_weight is not None:
            raise InputError(f"pixel_weight {self.pixel_weight} would be ignored: it belongs to loss 'mixed' only")

    @property
    def needs_dae(self) -> bool:
        """Whether the objective compares features of a DAE."""
        return self.loss != "pixel"


class BetaVAE(VisionModel):
    """L = reconstruction + beta KL(q(z|x) || N(0, I)), minimised.

    The reconstruction term is, by `config.loss`:

    - `pixel`: -log p(x|z), summed over pixels (beta-VAE);
    - `perceptual`: ||J(x_hat) - J(x)||^2 / 2 in normalised features of a frozen DAE (beta-VAE_DAE), x_hat the
      mean of p(x|z); J sees the clean image;
    - `features`: ||y_hat - J(x)||^2 / 2 with y_hat decoded from z without a picture in between. A picture is free in
      J's null space, and the way to it and back through the DAE is long: without it the same objective takes
      a third of the time and is minimised further. Pictures are drawn from y_hat by the DAE's own decoder;
    - `mixed`: the perceptual term plus `pixel_weight` times the pixel term. This is an addition of this
      toolkit, not of the paper: it ties down what J does not see.

    Args:
        config: networks and objective.
        perceptual: the perceptual term; needed exactly where the loss has one.
        image_shape: height, width, channels.
    """

    Config = BetaVAEConfig

    def __init__(
        self,
        config: BetaVAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        if (perceptual is not None) != config.needs_dae:
            raise InputError(f"loss {config.loss!r} " + ("needs" if config.needs_dae else "has no use for") + " a DAE")
        self.config = config
        self.likelihood = likelihood(config.likelihood, config.pixel_std)
        shape = architecture(config.network, config.width)
        self.encoder = Encoder(shape, image_shape, 2 * config.latent_dim, config.activation)
        self.decoder: FeatureDecoder | Decoder
        if config.loss == "features" and perceptual is not None:
            width = perceptual.dae.config.bottleneck
            self.decoder = FeatureDecoder(config.latent_dim, (256 * config.width,) * 2, width, config.activation)
        else:
            outputs = self.likelihood.channels(image_shape[2])
            self.decoder = Decoder(shape, image_shape, config.latent_dim, outputs, config.activation)
        self.perceptual = perceptual
        height, width, channels = image_shape
        values_per_latent = height * width * channels / config.latent_dim
        self.beta = config.beta * values_per_latent if config.beta_is_normalised else config.beta
        self._warmth = 1.0

    def set_progress(self, share: float) -> None:
        """Raise beta to its value over the first `beta_warm_up` of the training."""
        self._warmth = min(1.0, share / self.config.beta_warm_up) if self.config.beta_warm_up else 1.0

    def encode(self, images: Tensor) -> Posterior:
        """Return q(z|x) for images, float32 (N, C, H, W) in [0, 1]."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return Posterior(mean, log_variance)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the mean images of p(x|z), float32 (N, C, H, W) in [0, 1], for latents (N, D)."""
        if self.config.loss == "features" and self.perceptual is not None:
            return self.perceptual.picture(self.decoder(latents))
        return self.likelihood.image(self.decoder(latents))

    def display(self, images: Tensor) -> Tensor:
        """Show a purely perceptual reconstruction through the DAE: by itself it is free in J's null space."""
        if self.config.loss == "perceptual" and self.perceptual is not None:
            shown: Tensor = self.perceptual.dae(images)
            return shown
        return images

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the loss and its terms in nats an image: `kl` (before beta), `perceptual`, `pixel`."""
        posterior = self.encode(images)
        outputs = self.decoder(posterior.sample(generator))
        terms = {"kl": posterior.kl()}
        # Outside training the objective is the final one, so that held-out losses can be compared along the way.
        loss = (self.beta * self._warmth if self.training else self.beta) * terms["kl"]
        if self.perceptual is not None:
            direct = self.config.loss == "features"
            seen = outputs if direct else self.perceptual.features(self.likelihood.image(outputs))
            terms["perceptual"] = self.perceptual.distance(seen, images)
            loss = loss + terms["perceptual"]
        if self.config.loss in ("pixel", "mixed"):
            terms["pixel"] = self.likelihood.loss(outputs, images)
            loss = loss + (1.0 if self.config.pixel_weight is None else self.config.pixel_weight) * terms["pixel"]
        return {"loss": loss, **terms}
