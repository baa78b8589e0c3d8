"""Kim & Mnih, Disentangling by Factorising, ICML 2018, arXiv 1802.05983.

Idea: a discriminator estimates the total correlation of the latents, and that is penalized.
Train: darla see FRAMES --out RUN --preset factor
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from darla.common import InputError
from darla.common.checked_config import require_at_least_one
from darla.vision.models.base import VAE, Posterior
from darla.vision.models.config import LatentModelConfig, require_non_negative
from darla.vision.models.networks import Float32Linear
from darla.vision.models.reconstruction import Terms
from darla.vision.models.registry import register_model


@dataclass(frozen=True)
class FactorVAEConfig(LatentModelConfig):
    """A FactorVAE: its networks and its objective."""

    gamma: float = 35.0
    """Weight of the total correlation; 35 for dSprites in the paper."""
    discriminator_width: int = 1000
    """Units of each hidden layer of the discriminator."""
    discriminator_depth: int = 6
    """Hidden layers of the discriminator: six in the paper's figure and in disentanglement_lib, five elsewhere."""
    discriminator_rate: float = 1.0
    """Learning rate of the discriminator in units of the model's; both are 1e-4 in the paper for dSprites."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "gamma")
        require_at_least_one(self, "discriminator_width", "discriminator_depth")
        if not self.discriminator_rate > 0:
            raise InputError(f"discriminator_rate must be above 0, not {self.discriminator_rate}")


class Discriminator(nn.Module):
    """Classifies codes as joint (class 0) or with latents permuted among images (class 1)."""

    def __init__(self, latent_dim: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [latent_dim, *[width] * depth]
        layers = ((nn.Linear(a, b), nn.LeakyReLU(0.2)) for a, b in pairwise(widths))
        self.hidden = nn.Sequential(*(layer for pair in layers for layer in pair))
        self.head = Float32Linear(width, 2)

    def forward(self, latents: Tensor) -> Tensor:
        """Return two logits for each code (N, D), float32 (N, 2)."""
        logits: Tensor = self.head(self.hidden(latents))
        return logits


def permute_latents(latents: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Permute each latent among the images independently, (N, D): a sample of prod_j q(z_j) (algorithm 1)."""
    order = torch.rand(latents.shape, generator=generator, device=latents.device).argsort(0)
    return latents.gather(0, order)


@register_model("factor_vae", label="FactorVAE", symbol="γ", weight="gamma", presets={"factor": {}})
class FactorVAE(VAE):
    """L = reconstruction + KL(q(z|x) || N(0, I)) + gamma TC(z), minimized (equation 2 of the paper, negated).

    TC = KL(q(z) || prod_j q(z_j)) = E_q(z)[log D(z) / (1 - D(z))] (equation 3), the mean over the batch of the
    difference of the discriminator's two logits. The discriminator minimizes its cross-entropy on codes of the first
    half of the batch (joint) and permuted codes of the second half, for the two batches of the paper's algorithm 2.
    Both losses are one sum: TC uses a copy of the discriminator without gradients, and the discriminator's loss uses
    detached codes, so neither sends gradients to the other's parameters and one optimizer takes both steps. The
    discriminator has Adam's betas (0.5, 0.9) as in the paper.
    """

    Config = FactorVAEConfig
    config: FactorVAEConfig

    def setup(self) -> None:
        """Add the discriminator."""
        width, depth = self.config.discriminator_width, self.config.discriminator_depth
        self.discriminator = Discriminator(self.config.latent_dim, width, depth)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the model's parameters, and the discriminator's with betas and learning rate of their own."""
        (group,) = super().parameter_groups()
        discriminator = list(self.discriminator.parameters())
        of_discriminator = {id(parameter) for parameter in discriminator}
        others = [parameter for parameter in group["params"] if id(parameter) not in of_discriminator]
        return [
            {**group, "params": others},
            {
                "params": discriminator,
                "betas": (0.5, 0.9),
                "lr_scale": self.config.discriminator_rate,
                "weight_decay": 0.0,
            },
        ]

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return KL + gamma TC + the discriminator's loss; `kl`, `total_correlation` and `discriminator`."""
        kl = posterior.kl()

        frozen_discriminator = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
        logits = functional_call(self.discriminator, frozen_discriminator, (latents,))
        total_correlation = (logits[:, 0] - logits[:, 1]).mean()  # equation 3

        half = max(1, len(latents) // 2)
        joint, others = latents[:half], latents[half:] if len(latents) > 1 else latents
        both = self.discriminator(torch.cat([joint, permute_latents(others, generator)]).detach())
        joint_logits, permuted_logits = both[:half], both[half:]
        discriminator_loss = 0.5 * (
            functional.cross_entropy(joint_logits, torch.zeros(len(joint_logits), dtype=torch.long, device=both.device))
            + functional.cross_entropy(
                permuted_logits, torch.ones(len(permuted_logits), dtype=torch.long, device=both.device)
            )
        )
        terms = {"kl": kl, "total_correlation": total_correlation, "discriminator": discriminator_loss}
        # Held-out losses leave out the discriminator's own, so that they are the model's objective alone.
        return kl + self.config.gamma * total_correlation + (discriminator_loss if self.training else 0.0), terms
