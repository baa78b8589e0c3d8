"""beta-VAE and DARLA's beta-VAE_DAE: one model, whose reconstruction term is chosen.

beta-VAE: Higgins et al., ICLR 2017 (openreview Sy2fzU9gl). beta-VAE_DAE: Higgins et al. 2017, arXiv
1707.08475.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import Posterior
from darla.vision.models.perceptual import PerceptualLoss
from darla.vision.models.vae import VAE, VAEConfig, require_non_negative


@dataclass(frozen=True)
class BetaVAEConfig(VAEConfig):
    """A beta-VAE: its networks and its objective."""

    beta: float = 1.0
    """Weight of the KL divergence. With the reconstruction term summed over pixels, 1 is the evidence lower
    bound."""
    beta_is_normalised: bool = False
    """Read `beta` as Higgins et al.'s normalised beta: the weight is then beta * (pixels x channels) /
    latents."""
    beta_warm_up: float = 0.0
    """Share of the training in which beta rises in a straight line from 0. A perceptual loss begins so far from any
    picture that the code would collapse before the decoder has found out how to draw."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing or would be ignored."""
        super().__post_init__()
        require_non_negative(self, "beta")
        if not 0 <= self.beta_warm_up < 1:
            raise InputError(f"beta_warm_up must be a share in [0, 1), not {self.beta_warm_up}")


class BetaVAE(VAE):
    """L = reconstruction + beta KL(q(z|x) || N(0, I)), minimised.

    Args:
        config: networks and objective.
        perceptual: the perceptual term; needed exactly where the loss has one.
        image_shape: height, width, channels.
    """

    Config = BetaVAEConfig
    config: BetaVAEConfig

    def __init__(
        self,
        config: BetaVAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config, perceptual, image_shape)
        height, width, channels = image_shape
        values_per_latent = height * width * channels / config.latent_dim
        self.beta = config.beta * values_per_latent if config.beta_is_normalised else config.beta
        self._warmth = 1.0

    def set_progress(self, share: float) -> None:
        """Raise beta to its value over the first `beta_warm_up` of the training."""
        self._warmth = min(1.0, share / self.config.beta_warm_up) if self.config.beta_warm_up else 1.0

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return beta KL, and `kl` before beta."""
        kl = posterior.kl()
        # Outside training the objective is the final one, so that held-out losses can be compared along the way.
        return (self.beta * self._warmth if self.training else self.beta) * kl, {"kl": kl}
