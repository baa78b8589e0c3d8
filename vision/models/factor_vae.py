"""FactorVAE: a discriminator estimates how far the latents are from independent, and that is penalised.

Kim & Mnih, Disentangling by Factorising, ICML 2018, arXiv 1802.05983.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from darla.common import InputError
from darla.vision.models.base import Posterior
from darla.vision.models.perceptual import PerceptualLoss
from darla.vision.models.vae import VAE, VAEConfig, require_non_negative
from darla.vision.training.fused_conv import Float32Linear


@dataclass(frozen=True)
class FactorVAEConfig(VAEConfig):
    """A FactorVAE: its networks and its objective."""

    gamma: float = 35.0
    """Weight of the total correlation; 35 for dSprites in the paper."""
    discriminator_width: int = 1000
    """Units of each hidden layer of the discriminator."""
    discriminator_depth: int = 6
    """MLP layers of the discriminator: six in the paper's figure and in disentanglement_lib, five elsewhere."""
    discriminator_rate: float = 1.0
    """Learning rate of the discriminator in units of the model's; both are 1e-4 in the paper for dSprites."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        super().__post_init__()
        require_non_negative(self, "gamma")
        for name in ("discriminator_width", "discriminator_depth"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.discriminator_rate > 0:
            raise InputError(f"discriminator_rate must be above 0, not {self.discriminator_rate}")


class Discriminator(nn.Module):
    """Tells codes as they are (class 0) from codes whose latents were shuffled among images (class 1)."""

    def __init__(self, latent_dim: int, width: int, depth: int) -> None:
        super().__init__()
        sizes = [latent_dim, *[width] * depth]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.head = Float32Linear(width, 2)

    def forward(self, latents: Tensor) -> Tensor:
        """Return two logits for each code (N, D), float32 (N, 2)."""
        x = latents
        for layer in self.hidden:
            x = functional.leaky_relu(layer(x), 0.2)
        logits: Tensor = self.head(x)
        return logits


def permute_latents(latents: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Shuffle each latent among the images by a permutation of its own, (N, D): a draw from prod_j q(z_j)."""
    order = torch.rand(latents.shape, generator=generator, device=latents.device).argsort(0)
    return latents.gather(0, order)


class FactorVAE(VAE):
    """L = reconstruction + KL(q(z|x) || N(0, I)) + gamma TC(z), minimised; TC = mean of D_0(z) - D_1(z).

    D's two logits estimate log q(z) / prod_j q(z_j), and TC is their mean over the batch; D minimises the cross-entropy
    of codes of the first half of the batch (class 0) and of codes of the second half, permuted (class 1), as the
    paper's algorithm 2 with its two batches. Both losses are one sum: TC reads D with its parameters held still, D
    reads codes that are held still. So no gradient of either is where it does not belong, and one optimiser takes both
    steps at once, Adam with (0.5, 0.9) for D as in the paper.
    """

    Config = FactorVAEConfig
    config: FactorVAEConfig

    def __init__(
        self,
        config: FactorVAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config, perceptual, image_shape)
        width, depth = config.discriminator_width, config.discriminator_depth
        self.discriminator = Discriminator(config.latent_dim, width, depth)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Give the discriminator its own momentum and rate."""
        (group,) = super().parameter_groups()
        judging = {id(parameter) for parameter in self.discriminator.parameters()}
        mine = [parameter for parameter in group["params"] if id(parameter) not in judging]
        judge = {
            "params": list(self.discriminator.parameters()),
            "betas": (0.5, 0.9),
            "rate": self.config.discriminator_rate,
            "weight_decay": 0.0,
        }
        return [{**group, "params": mine}, judge]

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return KL + gamma TC + D's own loss, and `kl`, `total_correlation` and `discriminator`."""
        kl = posterior.kl()
        half = max(1, len(latents) // 2)
        joint, other = latents[:half], latents[half:] if len(latents) > 1 else latents
        still = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        judged = functional_call(self.discriminator, still, (latents,))
        total_correlation = (judged[:, 0] - judged[:, 1]).mean()
        told = self.discriminator(torch.cat([joint, permute_latents(other, generator)]).detach())
        truth = torch.zeros(len(told), dtype=torch.long, device=told.device)
        truth[half:] = 1
        discrimination = 0.5 * (
            functional.cross_entropy(told[:half], truth[:half]) + functional.cross_entropy(told[half:], truth[half:])
        )
        parts = {"kl": kl, "total_correlation": total_correlation, "discriminator": discrimination}
        # Held-out losses are of the model alone.
        return kl + self.config.gamma * total_correlation + (discrimination if self.training else 0.0), parts
