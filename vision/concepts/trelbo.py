"""Vedantam et al., Generative Models of Visually Grounded Imagination, ICLR 2018, arXiv 1705.10762 (TELBO, "TrELBO").

Idea: three evidence lower bounds at once, of image and symbol together and of each alone, each with its own encoder.
Train: darla concepts train ENCODER --method trelbo --out RUN
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from darla.vision.concepts.joint_vae import JointVAE, JointVAEConfig
from darla.vision.concepts.symbol_networks import symbol_loss
from darla.vision.models.config import require_non_negative


@dataclass(frozen=True)
class TrELBOConfig(JointVAEConfig):
    """A TrELBO: its networks and its objective."""

    image_weight: float = 1.0
    """Weight of the bound of the image alone."""
    symbol_bound_weight: float = 1.0
    """Weight of the bound of the symbol alone."""
    stop_gradient: bool = True
    """Whether the symbol alone trains q(z|y) and not p(y|z), which is then that of both together."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "image_weight", "symbol_bound_weight")


class TrELBO(JointVAE):
    """L = -ELBO(x, y) - a ELBO(x) - b ELBO(y), minimized.

    Each bound has its own posterior and its own KL divergence from the prior N(0, I):

        ELBO(x, y) = E_q(z|x,y)[log p(x|z) + w log p(y|z)] - KL(q(z|x,y) || N(0, I))
        ELBO(x)    = E_q(z|x)[log p(x|z)] - KL(q(z|x) || N(0, I))
        ELBO(y)    = E_q(z|y)[w log p(y|z)] - KL(q(z|y) || N(0, I))
    """

    config: TrELBOConfig

    def objective(self, images: Tensor, symbols: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Return the loss and its terms, the three negative bounds: `both`, `image`, `symbol`."""
        weight = self.config.symbol_weight
        joint = self.joint_encoder(images, symbols)
        latents = joint.sample(generator)
        both = self.image_loss(latents, images) + weight * self.symbol_loss(latents, symbols) + joint.kl()
        seen = self.vision.encode(images)
        image = self.image_loss(seen.sample(generator), images) + seen.kl()
        named = self.symbol_encoder(symbols)
        latents = named.sample(generator)
        if self.config.stop_gradient:
            fixed = {name: value.detach() for name, value in self.symbol_decoder.named_parameters()}
            logits = functional_call(self.symbol_decoder, fixed, (latents,))
        else:
            logits = self.symbol_decoder(latents)
        symbol = weight * symbol_loss(logits, symbols) + named.kl()
        loss = both + self.config.image_weight * image + self.config.symbol_bound_weight * symbol
        return {"loss": loss, "both": both, "image": image, "symbol": symbol}
