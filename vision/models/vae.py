"""What all variational autoencoders of the toolkit share: networks, reconstruction terms, and the shape of the loss.

A model is this and a penalty on its codes. So every penalty goes with every reconstruction term: FactorVAE on DARLA's
perceptual loss is a setting and no model of its own.
"""

from abc import abstractmethod
from dataclasses import dataclass, field

import torch
from torch import Tensor

from darla.common import InputError, unknown_name
from darla.vision.models.base import Posterior, VisionModel
from darla.vision.models.likelihoods import likelihood
from darla.vision.models.networks import BroadcastDecoder, Decoder, Encoder, FeatureDecoder, architecture
from darla.vision.models.perceptual import PerceptualConfig, PerceptualLoss

DECODERS = ("mirror", "broadcast")
LOSSES = ("pixel", "perceptual", "features", "mixed")


@dataclass(frozen=True)
class VAEConfig:
    """Networks and reconstruction term of a variational autoencoder."""

    latent_dim: int = 32
    """Latents; 32 as in DARLA."""
    network: str = "darla"
    """Encoder and decoder: `darla` (32, 32, 64, 64 channels, 256 units), `locatello` or `burgess`."""
    width: int = 1
    """Multiplies the channels and hidden units of the network."""
    decoder: str = "mirror"
    """`mirror` (the encoder's mirror image) or `broadcast` (a code at every place beside the place's coordinates,
    Watters et al. 2019), which makes it easy to draw a thing anywhere."""
    activation: str = "relu"
    """`relu`, as reported for DARLA, or `elu`."""
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
        if self.decoder not in DECODERS:
            raise unknown_name("decoder", self.decoder, DECODERS)
        if self.decoder != "mirror" and self.loss == "features":
            raise InputError(f"decoder {self.decoder!r} would be ignored: loss 'features' decodes to no picture")
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


def require_non_negative(config: object, *names: str) -> None:
    """Refuse a weight below 0, naming it."""
    for name in names:
        if not getattr(config, name) >= 0:
            raise InputError(f"{name} must not be negative, not {getattr(config, name)}")


class VAE(VisionModel):
    """L = reconstruction + penalty, minimised; what the penalty is makes the model.

    The reconstruction term is, by `config.loss`, summed over pixels or features and averaged over images:

    - `pixel`: -log p(x|z) (beta-VAE and its relatives);
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

    Config: type[VAEConfig] = VAEConfig

    def __init__(
        self,
        config: VAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        if (perceptual is not None) != config.needs_dae:
            raise InputError(f"loss {config.loss!r} " + ("needs" if config.needs_dae else "has no use for") + " a DAE")
        self.config = config
        self.likelihood = likelihood(config.likelihood, config.pixel_std)
        shape = architecture(config.network, config.width)
        self.encoder = Encoder(shape, image_shape, self.outputs_per_latent() * config.latent_dim, config.activation)
        self.decoder: FeatureDecoder | Decoder | BroadcastDecoder
        if config.loss == "features" and perceptual is not None:
            width = perceptual.dae.config.bottleneck
            self.decoder = FeatureDecoder(config.latent_dim, (256 * config.width,) * 2, width, config.activation)
        else:
            outputs = self.likelihood.channels(image_shape[2])
            build = BroadcastDecoder if config.decoder == "broadcast" else Decoder
            self.decoder = build(shape, image_shape, config.latent_dim, outputs, config.activation)
        self.perceptual = perceptual

    def outputs_per_latent(self) -> int:
        """Return how many numbers the encoder puts out for each latent: mean and log-variance."""
        return 2

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

    def reconstruction(self, latents: Tensor, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the reconstruction term and its parts, `perceptual` and `pixel`, each in nats an image."""
        outputs = self.decoder(latents)
        terms: dict[str, Tensor] = {}
        total = torch.zeros((), device=images.device)
        if self.perceptual is not None:
            direct = self.config.loss == "features"
            seen = outputs if direct else self.perceptual.features(self.likelihood.image(outputs))
            terms["perceptual"] = self.perceptual.distance(seen, images)
            total = total + terms["perceptual"]
        if self.config.loss in ("pixel", "mixed"):
            terms["pixel"] = self.likelihood.loss(outputs, images)
            total = total + (1.0 if self.config.pixel_weight is None else self.config.pixel_weight) * terms["pixel"]
        return total, terms

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the loss and its terms in nats an image: `kl`, those of the penalty, `perceptual`, `pixel`."""
        posterior = self.encode(images)
        latents = posterior.sample(generator)
        penalty, parts = self.penalty(posterior, latents, generator)
        reconstruction, terms = self.reconstruction(latents, images)
        return {"loss": reconstruction + penalty, **parts, **terms}

    @abstractmethod
    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what is added to the reconstruction term, and its parts by name.

        Args:
            posterior: q(z|x) of the batch.
            latents: one z for each image, (N, D).
            generator: source of any further random numbers.
        """
