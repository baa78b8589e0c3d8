"""A plain autoencoder: no noise, no penalty on its codes; what a variational one is compared with.

Hinton & Salakhutdinov, Science 2006. Never trained (`training.steps` 0), it is the frozen random encoder: convolutions
with random weights keep much of an image (Burda et al. 2019, arXiv 1808.04355, where they do well as features of RL).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.vision.models.base import REACH, Posterior
from darla.vision.models.qlae import DETERMINISTIC, DeterministicPosterior
from darla.vision.models.vae import VAE, VAEConfig


@dataclass(frozen=True)
class AutoEncoderConfig(VAEConfig):
    """An autoencoder: its networks and its reconstruction term."""


class AutoEncoder(VAE):
    """L = reconstruction, minimised; the code is the encoder's output itself, of whatever scale it comes to.

    The normalizer of the codes (`darla.vision.encoders.encode.fit_normaliser`) gives each unit variance over D_U.
    """

    Config = AutoEncoderConfig
    config: AutoEncoderConfig
    has_prior = False

    def outputs_per_latent(self) -> int:
        """Return 1: a code has no variance."""
        return 1

    def encode(self, images: Tensor) -> Posterior:
        """Return the codes of images, float32 (N, C, H, W) in [0, 1], as a posterior without noise."""
        codes = self.encoder(images)
        return DeterministicPosterior(codes, torch.full_like(codes, DETERMINISTIC))

    def reach(self) -> Tensor:
        """Return between which values a traversal moves each latent, (2, D): across most of its codes over D_U."""
        return torch.stack([self.codes_mean - REACH * self.codes_std, self.codes_mean + REACH * self.codes_std])

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return nothing."""
        nothing: dict[str, Tensor] = {}
        return latents.new_zeros(()), nothing
