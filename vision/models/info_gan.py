"""Chen et al., InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets.

NIPS 2016, arXiv 1606.03657.

Idea: some of a generator's inputs have to be recognizable in its images, so that they become visible properties.
Train: darla see FRAMES --out RUN --preset infogan
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from darla.common import InputError
from darla.vision.models.adversarial_networks import (
    ImageDiscriminator,
    ImageGenerator,
    apply_frozen,
    apply_without_statistics,
)
from darla.vision.models.base import DeterministicPosterior, Posterior, VisionModel
from darla.vision.models.config import VisionModelConfig, require_non_negative
from darla.vision.models.feature_space import FeatureSpace, PerceptualConfig
from darla.vision.models.image_model import Given
from darla.vision.models.info_codes import InfoCodes
from darla.vision.models.networks import Architecture
from darla.vision.models.reconstruction import Terms
from darla.vision.models.registry import register_model

_SHEET_COLUMNS = 10
"""Draws of noise in a sheet of samples."""
_SHEET_VALUES = 5
"""Rows of a continuous code in a sheet of samples."""


@dataclass(frozen=True)
class InfoGANConfig(VisionModelConfig):
    """An InfoGAN: its codes, its networks and its objective."""

    latent_dim: int = 8
    """Latents: continuous codes, and the classes of all categorical ones. What `n_categorical` and `n_classes` leave of
    them are continuous codes: 5 by default, as for faces in the paper."""
    n_categorical: int = 1
    """Categorical codes; 1 for MNIST, 4 for SVHN and 10 for CelebA in the paper."""
    n_classes: int = 3
    """Classes of each categorical code; 10 in the paper for these sets, 20 for chairs."""
    n_noise: int = 62
    """Inputs of the generator that are not encoded, uniform in [-1, 1]; 62 for MNIST in the paper."""
    channels: int = 32
    """Channels of the discriminator's first two convolutions; the next two have twice as many, the connected layer
    eight times. The generator mirrors it. 32 are the sizes of DARLA's encoder."""
    batch_norm: bool = False
    """Batch normalization in the discriminator, as in the paper. Off, since with it the generator drew noise on sprites
    in two short trainings. It sees real and generated images in separate batches, which may hide how bright they
    are."""
    info_weight: float = 1.0
    """λ, weight of the bound on mutual information in nats; 1 in the authors' code."""
    code_std: float = 1.0
    """Standard deviation of Q(c|x) for continuous codes, in units of the codes; fixed to 1 in the authors' code for
    MNIST. Their squared error has the weight λ / (2 code_std^2)."""
    discriminator_rate: float = 0.2
    """Learning rate of the discriminator and Q in units of the generator's; 2e-4 and 1e-3 in the paper."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        require_non_negative(self, "info_weight", "n_categorical", "n_noise")
        for name in ("code_std", "discriminator_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.channels < 1:
            raise InputError(f"channels must be at least 1, not {self.channels}")
        if self.n_classes < 2:
            raise InputError(f"n_classes must be at least 2, not {self.n_classes}")
        classes = self.n_categorical * self.n_classes
        if self.latent_dim < max(1, classes):
            raise InputError(
                f"latent_dim must be at least {max(1, classes)} for {self.n_categorical} categorical codes of "
                f"{self.n_classes} classes, not {self.latent_dim}"
            )
        if not self.n_categorical and self.n_classes != self._default("n_classes"):
            raise InputError(f"n_classes {self.n_classes} would be ignored: there are no categorical codes")
        if self.latent_dim == classes and self.code_std != self._default("code_std"):
            raise InputError(f"code_std {self.code_std} would be ignored: there are no continuous codes")
        if self.perceptual != PerceptualConfig():
            raise InputError("settings of 'perceptual' would be ignored: a GAN compares no features")

    @property
    def codes(self) -> InfoCodes:
        """The codes c."""
        n_continuous = self.latent_dim - self.n_categorical * self.n_classes
        return InfoCodes(n_continuous, self.n_categorical, self.n_classes, self.code_std)

    def _default(self, name: str) -> Any:
        return next(each.default for each in fields(self) if each.name == name)


@register_model(
    "info_gan",
    label="InfoGAN",
    symbol="λ",
    weight="info_weight",
    # On sprites the categorical code was unused until step 400 with λ 1 and 62 noise variables, and until step 600 with
    # λ 2 and 8; with λ 5 and 8 it was recognized after 200 steps. One seed each.
    presets={
        "infogan": {
            "info_weight": 5.0,
            "n_noise": 8,
            "training__learning_rate": 1e-3,
            "training__schedule": "constant",
        }
    },
)
class InfoGAN(VisionModel):
    """min_{G,Q} max_D E[log D(x)] + E[log(1 - D(G(c, n)))] - lambda (E[log Q(c|G(c, n))] + H(c))   (equation 6).

    c are the codes, n is noise; the last term is a lower bound on the mutual information I(c; G(c, n)). Q and D share
    all layers but the last ones and are trained together. Here it is one loss, minimized:

        L = -E[log D(x)] - E[log(1 - D(sg(G)))] - lambda I_Q(sg(G))     for D and Q; sg stops the gradient
            -E[log sg(D)(G)]                    - lambda I_sg(Q)(G)     for G, in the form that does not saturate

    so the term I_Q is in both updates, no gradient of one goes to the other, and one optimizer takes both steps. Adam
    has the betas (0.5, 0.999).

    The code of an image is Q's: means of the continuous codes, then probabilities of the classes. Q has learned from
    generated images alone, so it is only as good for real ones as the generator is; noise is not encoded. `decode`
    generates with the noise at 0, its mean, from the nearest code that the generator has been trained on.

    Where D has batch normalization, it sees real and generated images in separate batches. Its running statistics, with
    which images are encoded, are those of real ones.

    Args:
        config: codes, networks and objective.
        feature_space: None; a GAN compares no features.
        image_shape: height, width, channels.

    Raises:
        InputError: there is a feature space, or the images cannot be used.
    """

    Config: type[InfoGANConfig] = InfoGANConfig
    betas = (0.5, 0.999)
    """Adam's, of all parameters."""

    def __init__(
        self,
        config: InfoGANConfig,
        feature_space: FeatureSpace | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        if feature_space is not None:
            raise InputError("the feature space would be ignored: a GAN compares no features")
        self.config = config
        self.codes = config.codes
        channels = config.channels
        shape = Architecture((channels, channels, 2 * channels, 2 * channels), (8 * channels,))
        self.generator = ImageGenerator(shape, image_shape, self.codes.width + config.n_noise)
        self.discriminator = ImageDiscriminator(shape, image_shape, self.codes.width, batch_norm=config.batch_norm)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the generator's parameters, and those of D and Q with a learning rate of their own."""
        rate = self.config.discriminator_rate
        return [
            {"params": list(self.generator.parameters()), "betas": self.betas},
            {"params": list(self.discriminator.parameters()), "betas": self.betas, "lr_scale": rate},
        ]

    def encode(self, images: Tensor) -> Posterior:
        """Return Q's means and class probabilities for images, float32 (N, C, H, W) in [0, 1]."""
        _, parameters = self.discriminator(images)
        return DeterministicPosterior.at(self.codes.latents(parameters))

    def decode(self, latents: Tensor) -> Tensor:
        """Return generated images, float32 (N, C, H, W) in [0, 1], for latents (N, D); the noise is 0."""
        return self.generate(self.codes.nearest(latents), latents.new_zeros(len(latents), self.config.n_noise))

    def generate(self, codes: Tensor, noise: Tensor) -> Tensor:
        """Return G(c, n), float32 (N, C, H, W) in [0, 1], for codes (N, D) and noise (N, n_noise)."""
        images: Tensor = self.generator(torch.cat([codes, noise], dim=1))
        return images

    def traversal_range(self) -> Tensor:
        """Return (2, D): -1 to 1 for continuous codes, 0 to 2 for classes, of which `decode` takes the largest."""
        return self.codes.traversal_range()

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms: `discriminator`, `generator`, and those of the codes (`information`)."""
        codes = self.codes.draw(len(images), generator, images.device)
        generated = self.generate(codes, self.draw_noise(len(images), generator))

        real, _ = self.discriminator(images)
        fake, parameters = apply_without_statistics(self.discriminator, generated.detach())
        discriminator = functional.softplus(-real).mean() + functional.softplus(fake).mean()  # -log D, -log(1 - D)
        information, terms = self.information(parameters, codes)

        judged, parameters = apply_frozen(self.discriminator, generated)
        adversarial = functional.softplus(-judged).mean()  # -log D(G)
        own_information, _ = self.information(parameters, codes)

        loss = discriminator + adversarial - self.config.info_weight * (information + own_information)
        return {"loss": loss, "discriminator": discriminator, "generator": adversarial, **terms}

    def draw_noise(self, count: int, generator: torch.Generator | None) -> Tensor:
        """Draw noise, (count, n_noise), uniform in [-1, 1]."""
        return 2 * torch.rand(count, self.config.n_noise, generator=generator, device=self.device) - 1

    def information(self, parameters: Tensor, codes: Tensor) -> tuple[Tensor, Terms]:
        """Return the bound on I(c; G(c, n)) in nats, and what is reported of it.

        Args:
            parameters: of Q for generated images, (N, D).
            codes: from which they were generated, (N, D).

        Returns:
            The bound; and `mutual_information` (the bound) with `code_entropy`, H(c). If there are categorical codes,
            the same of those alone, `mutual_information_categorical` and `code_entropy_categorical`: a perfect Q makes
            them equal. For continuous codes a perfect Q reaches log(2 / (code_std sqrt(2 pi))) each, so their part of
            the bound tells little; `code_error` is their squared error in units of their variance.
        """
        continuous, categorical = self.codes.bounds(parameters, codes)
        entropies = self.codes.entropies()
        bound = continuous + categorical
        terms = {"mutual_information": bound, "code_entropy": bound.new_tensor(sum(entropies))}
        if self.codes.n_categorical:
            terms["mutual_information_categorical"] = categorical
            terms["code_entropy_categorical"] = bound.new_tensor(entropies[1])
        if self.codes.n_continuous:
            terms["code_error"] = self.codes.unexplained_variance(parameters, codes)
        return bound, terms

    def sheets(self, images: Tensor, generator: torch.Generator) -> Mapping[str, Sequence[tuple[str, Tensor]]]:
        """Return `samples`: in each row a code has one value, in each column noise and the other codes are the same."""
        columns = _SHEET_COLUMNS
        drawn = self.codes.draw(columns, generator, images.device)
        noise = self.draw_noise(columns, generator)
        continuous, ones = self.codes.split(drawn)
        classes = ones.argmax(-1)
        rows: list[tuple[str, Tensor]] = []
        for code in range(self.codes.n_categorical):
            for each in range(self.codes.n_classes):
                changed = classes.clone()
                changed[:, code] = each
                rows.append((f"code {code}\nclass {each}", self.codes.join(continuous, changed)))
        for code in range(self.codes.n_continuous):
            for value in torch.linspace(-1, 1, _SHEET_VALUES).tolist():
                moved = continuous.clone()
                moved[:, code] = value
                rows.append((f"z{code} = {value:.1f}", self.codes.join(moved, classes)))
        return {"samples": [(label, self.generate(codes, noise)) for label, codes in rows]}
