"""InfoVAE, and MMD-VAE, which is one of them: the codes as a whole are drawn towards the prior.

Zhao, Song, Ermon, InfoVAE: Information Maximizing Variational Autoencoders, arXiv 1706.02262.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import Posterior
from darla.vision.models.vae import VAE, VAEConfig, require_non_negative


@dataclass(frozen=True)
class InfoVAEConfig(VAEConfig):
    """An InfoVAE: its networks and its objective."""

    alpha: float = 1.0
    """1 leaves out the KL divergence (MMD-VAE); 0 with `divergence` 1 is a VAE."""
    divergence: float = 1000.0
    """The paper's lambda; the weight of the maximum mean discrepancy is alpha + divergence - 1."""
    prior_samples: int = 256
    """Draws from the prior that a batch is compared with."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        super().__post_init__()
        if self.alpha > 1:
            raise InputError(f"alpha must be at most 1, not {self.alpha}: the KL divergence would be rewarded")
        require_non_negative(self, "divergence")
        if self.alpha + self.divergence < 1:
            raise InputError(f"alpha + divergence must be at least 1, not {self.alpha + self.divergence}")
        if self.prior_samples < 1:
            raise InputError(f"prior_samples must be at least 1, not {self.prior_samples}")


def maximum_mean_discrepancy(one: Tensor, other: Tensor) -> Tensor:
    """Return MMD^2 of two samples, (N, D) and (M, D): V-statistics with the kernel exp(-|x - y|^2 / D^2).

    The kernel is that of the authors' own notes: the mean squared difference of the D latents over D.
    """

    def kernel(left: Tensor, right: Tensor) -> Tensor:
        apart = (left[:, None] - right[None]).square().sum(2)
        return (-apart / left.shape[1] ** 2).exp().mean()

    return kernel(one, one) + kernel(other, other) - 2 * kernel(one, other)


class InfoVAE(VAE):
    """L = reconstruction + (1 - alpha) KL + (alpha + lambda - 1) MMD(q(z), p(z)), minimised (equation 6)."""

    Config = InfoVAEConfig
    config: InfoVAEConfig

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return both divergences, weighted, and `kl` and `mmd` before their weights."""
        kl = posterior.kl()
        shape = (self.config.prior_samples, latents.shape[1])
        prior = torch.randn(shape, generator=generator, device=latents.device)
        mmd = maximum_mean_discrepancy(latents, prior)
        weight = self.config.alpha + self.config.divergence - 1
        return (1 - self.config.alpha) * kl + weight * mmd, {"kl": kl, "mmd": mmd}
