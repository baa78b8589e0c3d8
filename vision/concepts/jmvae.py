"""Suzuki et al., Joint Multimodal Learning with Deep Generative Models, 2016, arXiv 1611.01891 (JMVAE-kl).

Idea: a VAE of image and symbol together, and an encoder for each alone that is drawn towards the joint posterior.
Train: darla concepts train ENCODER --method jmvae --out RUN
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.vision.concepts.divergence import kl_between
from darla.vision.concepts.joint_vae import JointVAE, JointVAEConfig
from darla.vision.models.config import require_non_negative


@dataclass(frozen=True)
class JMVAEConfig(JointVAEConfig):
    """A JMVAE: its networks and its objective."""

    alpha: float = 0.1
    """Weight of the divergences of the single encoders from the joint one; 0.1 in the paper's code."""
    beta: float = 1.0
    """Weight of the divergence of the joint posterior from the prior; 1 in the paper."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "alpha", "beta")


class JMVAE(JointVAE):
    """L = -E_q(z|x,y)[log p(x|z) + w log p(y|z)] + β KL(q(z|x,y) || N(0, I)) + α (KL_x + KL_y), minimized.

    KL_x = KL(q(z|x,y) || q(z|x)) and KL_y = KL(q(z|x,y) || q(z|y)); the objective of the paper, negated, has w = 1.
    """

    config: JMVAEConfig

    def objective(self, images: Tensor, symbols: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Return the loss and its terms: `pixel`, `symbol`, `kl`, `kl_image`, `kl_symbol`."""
        joint = self.joint_encoder(images, symbols)
        latents = joint.sample(generator)
        pixel, symbol, kl = self.image_loss(latents, images), self.symbol_loss(latents, symbols), joint.kl()
        kl_image = kl_between(joint, self.vision.encode(images))
        kl_symbol = kl_between(joint, self.symbol_encoder(symbols))
        config = self.config
        loss = pixel + config.symbol_weight * symbol + config.beta * kl + config.alpha * (kl_image + kl_symbol)
        terms = {"pixel": pixel, "symbol": symbol, "kl": kl, "kl_image": kl_image, "kl_symbol": kl_symbol}
        return {"loss": loss, **terms}
