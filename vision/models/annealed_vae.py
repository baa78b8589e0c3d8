"""Burgess et al., Understanding disentangling in beta-VAE, 2018, arXiv 1804.03599 (CCI-VAE, AnnealedVAE).

Idea: the capacity of the code rises during training, so that factors enter it one after another.
Train: darla see FRAMES --out RUN --preset annealed
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
class AnnealedVAEConfig(LatentModelConfig):
    """An annealed VAE: its networks and its objective."""

    gamma: float = 100.0
    """Weight of the distance of the KL divergence from the capacity. The paper's 1000 dominates the first steps so much
    that reimplementations, and this toolkit, use 100. At a learning rate of 2e-3 even that leads to dead ReLUs, so use
    `activation` `elu` with it."""
    capacity: float = 25.0
    """Final capacity in nats; 25 for dSprites and 50 for faces in the paper."""
    anneal_fraction: float = 0.8
    """Fraction of the training in which the capacity rises linearly from 0. The paper's 100,000 steps are a fraction
    here, so that a shorter training still reaches the capacity."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "gamma", "capacity")
        if not 0 <= self.anneal_fraction <= 1:
            raise InputError(f"anneal_fraction must be a fraction in [0, 1], not {self.anneal_fraction}")


@register_model(
    "annealed_vae",
    label="Annealed VAE",
    symbol="C",
    weight="capacity",
    # 25 nats; the pull towards the capacity kills ReLUs.
    presets={"annealed": {"vae__activation": "elu"}},
)
class AnnealedVAE(VAE):
    """L = reconstruction + gamma |KL(q(z|x) || N(0, I)) - C(t)|, minimized (equation 8 of the paper, negated).

    The absolute value is taken of the KL summed over latents and averaged over the batch. C(t) rises from 0 to
    `capacity`; outside training it is `capacity`.
    """

    Config = AnnealedVAEConfig
    config: AnnealedVAEConfig
    _annealed = 1.0

    def on_step(self, step: int, steps: int) -> None:
        """Raise the capacity to its value over the first `anneal_fraction` of the training."""
        rise = self.config.anneal_fraction
        self._annealed = min(1.0, step / steps / rise) if rise else 1.0

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return gamma |KL - C|, and `kl` and `capacity` in nats."""
        kl = posterior.kl()
        # Outside training the objective is the final one, so that held-out losses of different steps are comparable.
        capacity = self.config.capacity * self._annealed if self.training else self.config.capacity
        return self.config.gamma * (kl - capacity).abs(), {"kl": kl, "capacity": torch.full_like(kl, capacity)}
