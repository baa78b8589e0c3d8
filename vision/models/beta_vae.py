"""Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework, ICLR 2017.

Idea: a weight above 1 on the KL divergence makes information in the code expensive, so that latents become independent.
Train: darla see FRAMES --out RUN --model beta_vae --vae.beta 4    (presets beta-1, beta-4)
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
class BetaVAEConfig(LatentModelConfig):
    """A β-VAE: its networks and its objective."""

    beta: float = 1.0
    """Weight of the KL divergence. With the reconstruction term summed over pixels, 1 is the evidence lower bound."""
    beta_is_normalized: bool = False
    """Read `beta` as the normalized β of Higgins et al.: the weight is then β * (pixels x channels) / latents."""
    beta_warmup_fraction: float = 0.0
    """Fraction of the training in which β rises linearly from 0. A perceptual loss starts so large that without it the
    code would collapse before the decoder has learned to draw."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        super().__post_init__()
        require_non_negative(self, "beta")
        if not 0 <= self.beta_warmup_fraction < 1:
            raise InputError(f"beta_warmup_fraction must be a fraction in [0, 1), not {self.beta_warmup_fraction}")


@register_model(
    "beta_vae",
    label="β-VAE",
    symbol="β",
    weight="beta",
    presets={
        "beta-1": {"beta": 1.0},
        "beta-4": {"beta": 4.0},
        "tiny": {"beta": 4.0, "training__steps": 40, "training__batch_size": 32},
    },
)
class BetaVAE(VAE):
    """L = -E_q(z|x)[log p(x|z)] + beta KL(q(z|x) || N(0, I)), minimized (equation 4 of the paper, negated).

    The first term is `reconstruction`; loss `perceptual` or `features` makes it DARLA's (darla_vae.py).
    """

    Config = BetaVAEConfig
    config: BetaVAEConfig
    _warmup = 1.0

    def setup(self) -> None:
        """Compute beta as the weight of sums."""
        # Both terms here are sums over what they compare, P = pixels x channels and D latents ("mean_sum": a sum for
        # each image, then the mean over images). Code that takes means over everything ("mean") has
        #     L / P = rec / P + beta_mean (KL / D), so beta = beta_mean P / D,
        # which is Higgins et al.'s normalized beta. For 64 x 64 x 3 pixels and 32 latents P / D is 384; a mean over
        # pixels beside a sum over latents corresponds to beta = beta_mean P.
        height, width, channels = self.image_shape
        pixels_per_latent = height * width * channels / self.config.latent_dim
        self.beta = self.config.beta * pixels_per_latent if self.config.beta_is_normalized else self.config.beta

    def on_step(self, step: int, steps: int) -> None:
        """Raise beta to its value over the first `beta_warmup_fraction` of the training."""
        rise = self.config.beta_warmup_fraction
        self._warmup = min(1.0, step / steps / rise) if rise else 1.0

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return beta KL, and `kl` before beta."""
        kl = posterior.kl()
        # Outside training the objective is the final one, so that held-out losses of different steps are comparable.
        beta = self.beta * self._warmup if self.training else self.beta
        return beta * kl, {"kl": kl}
