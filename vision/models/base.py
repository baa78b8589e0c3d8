"""What a vision model is: `loss = reconstruction + penalty`. The penalty makes the model; read beta_vae.py next.

    ImageModel (image_model.py)  a loss of images
    VisionModel                  encode to a posterior over latents, decode to an image
    LatentModel                  an encoder and a decoder network, and a reconstruction term (reconstruction.py)
    VAE                          a Gaussian posterior q(z|x) and its KL divergence

Every penalty works with every reconstruction term: FactorVAE on DARLA's perceptual loss is an option, not a model.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from darla.common import InputError
from darla.vision.models.config import LatentModelConfig, VisionModelConfig
from darla.vision.models.feature_space import FeatureSpace
from darla.vision.models.image_model import Given, ImageModel
from darla.vision.models.networks import Encoder, architecture
from darla.vision.models.reconstruction import Terms, build_reconstruction

TRAVERSAL_DEVIATIONS = 2.5
"""How far a traversal moves a latent, in standard deviations of the prior or of the codes over D_U."""
DETERMINISTIC_LOG_VARIANCE = -30.0
"""Log-variance of a code without noise: small, and finite for metrics that divide by the variance."""


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian q(z|x) for each of N images, in float32."""

    mean: Tensor
    """(N, D)."""
    log_variance: Tensor
    """(N, D), natural logarithm of the variance."""

    def repeated(self, count: int) -> "Posterior":
        """Return the posterior of one image, (1, D), as that of several that are equal, (count, D)."""
        return Posterior(self.mean.expand(count, -1), self.log_variance.expand(count, -1))

    def rows(self, index: Tensor | slice) -> "Posterior":
        """Return the posteriors of some of the images."""
        return Posterior(self.mean[index], self.log_variance[index])

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw one z per image, (N, D), differentiable in mean and log-variance (the reparametrization trick)."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + noise * (0.5 * self.log_variance).exp()

    def kl_per_latent(self) -> Tensor:
        """Return KL(q(z_j|x) || N(0, 1)) in nats, (N, D); Kingma & Welling 2014, appendix B."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - self.log_variance - 1)

    def kl_to(self, other: "Posterior") -> Tensor:
        """Return KL(self_j || other_j) in nats for each image and latent, (N, D)."""
        difference = self.log_variance - other.log_variance
        distance = (self.mean - other.mean).square() / other.log_variance.exp()
        return 0.5 * (difference.exp() + distance - 1 - difference)

    def kl(self) -> Tensor:
        """Return KL(q(z|x) || N(0, I)) in nats: the sum over latents, the mean over images."""
        return self.kl_per_latent().sum(dim=1).mean()


@dataclass(frozen=True)
class DeterministicPosterior(Posterior):
    """A code without noise: its sample is its mean, and there is no divergence from a prior."""

    @classmethod
    def at(cls, codes: Tensor) -> "DeterministicPosterior":
        """Return the posterior at codes, (N, D)."""
        return cls(codes, torch.full_like(codes, DETERMINISTIC_LOG_VARIANCE))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Return the code, (N, D)."""
        return self.mean

    def kl_per_latent(self) -> Tensor:
        """Return zeros, (N, D)."""
        return torch.zeros_like(self.mean)


class VisionModel(ImageModel):
    """A model that maps an image to a posterior over D latents, and latents back to an image.

    The buffers `codes_mean` and `codes_std`, (D,), hold the fixed affine normalizer of the codes over D_U. They are
    part of the model, so that every policy trained on it reads the same normalized codes.
    """

    codes_mean: Tensor
    codes_std: Tensor
    Config: type[VisionModelConfig] = VisionModelConfig
    has_prior = True
    """Whether training ties the scale of the codes to that of a prior; otherwise their scale is arbitrary."""
    is_trained = True
    """Whether the model has parameters of its own to train, besides those of the DAE."""
    has_decoder = True
    """Whether codes can be turned into images; otherwise there are no reconstructions and no traversals."""

    def __init__(self, latent_dim: int, image_shape: tuple[int, int, int] = (64, 64, 3)) -> None:
        super().__init__(image_shape)
        if latent_dim < 1:
            raise InputError(f"latent_dim must be at least 1, not {latent_dim}")
        self.latent_dim = latent_dim
        self.register_buffer("codes_mean", torch.zeros(latent_dim))
        self.register_buffer("codes_std", torch.ones(latent_dim))

    @abstractmethod
    def encode(self, images: Tensor) -> Posterior:
        """Return q(z|x) for images, float32 (N, C, H, W) in [0, 1]."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Return the mean images of p(x|z), float32 (N, C, H, W) in [0, 1], for latents (N, D)."""

    def initialize(self) -> None:
        """Finish a new model, before training; not called for one that is loaded from an artefact."""

    def check(self, where: str) -> None:
        """Check a model that was loaded; by default there is nothing that its weights do not say.

        Args:
            where: its artefact, as an error names it.

        Raises:
            ArtefactError: it is not the model that was stored.
        """

    def to_display(self, images: Tensor) -> Tensor:
        """Return decoded images for display, (N, C, H, W) in [0, 1]; unchanged by default."""
        return images

    def traversal_range(self) -> Tensor:
        """Return the values between which a traversal moves each latent, (2, D): most of the prior, or of the codes."""
        if self.has_prior:
            limits = torch.tensor([[-TRAVERSAL_DEVIATIONS], [TRAVERSAL_DEVIATIONS]])
            return limits.expand(2, self.latent_dim)
        width = TRAVERSAL_DEVIATIONS * self.codes_std
        return torch.stack([self.codes_mean - width, self.codes_mean + width])

    def sheets(self, images: Tensor, generator: torch.Generator) -> Mapping[str, Sequence[tuple[str, Tensor]]]:
        """Return further pictures of what the model has learned, each a sheet of rows of images; none by default.

        Training writes them to TensorBoard, and as `NAME.png` into the artefact.

        Args:
            images: held-out images, float32 (N, C, H, W) in [0, 1]; those of a unit lie beside each other.
            generator: where every random number comes from; on the images' device.

        Returns:
            By the name of the sheet its rows from above: a label, and images (n, C, H, W) in [0, 1].
        """
        return {}

    def normalize(self, codes: Tensor) -> Tensor:
        """Apply the fixed affine normalizer to codes, (N, D)."""
        return (codes - self.codes_mean) / self.codes_std


class LatentModel(VisionModel):
    """An encoder and a decoder network, trained on `reconstruction + penalty`. Its codes have no noise.

    Args:
        config: networks and objective.
        feature_space: J; needed exactly where the reconstruction term compares DAE features.
        image_shape: height, width, channels.

    Raises:
        InputError: J is missing or would be ignored, or the images cannot be used.
    """

    Config: type[LatentModelConfig] = LatentModelConfig
    config: LatentModelConfig
    has_prior = False
    outputs_per_latent = 1
    """Encoder outputs for each latent."""

    def __init__(
        self,
        config: LatentModelConfig,
        feature_space: FeatureSpace | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        self.config = config
        reconstruction = build_reconstruction(config, feature_space)
        shape = architecture(config.network, config.width)
        self.encoder = Encoder(shape, image_shape, self.outputs_per_latent * config.latent_dim, config.activation)
        self.decoder: nn.Module = reconstruction.build_decoder(config, image_shape)
        self.reconstruction = reconstruction
        self.setup()

    def setup(self) -> None:
        """Add what a model has beside its networks; called at the end of the constructor."""

    def encode(self, images: Tensor) -> Posterior:
        """Return the codes of images, float32 (N, C, H, W) in [0, 1]."""
        return DeterministicPosterior.at(self.encoder(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Return decoded images, float32 (N, C, H, W) in [0, 1], for latents (N, D)."""
        return self.reconstruction.to_image(self.decoder(latents))

    def to_display(self, images: Tensor) -> Tensor:
        """Return decoded images for display, as the reconstruction term determines them."""
        return self.reconstruction.to_display(images)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms in nats per image: those of the penalty, `perceptual`, `pixel`."""
        return self.objective(self.infer(images, supervision), images, generator)

    def objective(
        self, posterior: Posterior, images: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms, given q(z|x) of the images."""
        latents = posterior.sample(generator)  # z
        penalty, penalty_terms = self.penalty(posterior, latents, generator)
        reconstruction, reconstruction_terms = self.reconstruction(self.decoder(latents), images)
        return {"loss": reconstruction + penalty, **penalty_terms, **reconstruction_terms}

    def infer(self, images: Tensor, supervision: Given | None) -> Posterior:
        """Return q(z|x) of a training batch; by default, of each image by itself.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            supervision: what the model has declared to need beside them.
        """
        return self.encode(images)

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return what is added to the reconstruction term, and its parts by name; here, nothing.

        Args:
            posterior: q(z|x) of the batch.
            latents: one z for each image, (N, D).
            generator: source of any further random numbers.
        """
        return latents.new_zeros(()), {}


class VAE(LatentModel):
    """A latent model with a Gaussian posterior q(z|x) = N(mu(x), diag(sigma^2(x))) and the prior N(0, I).

    Kingma & Welling 2014, arXiv 1312.6114. Subclasses say what their penalty is.
    """

    has_prior = True
    outputs_per_latent = 2  # mean and log-variance

    def encode(self, images: Tensor) -> Posterior:
        """Return q(z|x) for images, float32 (N, C, H, W) in [0, 1]."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return Posterior(mean, log_variance)

    @abstractmethod
    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return what is added to the reconstruction term, and its parts by name, `kl` among them."""
