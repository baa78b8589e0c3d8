"""DIP-VAE I and II: the covariance of the codes is drawn towards the identity.

Kumar, Sattigeri, Balakrishnan, ICLR 2018, arXiv 1711.00848.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import unknown_name
from darla.vision.models.base import Posterior
from darla.vision.models.vae import VAE, VAEConfig, require_non_negative

KINDS = ("i", "ii")


@dataclass(frozen=True)
class DIPVAEConfig(VAEConfig):
    """A DIP-VAE: its networks and its objective."""

    kind: str = "ii"
    """`i`: the covariance of the posterior means; `ii`: that of the codes, with the posteriors' own variances."""
    off_diagonal: float = 10.0
    """Weight of the squared covariances; 1 to 50 in the study of Locatello et al. 2019."""
    diagonal: float = 10.0
    """Weight of the squared distances of the variances from 1; there ten times `off_diagonal` for `i`, as much for
    `ii`."""
    beta: float = 1.0
    """Weight of the KL divergence; 1 in the paper."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        super().__post_init__()
        require_non_negative(self, "off_diagonal", "diagonal", "beta")
        if self.kind not in KINDS:
            raise unknown_name("kind of DIP-VAE", self.kind, KINDS)


def covariance(posterior: Posterior, kind: str) -> Tensor:
    """Return Cov[mu] over the batch, divided by N (`i`), or Cov[mu] + E[diag(sigma^2)] (`ii`), (D, D)."""
    centred = posterior.mean - posterior.mean.mean(0)
    found = centred.T @ centred / len(centred)
    if kind == "ii":
        found = found + posterior.log_variance.exp().mean(0).diag()
    return found


class DIPVAE(VAE):
    """L = reconstruction + beta KL + off_diagonal sum_(i != j) C_ij^2 + diagonal sum_i (C_ii - 1)^2, minimised.

    C is the covariance that `kind` names; both triangles count (equations 6 and 7 of the paper).
    """

    Config = DIPVAEConfig
    config: DIPVAEConfig

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return beta KL and the two penalties, and `kl`, `off_diagonal` and `diagonal` before their weights."""
        kl = posterior.kl()
        with torch.autocast(kl.device.type, enabled=False):
            found = covariance(posterior, self.config.kind)
        variances = found.diagonal()
        across = found.square().sum() - variances.square().sum()
        along = (variances - 1).square().sum()
        total = self.config.beta * kl + self.config.off_diagonal * across + self.config.diagonal * along
        return total, {"kl": kl, "off_diagonal": across, "diagonal": along}
