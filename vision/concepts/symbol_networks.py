"""Networks between symbols and latents, which SCAN, JMVAE and TrELBO share."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig
from darla.vision.models.base import Posterior
from darla.vision.models.networks import fully_connected

SYMBOL_ENCODERS = ("layers", "experts")


@dataclass(frozen=True)
class SymbolNetworksConfig(CheckedConfig):
    """The networks between symbols and latents."""

    hidden: tuple[int, ...] = (100,)
    """Widths of the layers between symbol and latents; one of 100 in a reimplementation of SCAN."""
    encoder: str = "layers"
    """q(z|y): `layers`, as in the paper, or `experts`, a product of Gaussians, one for each value. Our addition: a
    concept that was never named is then made of parts that were."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if self.encoder not in SYMBOL_ENCODERS:
            raise unknown_name("encoder of symbols", self.encoder, SYMBOL_ENCODERS)
        if any(width < 1 for width in self.hidden):
            raise InputError(f"hidden widths must be at least 1, not {self.hidden}")


class SymbolEncoder(nn.Module):
    """q(z|y): from a k-hot symbol to a diagonal Gaussian over latents.

    A symbol that specifies nothing has the prior as its posterior, whatever the weights.

    Args:
        symbol_size: K.
        hidden: widths of the layers between, each followed by a ReLU.
        latents: D.
    """

    def __init__(self, symbol_size: int, hidden: Sequence[int], latents: int) -> None:
        super().__init__()
        widths = (symbol_size, *hidden)
        self.hidden = fully_connected(widths, nn.ReLU)
        self.head = nn.Linear(widths[-1], 2 * latents)

    def forward(self, symbols: Tensor) -> Posterior:
        """Return q(z|y) for symbols, float32 (N, K)."""
        outputs = self.head(self.hidden(symbols)) * symbols.any(dim=1, keepdim=True)
        return Posterior(*outputs.chunk(2, dim=1))


class SymbolExperts(nn.Module):
    """q(z|y) as the product of the prior and of one Gaussian for each value that the symbol specifies.

    Precisions add up, and means are weighted by them. Vedantam et al. 2018 (arXiv 1705.10762) do so for symbols that
    specify a part. A value that says nothing about a latent has precision 0 there.

    Args:
        symbol_size: K.
        latents: D.
    """

    def __init__(self, symbol_size: int, latents: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(0.1 * torch.randn(symbol_size, latents))
        self.sharpness = nn.Parameter(torch.zeros(symbol_size, latents))

    def forward(self, symbols: Tensor) -> Posterior:
        """Return q(z|y) for symbols, float32 (N, K)."""
        precision = functional.softplus(self.sharpness)
        total = 1 + symbols @ precision
        return Posterior(symbols @ (precision * self.mean) / total, -total.log())


def symbol_encoder(config: SymbolNetworksConfig, symbol_size: int, latents: int) -> nn.Module:
    """Return the network of q(z|y) that a configuration names."""
    if config.encoder == "experts":
        return SymbolExperts(symbol_size, latents)
    return SymbolEncoder(symbol_size, config.hidden, latents)


class SymbolDecoder(nn.Module):
    """p(y|z): from latents to the logits of a symbol's entries.

    Args:
        latents: D.
        hidden: widths of the layers between, each followed by a ReLU.
        symbol_size: K.
    """

    def __init__(self, latents: int, hidden: Sequence[int], symbol_size: int) -> None:
        super().__init__()
        widths = (latents, *hidden)
        self.hidden = fully_connected(widths, nn.ReLU)
        self.head = nn.Linear(widths[-1], symbol_size)

    def forward(self, latents: Tensor) -> Tensor:
        """Return logits, float32 (N, K), for latents (N, D)."""
        logits: Tensor = self.head(self.hidden(latents))
        return logits


def symbol_loss(logits: Tensor, symbols: Tensor) -> Tensor:
    """Return -log p(y|z) in nats: cross-entropy, summed over the K entries, the mean over symbols."""
    return functional.binary_cross_entropy_with_logits(logits, symbols, reduction="sum") / len(symbols)


def pack(posterior: Posterior) -> Tensor:
    """Return a posterior as one tensor, (N, 2 D): means, then log-variances."""
    return torch.cat([posterior.mean, posterior.log_variance], dim=1)


def unpack(values: Tensor) -> Posterior:
    """Return the posterior of which `pack` made `values`, (N, 2 D)."""
    return Posterior(*values.chunk(2, dim=1))
