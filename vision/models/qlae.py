"""Hsu et al., Disentanglement via Latent Quantization, NeurIPS 2023, arXiv 2305.18378; ALDA's soft choice beside it.

Idea: each latent takes one of a few learned values, so that a value has to mean the same thing in every image.
Train: darla see FRAMES --out RUN --preset qlae    (alda: Batra & Sukhatme, ICML 2025, arXiv 2410.07441)
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from darla.common import InputError
from darla.vision.models.base import DeterministicPosterior, LatentModel, Posterior
from darla.vision.models.config import LatentModelConfig, require_non_negative
from darla.vision.models.image_model import Given
from darla.vision.models.registry import register_model


@dataclass(frozen=True)
class QLAEConfig(LatentModelConfig):
    """A quantized autoencoder: its networks and its objective."""

    n_values: int = 10
    """Values that each latent can take; 10 in the paper."""
    init_range: float = 0.5
    """The values of a latent start evenly spaced over [-init_range, init_range]; 0.5 for QLAE, 1 for ALDA."""
    quantization_weight: float = 123.0
    """Weight of the squared distance of the values to the encoder's outputs (it moves the values). The paper's 0.01 is
    used with means over pixels and latents; beside a sum over 64 x 64 x 3 pixels it becomes 0.01 * 12,288 = 123."""
    commitment_weight: float = 123.0
    """Weight of the squared distance of the encoder's outputs to the values (it moves the encoder); as above."""
    softmax_temperature: float | None = None
    """Temperature of ALDA's softmax over the values, 0.01 there, instead of the nearest value."""
    weight_decay: float = 0.1
    """Decoupled weight decay on weights, not on biases or values; a part of the method (0.001 for MPI3D)."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "quantization_weight", "commitment_weight", "weight_decay")
        if self.n_values < 2:
            raise InputError(f"n_values must be at least 2, not {self.n_values}")
        if not self.init_range > 0:
            raise InputError(f"init_range must be above 0, not {self.init_range}")
        if self.softmax_temperature is not None and not self.softmax_temperature > 0:
            raise InputError(f"softmax_temperature must be above 0, not {self.softmax_temperature}")


@register_model(
    "qlae",
    label="QLAE",
    symbol="values",
    weight="n_values",
    presets={
        "qlae": {},
        "alda": {"n_values": 12, "init_range": 1.0, "softmax_temperature": 0.01, "latent_dim": 12},
    },
)
class QLAE(LatentModel):
    """L = reconstruction + w_q mean_j (sg(z_j) - v_j)^2 + w_c mean_j (z_j - sg(v_j))^2, minimized; no KL.

    z_j is the encoder's output for latent j, v_j the nearest of that latent's values, sg stops the gradient. With
    `softmax_temperature` T, v_j is their mean under softmax_k(-|sg(z_j) - v_jk| / T). The decoder reads v; its gradient
    is passed on to z unchanged (straight-through estimator).
    """

    Config = QLAEConfig
    config: QLAEConfig
    has_prior = True  # the codebook determines the scale of the codes, as a prior would

    def setup(self) -> None:
        """Add the codebook, (D, n_values)."""
        values = torch.linspace(-self.config.init_range, self.config.init_range, self.config.n_values)
        self.codebook = nn.Parameter(values.repeat(self.config.latent_dim, 1))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the parameters with weight decay (weights) and without (biases, codebook)."""
        (group,) = super().parameter_groups()
        decayed = [weight for weight in group["params"] if weight.ndim > 1 and weight is not self.codebook]
        of_decayed = {id(weight) for weight in decayed}
        others = [weight for weight in group["params"] if id(weight) not in of_decayed]
        return [
            {**group, "params": decayed, "weight_decay": self.config.weight_decay},
            {**group, "params": others, "weight_decay": 0.0},
        ]

    def quantize(self, z: Tensor) -> Tensor:
        """Return the values of encoder outputs, (N, D), differentiable in the codebook alone."""
        distance = (z.detach()[..., None] - self.codebook).abs()  # (N, D, n_values)
        if self.config.softmax_temperature is not None:
            weights = (-1 / self.config.softmax_temperature * distance).softmax(-1)
            return (weights * self.codebook).sum(-1)
        nearest = distance.argmin(-1)
        return self.codebook.expand(len(z), -1, -1).gather(2, nearest[..., None])[..., 0]

    def encode(self, images: Tensor) -> Posterior:
        """Return the quantized codes of images, float32 (N, C, H, W) in [0, 1]."""
        return DeterministicPosterior.at(self.quantize(self.encoder(images)))

    def traversal_range(self) -> Tensor:
        """Return the least and the largest value of each latent, (2, D)."""
        return torch.stack([self.codebook.amin(1), self.codebook.amax(1)]).detach()

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms: `quantization` (the mean squared distance), `perceptual`, `pixel`."""
        z = self.encoder(images)
        v = self.quantize(z)
        straight_through = z + (v - z).detach()
        reconstruction, terms = self.reconstruction(self.decoder(straight_through), images)
        quantization = (z.detach() - v).square().mean()
        commitment = (z - v.detach()).square().mean()
        loss = (
            reconstruction + self.config.quantization_weight * quantization + self.config.commitment_weight * commitment
        )
        return {"loss": loss, "quantization": quantization, **terms}
