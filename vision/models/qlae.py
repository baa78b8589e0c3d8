"""QLAE: each latent takes one of a few learnt values; and ALDA's soft choice among them.

Hsu et al., Disentanglement via Latent Quantization, NeurIPS 2023, arXiv 2305.18378. ALDA: Batra & Sukhatme, ICML 2025,
arXiv 2410.07441.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from darla.common import InputError
from darla.vision.models.base import Posterior
from darla.vision.models.perceptual import PerceptualLoss
from darla.vision.models.vae import VAE, VAEConfig, require_non_negative

DETERMINISTIC = -30.0
"""Log-variance of a code that has none: small, and finite for estimators that divide by the variance."""


@dataclass(frozen=True)
class QLAEConfig(VAEConfig):
    """A quantised autoencoder: its networks and its objective."""

    values: int = 10
    """Values that each latent can take; 10 in the paper."""
    span: float = 0.5
    """The values of a latent start evenly spread over [-span, span]; 0.5 for QLAE, 1 for ALDA."""
    quantise: float = 123.0
    """Weight of the values' squared distance to the encoder's outputs, beside a reconstruction term summed over pixels.
    The paper's 0.01 stands beside a mean over pixels and a mean over latents: 123 is that for 64 x 64 x 3 pixels."""
    commit: float = 123.0
    """Weight of the encoder's outputs' squared distance to the values; as `quantise`."""
    association: float | None = None
    """Sharpness of ALDA's choice, 100 there: a softmax over the values instead of the nearest one."""
    weight_decay: float = 0.1
    """Decoupled weight decay on weights, not on biases or values; a part of the method (0.001 for MPI3D)."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        super().__post_init__()
        require_non_negative(self, "quantise", "commit", "weight_decay")
        if self.values < 2:
            raise InputError(f"values must be at least 2, not {self.values}")
        if not self.span > 0:
            raise InputError(f"span must be above 0, not {self.span}")
        if self.association is not None and not self.association >= 0:
            raise InputError(f"association must not be negative, not {self.association}")


@dataclass(frozen=True)
class DeterministicPosterior(Posterior):
    """A code without noise: its sample is its mean, and it has no divergence from a prior."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Return the code, (N, D)."""
        return self.mean

    def kl_per_latent(self) -> Tensor:
        """Return zeros, (N, D)."""
        return torch.zeros_like(self.mean)


class QLAE(VAE):
    """L = reconstruction + quantise mean_j (sg(z) - v)^2 + commit mean_j (z - sg(v))^2, minimised; no KL.

    z_j is the encoder's output for latent j, v_j the nearest of that latent's values (with `association`, their mean
    under softmax_k(-association |z_j - v_jk|), z held still), sg holds still. The decoder reads v; its gradient reaches
    z as if v were z (straight through).
    """

    Config = QLAEConfig
    config: QLAEConfig

    def __init__(
        self,
        config: QLAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config, perceptual, image_shape)
        spread = torch.linspace(-config.span, config.span, config.values)
        self.codebook = nn.Parameter(spread.repeat(config.latent_dim, 1))

    def outputs_per_latent(self) -> int:
        """Return 1: a code has no variance."""
        return 1

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Keep weight decay from biases and values."""
        (group,) = super().parameter_groups()
        decayed = [part for part in group["params"] if part.ndim > 1 and part is not self.codebook]
        chosen = {id(part) for part in decayed}
        spared = [part for part in group["params"] if id(part) not in chosen]
        return [
            {**group, "params": decayed, "weight_decay": self.config.weight_decay},
            {**group, "params": spared, "weight_decay": 0.0},
        ]

    def quantised(self, outputs: Tensor) -> Tensor:
        """Return the values of the encoder's outputs, (N, D), differentiable in the codebook alone."""
        apart = (outputs.detach()[..., None] - self.codebook).abs()  # (N, D, values)
        if self.config.association is not None:
            return ((-self.config.association * apart).softmax(-1) * self.codebook).sum(-1)
        nearest = apart.argmin(-1)
        return self.codebook.expand(len(outputs), -1, -1).gather(2, nearest[..., None])[..., 0]

    def encode(self, images: Tensor) -> Posterior:
        """Return the quantised codes of images, float32 (N, C, H, W) in [0, 1], as a posterior without noise."""
        codes = self.quantised(self.encoder(images))
        return DeterministicPosterior(codes, torch.full_like(codes, DETERMINISTIC))

    def reach(self) -> Tensor:
        """Return the least and the largest value of each latent, (2, D)."""
        return torch.stack([self.codebook.amin(1), self.codebook.amax(1)]).detach()

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the loss and its terms: `quantisation` (the mean squared distance), `perceptual`, `pixel`."""
        outputs = self.encoder(images)
        values = self.quantised(outputs)
        reconstruction, terms = self.reconstruction(outputs + (values - outputs).detach(), images)
        quantise = (outputs.detach() - values).square().mean()
        commit = (outputs - values.detach()).square().mean()
        loss = reconstruction + self.config.quantise * quantise + self.config.commit * commit
        return {"loss": loss, "quantisation": quantise, **terms}

    def penalty(
        self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return nothing: values and outputs are drawn together in `loss`, which knows both."""
        nothing = latents.new_zeros(())
        return nothing, {}
