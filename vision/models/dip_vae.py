"""Kumar, Sattigeri, Balakrishnan, Variational Inference of Disentangled Latent Concepts, ICLR 2018, arXiv 1711.00848.

Idea: the covariance of the codes over the data is pulled towards the identity matrix.
Train: darla see FRAMES --out RUN --preset dip-2    (dip-1 for the first kind)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import unknown_name
from darla.vision.models.base import VAE, Posterior
from darla.vision.models.config import LatentModelConfig, require_non_negative
from darla.vision.models.reconstruction import Terms
from darla.vision.models.registry import register_model

KINDS = ("i", "ii")


@dataclass(frozen=True)
class DIPVAEConfig(LatentModelConfig):
    """A DIP-VAE: its networks and its objective."""

    kind: str = "ii"
    """`i`: the covariance of the posterior means; `ii`: that of the codes, with the posteriors' own variances."""
    lambda_od: float = 10.0
    """Weight of the squared covariances (off-diagonal); 1 to 50 in the study of Locatello et al. 2019."""
    lambda_d: float = 10.0
    """Weight of the squared distances of the variances from 1 (diagonal); in that study ten times `lambda_od` for `i`
    and equal to it for `ii`."""
    beta: float = 1.0
    """Weight of the KL divergence; 1 in the paper."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "lambda_od", "lambda_d", "beta")
        if self.kind not in KINDS:
            raise unknown_name("kind of DIP-VAE", self.kind, KINDS)


def code_covariance(posterior: Posterior, kind: str) -> Tensor:
    """Return Cov[mu] over the batch, divided by N (`i`), or Cov[z] = Cov[mu] + E[diag(sigma^2)] (`ii`), (D, D)."""
    centered = posterior.mean - posterior.mean.mean(0)
    covariance = centered.T @ centered / len(centered)
    if kind == "ii":
        covariance = covariance + posterior.log_variance.exp().mean(0).diag()  # law of total covariance
    return covariance


@register_model(
    "dip_vae",
    label="DIP-VAE",
    symbol="λ",
    weight="lambda_od",
    presets={
        "dip-1": {"kind": "i", "lambda_od": 10.0, "lambda_d": 100.0},
        "dip-2": {"kind": "ii", "lambda_od": 10.0, "lambda_d": 10.0},
    },
)
class DIPVAE(VAE):
    """L = reconstruction + beta KL + lambda_od sum_(i != j) C_ij^2 + lambda_d sum_i (C_ii - 1)^2, minimized.

    C is the covariance that `kind` names; both triangles count (equations 6 and 7 of the paper, negated).
    """

    Config = DIPVAEConfig
    config: DIPVAEConfig

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return beta KL and the two penalties; `kl`, `off_diagonal` and `diagonal` before their weights."""
        kl = posterior.kl()
        # bfloat16 has too few digits for a covariance.
        with torch.autocast(kl.device.type, enabled=False):
            covariance = code_covariance(posterior, self.config.kind)
        variances = covariance.diagonal()
        off_diagonal = covariance.square().sum() - variances.square().sum()
        diagonal = (variances - 1).square().sum()
        penalty = self.config.beta * kl + self.config.lambda_od * off_diagonal + self.config.lambda_d * diagonal
        return penalty, {"kl": kl, "off_diagonal": off_diagonal, "diagonal": diagonal}
