"""Hosoya, Group-based Learning of Disentangled Representations, IJCAI 2019, arXiv 1809.02383.

Idea: both images of a pair have one content and each its own style; the content posterior is that of the pair.
Train: darla collect TASK --unit pair --out FRAMES    (two looks of one state: the state is the content)
       darla see FRAMES --out RUN --preset gvae
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.ada_vae import PairVAE, product
from darla.vision.models.base import Posterior
from darla.vision.models.beta_vae import BetaVAEConfig
from darla.vision.models.registry import Supervision, register_model


@dataclass(frozen=True)
class GroupVAEConfig(BetaVAEConfig):
    """A GVAE or ML-VAE: its networks and its objective."""

    content_dim: int = 16
    """How many of the latents, the first ones, both images of a pair share."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        if not 1 <= self.content_dim <= self.latent_dim:
            raise InputError(f"content_dim is {self.content_dim}, but there are 1 to {self.latent_dim} latents")


@register_model(
    "gvae",
    label="GVAE",
    symbol="β",
    weight="beta",
    needs=Supervision(pairs=True),
    presets={"gvae": {"beta": 1.0}},
)
class GVAE(PairVAE):
    """L = reconstruction + beta KL(q~(z|x) || N(0, I)) of both images of a pair, minimized.

    In the content latents q~ is the average of both posteriors (mean of the means, mean of the variances), in the
    others the image's own.
    """

    Config = GroupVAEConfig
    config: GroupVAEConfig

    def shared(self, first: Posterior, second: Posterior) -> Tensor:
        """Return which latents are content, bool (D,)."""
        return torch.arange(self.latent_dim, device=first.mean.device) < self.config.content_dim


@register_model(
    "ml_vae",
    label="ML-VAE",
    symbol="β",
    weight="beta",
    needs=Supervision(pairs=True),
    presets={"ml-vae": {"beta": 1.0}},
)
class MLVAE(GVAE):
    """Bouchacourt et al., Multi-Level Variational Autoencoder, AAAI 2018, arXiv 1705.08841.

    As GVAE, with the product of the posteriors of a pair in place of their average: evidence accumulates.
    """

    def combine(self, first: Posterior, second: Posterior) -> Posterior:
        """Return the posterior of the content of each pair, (N / 2, D)."""
        return product(first, second)
