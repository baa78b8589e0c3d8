"""Annealed VAE (CCI-VAE): the code may hold a little more information as training goes on.

Burgess et al. 2018, Understanding disentangling in beta-VAE, arXiv 1804.03599.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import Posterior
from darla.vision.models.perceptual import PerceptualLoss
from darla.vision.models.vae import VAE, VAEConfig, require_non_negative


@dataclass(frozen=True)
class AnnealedVAEConfig(VAEConfig):
    """An annealed VAE: its networks and its objective."""

    gamma: float = 100.0
    """Weight of the distance of the KL divergence from the capacity. The paper's 1000 pulls so hard at first that
    reimplementations, and this toolkit, use 100; at a learning rate of 2e-3 even that silences ReLUs, so `activation`
    should be `elu` beside it."""
    capacity: float = 25.0
    """Final capacity in nats; 25 for dSprites and 50 for faces in the paper."""
    annealing: float = 0.8
    """Share of the training in which the capacity rises in a straight line from 0. The paper's 100,000 steps are a
    share here, so that a shorter training still reaches the capacity."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        super().__post_init__()
        require_non_negative(self, "gamma", "capacity")
        if not 0 <= self.annealing <= 1:
            raise InputError(f"annealing must be a share in [0, 1], not {self.annealing}")


class AnnealedVAE(VAE):
    """L = reconstruction + gamma |KL(q(z|x) || N(0, I)) - C(t)|, minimised.

    The absolute value is taken of the KL summed over latents and averaged over the batch. C rises from 0 to
    `capacity`; outside training it is `capacity`.
    """

    Config = AnnealedVAEConfig
    config: AnnealedVAEConfig

    def __init__(
        self,
        config: AnnealedVAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config, perceptual, image_shape)
        self._capacity = config.capacity

    def set_progress(self, share: float) -> None:
        """Raise the capacity to its value over the first `annealing` of the training."""
        risen = min(1.0, share / self.config.annealing) if self.config.annealing else 1.0
        self._capacity = self.config.capacity * risen

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return gamma |KL - C|, and `kl` and `capacity` in nats."""
        kl = posterior.kl()
        capacity = self._capacity if self.training else self.config.capacity
        return self.config.gamma * (kl - capacity).abs(), {"kl": kl, "capacity": torch.full_like(kl, capacity)}
