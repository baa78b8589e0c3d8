"""What JMVAE and TrELBO have in common: one latent space for images and symbols, and an encoder for each and for both.

Both begin with the networks of a trained encoder, the same that SCAN uses, and train them further: so all systems know
the same images, and the same pairs of image and symbol.
"""

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from darla.common import InputError
from darla.vision.concepts.symbol_networks import (
    SymbolDecoder,
    SymbolNetworksConfig,
    symbol_encoder,
    symbol_loss,
)
from darla.vision.models.base import VAE, Posterior
from darla.vision.models.config import require_non_negative
from darla.vision.models.image_model import Given, ImageModel
from darla.vision.models.networks import fully_connected


@dataclass(frozen=True)
class JointVAEConfig(SymbolNetworksConfig):
    """Networks and weights that JMVAE and TrELBO share."""

    symbol_weight: float = 50.0
    """Weight of -log p(y|z). An image has thousands of nats and a symbol ten: with 1 it would be ignored."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "symbol_weight")


class JointEncoder(nn.Module):
    """q(z|x, y): an encoder of images, beside layers for the symbol, and one layer for both.

    Args:
        image_encoder: from images to (N, 2 D); copied.
        latents: D.
        symbol_size: K.
        hidden: widths of the layers of the symbol, and of the one behind both.
    """

    def __init__(self, image_encoder: nn.Module, latents: int, symbol_size: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.image_encoder = copy.deepcopy(image_encoder)
        self.symbol_layers = fully_connected((symbol_size, *hidden), nn.ReLU)
        self.both = fully_connected((2 * latents + (symbol_size, *hidden)[-1], 128), nn.ReLU)
        self.head = nn.Linear(128, 2 * latents)

    def forward(self, images: Tensor, symbols: Tensor) -> Posterior:
        """Return q(z|x, y) for images (N, C, H, W) and symbols (N, K)."""
        seen = self.image_encoder(images)
        # What the symbol adds to what the trained encoder sees: at first next to nothing.
        change = self.head(self.both(torch.cat([seen, self.symbol_layers(symbols)], dim=1)))
        return Posterior(*(seen + change).chunk(2, dim=1))


class JointVAE(ImageModel):
    """A VAE over images and symbols with q(z|x, y), q(z|x) and q(z|y). Subclasses say what is minimized.

    Args:
        config: networks and weights.
        vision: a trained VAE, which is trained further; it must not be shared.
        symbol_size: K.

    Raises:
        InputError: the model has no Gaussian posterior.
    """

    skips_parameters = True

    def __init__(self, config: JointVAEConfig, vision: VAE, symbol_size: int) -> None:
        super().__init__(vision.image_shape)
        if not isinstance(vision, VAE):
            raise InputError(
                f"JMVAE and TrELBO train an encoder further and need a VAE, but this is a {type(vision).__name__}"
            )
        self.config = config
        self.vision = vision.requires_grad_(True)
        self.joint_encoder = JointEncoder(vision.encoder, vision.latent_dim, symbol_size, config.hidden)
        self.symbol_encoder = symbol_encoder(config, symbol_size, vision.latent_dim)
        self.symbol_decoder = SymbolDecoder(vision.latent_dim, config.hidden[::-1], symbol_size)

    def image_loss(self, latents: Tensor, images: Tensor) -> Tensor:
        """Return -log p(x|z) in nats: the sum over pixels, the mean over images."""
        term: Tensor = self.vision.reconstruction(self.vision.decoder(latents), images)[0]
        return term

    def symbol_loss(self, latents: Tensor, symbols: Tensor) -> Tensor:
        """Return -log p(y|z) in nats: the sum over a symbol's entries, the mean over symbols."""
        return symbol_loss(self.symbol_decoder(latents), symbols)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms in nats per image.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            generator: source of the noise.
            supervision: `symbols`, float32 (N, K), of the concepts that the images are examples of.
        """
        assert supervision is not None, "a joint VAE is trained on symbols"
        return self.objective(images, supervision["symbols"], generator)

    @abstractmethod
    def objective(self, images: Tensor, symbols: Tensor, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Return the loss and its terms."""
