"""InfoWGAN-GP, the GAN that Kim & Mnih compare FactorVAE with: Disentangling by Factorising, ICML 2018, 1802.05983.

InfoGAN (info_gan.py) on the Wasserstein GAN with gradient penalty of Gulrajani et al. 2017, arXiv 1704.00028.

Idea: a critic with bounded slope gives the generator a gradient wherever its images are, so that training is stable.
Train: darla see FRAMES --out RUN --preset infowgan
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.adversarial_networks import apply_frozen
from darla.vision.models.config import require_non_negative
from darla.vision.models.image_model import Given
from darla.vision.models.info_gan import InfoGAN, InfoGANConfig
from darla.vision.models.registry import register_model


@dataclass(frozen=True)
class InfoWGANGPConfig(InfoGANConfig):
    """An InfoWGAN-GP: its codes, its networks and its objective."""

    latent_dim: int = 10
    """Latents: continuous codes, and the classes of all categorical ones."""
    n_categorical: int = 0
    """Categorical codes; none in the open reimplementations for dSprites."""
    n_noise: int = 5
    """Inputs of the generator that are not encoded, uniform in [-1, 1]; 5 in InfoGAN-CR's code for dSprites, 0 in that
    of QLAE."""
    info_weight: float = 1.0
    """λ, weight of the bound on mutual information in nats. The open reimplementations differ: 0.05 in InfoGAN-CR's; 10
    in QLAE's (200 there, for a mean over ten codes in [0, 1])."""
    discriminator_rate: float = 1.0
    """Learning rate of the critic and Q in units of the generator's; 1 in the reimplementation of QLAE."""
    gradient_penalty: float = 10.0
    """Weight of the gradient penalty; 10 in Gulrajani et al."""
    critic_steps: int = 5
    """The generator is trained in every so many-th step, the critic in each; 5 in Gulrajani et al."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        super().__post_init__()
        require_non_negative(self, "gradient_penalty")
        if self.batch_norm:
            raise InputError("batch_norm cannot be used: the gradient penalty is on each image's own gradient")
        if self.critic_steps < 1:
            raise InputError(f"critic_steps must be at least 1, not {self.critic_steps}")


@register_model(
    "info_wgan_gp",
    label="InfoWGAN-GP",
    symbol="λ",
    weight="info_weight",
    # For trainings of a few thousand steps; the usual 2e-4 and five critic steps were not compared.
    presets={
        "infowgan": {
            "code_std": 0.5,
            "critic_steps": 3,
            "training__learning_rate": 5e-4,
            "training__schedule": "constant",
        }
    },
)
class InfoWGANGP(InfoGAN):
    """min_{G,Q} max_f E[f(x)] - E[f(G(c, n))] - 10 E[(|grad f(x')| - 1)^2] - lambda I_Q(G), f being the critic.

    x' = e x + (1 - e) G with e uniform in [0, 1] for each image. As one loss, minimized:

        L = E[f(sg(G))] - E[f(x)] + 10 E[(|grad f(x')| - 1)^2] - lambda I_Q(sg(G))    for f and Q
            -E[sg(f)(G)]                                       - lambda I_sg(Q)(G)    for G, in every fifth step

    Everything else is as in InfoGAN (its docstring), except that the critic can have no batch normalization and that
    Adam has the betas (0, 0.9). In the other steps the generator has no gradient, and the optimizer leaves its
    parameters and moments as they are.

    The gradient penalty is computed in float32 and is no part of held-out losses.
    """

    Config = InfoWGANGPConfig
    config: InfoWGANGPConfig
    betas = (0.0, 0.9)
    skips_parameters = True
    _trains_generator = True

    def on_step(self, step: int, steps: int) -> None:
        """Train the generator in the last of every `critic_steps` steps."""
        self._trains_generator = (step + 1) % self.config.critic_steps == 0

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms.

        Those are `wasserstein`, E[f(x)] - E[f(G)]; `gradient_penalty`, before its weight; and those of the codes
        (`information`).
        """
        trains_generator = self._trains_generator or not self.training
        codes = self.codes.draw(len(images), generator, images.device)
        noise = self.draw_noise(len(images), generator)
        with torch.set_grad_enabled(trains_generator and torch.is_grad_enabled()):
            generated = self.generate(codes, noise)

        values, parameters = self.discriminator(torch.cat([images, generated.detach()]))
        real, fake = values.chunk(2)
        information, terms = self.information(parameters[len(images) :], codes)
        wasserstein = real.mean() - fake.mean()
        loss = -wasserstein - self.config.info_weight * information
        terms = {"wasserstein": wasserstein, **terms}

        if self.training:
            terms["gradient_penalty"] = self.gradient_penalty(images, generated.detach(), generator)
            loss = loss + self.config.gradient_penalty * terms["gradient_penalty"]
        if trains_generator:
            judged, parameters = apply_frozen(self.discriminator, generated)
            own_information, _ = self.information(parameters, codes)
            loss = loss - judged.mean() - self.config.info_weight * own_information
        return {"loss": loss, **terms}

    def gradient_penalty(self, real: Tensor, generated: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return E[(|grad f(x')| - 1)^2] over points between real and generated images, differentiable in f.

        Args:
            real: float32 (N, C, H, W).
            generated: float32 (N, C, H, W), without gradient.
            generator: source of a random e for each image.
        """
        share = torch.rand(len(real), 1, 1, 1, generator=generator, device=real.device)
        mixed = (share * real + (1 - share) * generated).requires_grad_()
        # In bfloat16 a gradient of a gradient has too few digits, and the fused layers of a CPU have none.
        with torch.autocast(real.device.type, enabled=False):
            values = self.discriminator.value(mixed)
            (slopes,) = torch.autograd.grad(values.sum(), mixed, create_graph=True)
        penalty: Tensor = (torch.linalg.vector_norm(slopes, dim=(1, 2, 3)) - 1).square().mean()
        return penalty
