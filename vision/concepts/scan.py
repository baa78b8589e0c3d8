"""Higgins et al., SCAN: Learning Hierarchical Compositional Visual Concepts, ICLR 2018, arXiv 1707.03389.

Idea: a β-VAE over symbols whose posterior must cover the posteriors of all images that the symbol describes. So latents
that the symbol is about become narrow, and all others stay wide.
Train: darla concepts train ENCODER --out RUN    (--method scan-r for the KL divergence the other way round)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import unknown_name
from darla.vision.concepts.divergence import kl_between
from darla.vision.concepts.posterior_model import PosteriorModel
from darla.vision.concepts.symbol_networks import (
    SymbolDecoder,
    SymbolNetworksConfig,
    symbol_encoder,
    symbol_loss,
    unpack,
)
from darla.vision.models.base import Posterior
from darla.vision.models.config import require_non_negative
from darla.vision.models.image_model import Given

DIRECTIONS = ("forward", "reverse")


@dataclass(frozen=True)
class SCANConfig(SymbolNetworksConfig):
    """A SCAN: its networks and its objective."""

    beta: float = 1.0
    """Weight of the KL divergence of q(z|y) from the prior; 1 in appendix A.1 of the paper."""
    grounding: float = 10.0
    """λ, weight of the KL divergence between image and symbol; 10 in appendix A.1 (the text below equation 4 has 1
    and β 10)."""
    direction: str = "forward"
    """`forward`, KL(q(z|x) || q(z|y)), covers all images of a concept; `reverse`, SCAN_R of the paper, settles on some
    of them."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "beta", "grounding")
        if self.direction not in DIRECTIONS:
            raise unknown_name("direction", self.direction, DIRECTIONS)


class SCAN(PosteriorModel):
    """L = -E_q(z|y)[log p(y|z)] + β KL(q(z|y) || N(0, I)) + λ KL(q(z|x) || q(z|y)), minimized (equation 4, negated).

    q(z|x) is that of a trained encoder, which stays as it is. So the model is trained on the posteriors of images in
    place of pixels; they are computed once.

    Args:
        config: networks and objective.
        symbol_size: K.
        latents: D, those of the encoder.
    """

    def __init__(self, config: SCANConfig, symbol_size: int, latents: int) -> None:
        super().__init__(latents)
        self.config = config
        self.symbol_encoder = symbol_encoder(config, symbol_size, latents)
        self.symbol_decoder = SymbolDecoder(latents, config.hidden[::-1], symbol_size)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms in nats per symbol: `symbol`, `kl`, `grounding`.

        Args:
            images: posteriors of images, (N, 2 D).
            generator: source of the noise.
            supervision: `symbols`, float32 (N, K), of the concepts that the images are examples of.
        """
        assert supervision is not None, "SCAN is trained on symbols"
        return self.objective(unpack(images), supervision["symbols"], generator)

    def objective(
        self, seen: Posterior, symbols: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms for q(z|x) of images and the symbols of their concepts."""
        posterior = self.symbol_encoder(symbols)
        reconstruction = symbol_loss(self.symbol_decoder(posterior.sample(generator)), symbols)
        kl = posterior.kl()
        pair = (seen, posterior) if self.config.direction == "forward" else (posterior, seen)
        grounding = kl_between(*pair)
        loss = reconstruction + self.config.beta * kl + self.config.grounding * grounding
        return {"loss": loss, "symbol": reconstruction, "kl": kl, "grounding": grounding}
