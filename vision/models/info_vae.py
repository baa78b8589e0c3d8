"""Zhao, Song, Ermon, InfoVAE: Information Maximizing Variational Autoencoders, 2017, arXiv 1706.02262 (and MMD-VAE).

Idea: the distribution of all codes together is pulled towards the prior, instead of that of every image.
Train: darla see FRAMES --out RUN --preset mmd
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import VAE, Posterior
from darla.vision.models.config import LatentModelConfig, require_non_negative
from darla.vision.models.reconstruction import Terms
from darla.vision.models.registry import register_model


@dataclass(frozen=True)
class InfoVAEConfig(LatentModelConfig):
    """An InfoVAE: its networks and its objective."""

    alpha: float = 1.0
    """1 leaves out the KL divergence (MMD-VAE); 0 with `lambda_` 1 is a VAE."""
    lambda_: float = 1000.0
    """λ of the paper; the weight of the maximum mean discrepancy is alpha + λ - 1."""
    prior_samples: int = 256
    """Samples of the prior that a batch is compared with."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        if self.alpha > 1:
            raise InputError(f"alpha must be at most 1, not {self.alpha}: the KL divergence would be rewarded")
        require_non_negative(self, "lambda_")
        if self.alpha + self.lambda_ < 1:
            raise InputError(f"alpha + lambda_ must be at least 1, not {self.alpha + self.lambda_}")
        if self.prior_samples < 1:
            raise InputError(f"prior_samples must be at least 1, not {self.prior_samples}")


def maximum_mean_discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Return MMD^2 of two samples, (N, D) and (M, D): V-statistics with the kernel exp(-|x - y|^2 / D^2).

    The kernel is that of the authors' own notes: the mean squared difference of the D latents over D.
    """

    def mean_kernel(left: Tensor, right: Tensor) -> Tensor:
        squared_distance = (left[:, None] - right[None]).square().sum(2)
        return (-squared_distance / left.shape[1] ** 2).exp().mean()

    return mean_kernel(x, x) + mean_kernel(y, y) - 2 * mean_kernel(x, y)


@register_model("info_vae", label="InfoVAE", symbol="λ", weight="lambda_", presets={"mmd": {}})
class InfoVAE(VAE):
    """L = reconstruction + (1 - alpha) KL + (alpha + lambda - 1) MMD(q(z), p(z)), minimized (equation 6, negated)."""

    Config = InfoVAEConfig
    config: InfoVAEConfig

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return both divergences, weighted; `kl` and `mmd` before their weights."""
        kl = posterior.kl()
        shape = (self.config.prior_samples, latents.shape[1])
        prior = torch.randn(shape, generator=generator, device=latents.device)
        mmd = maximum_mean_discrepancy(latents, prior)
        weight = self.config.alpha + self.config.lambda_ - 1
        return (1 - self.config.alpha) * kl + weight * mmd, {"kl": kl, "mmd": mmd}
