"""The perceptual loss of beta-VAE_DAE: distance in the feature space J of a frozen denoising autoencoder.

Higgins et al. 2017: the reconstruction term becomes ||J(x_hat) - J(x)||^2. Where J ends is disputed among
those who tried, so it is an option. The raw distance has whatever scale the DAE
happened to learn, and with it beta would mean something else for each DAE and each layer. Two steps undo
that:

1. *Normalisation.* Features are centred and scaled by their statistics over D_U, per channel where they are a
   map. `std` divides each by its standard deviation. `whiten` also removes the correlations between them.
   That is our addition: much of what a DAE's features hold is the colour of walls and floors, many times
   over. Whitening counts it once, so that what varies little, such as a small object, weighs as much.
2. *A budget in nats.* The term is scaled so that features which are constant at their mean over D_U cost
   `nats` nats on average. This is a Gaussian in feature space, of variance (normalised variance) / (2 nats)
   in total.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from darla.common import InputError, unknown_name
from darla.vision.models.dae import DAE, LAYERS

NORMALISATIONS = ("std", "whiten")


@dataclass(frozen=True)
class PerceptualConfig:
    """Which features are compared, and how much their distance counts."""

    layer: str = "bottleneck"
    """Where J ends: `bottleneck`, `conv1` to `conv4` (before the activation), or `pixels` (before the
    sigmoid)."""
    normalisation: str = "whiten"
    """`std` (per feature or channel) or `whiten` (our addition: also decorrelated). In a whitened bottleneck the
    colours of a room are a few directions among many, and the objects in it are most of the rest."""
    nats: float = 600.0
    """What mean features cost, in nats. More makes the latents finer: of M equally strong and independent
    factors each is coded with about log(2 nats / (M beta)) / 2 nats."""

    floor: float = 1e-3
    """Features, or with `whiten` principal directions, that vary less than this share of the mean variance
    count as varying by that much: what is next to constant is not blown up to the size of the rest."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.layer not in LAYERS:
            raise unknown_name("feature layer", self.layer, LAYERS)
        if self.normalisation not in NORMALISATIONS:
            raise unknown_name("normalisation", self.normalisation, NORMALISATIONS)
        if not self.nats > 0:
            raise InputError(f"nats must be above 0, not {self.nats}")
        if not 0 < self.floor <= 1:
            raise InputError(f"floor must be a share in (0, 1], not {self.floor}")


@dataclass(frozen=True)
class FeatureStatistics:
    """First and second moments of one layer's features over D_U, in float32."""

    mean: Tensor
    """(C,): C features of the bottleneck, or channels of a map."""
    covariance: Tensor
    """(C, C); for a map over pictures and places together."""


@torch.inference_mode()
def feature_statistics(
    dae: DAE, batches: Iterable[Tensor], layers: Iterable[str] = LAYERS
) -> dict[str, FeatureStatistics]:
    """Measure the moments of the DAE's features on clean pictures.

    Args:
        dae: a trained DAE.
        batches: pictures of D_U, float32 (N, C, H, W) in [0, 1].
        layers: which layers to measure.

    Returns:
        The moments of each layer, accumulated in float64.
    """
    layers = tuple(layers)
    sums: dict[str, tuple[Tensor, Tensor]] = {}
    counts = dict.fromkeys(layers, 0)
    for batch in batches:
        for layer in layers:
            rows = _rows(dae.features(batch, layer)).double()
            total, products = sums.get(layer, (torch.zeros_like(rows[0]), torch.zeros_like(rows[:1].T @ rows[:1])))
            sums[layer] = (total + rows.sum(dim=0), products + rows.T @ rows)
            counts[layer] += len(rows)
    found = {}
    for layer, (total, products) in sums.items():
        mean = total / counts[layer]
        covariance = products / counts[layer] - torch.outer(mean, mean)
        found[layer] = FeatureStatistics(mean.float(), covariance.float())
    return found


class PerceptualLoss(nn.Module):
    """Half the squared distance of normalised DAE features, in nats.

    The DAE is frozen and always in eval mode. Gradients pass through J to the reconstruction, never into J's
    weights.

    Args:
        dae: a DAE; frozen here.
        config: layer, normalisation and budget.
    """

    transform: Tensor
    mean: Tensor
    weight: Tensor

    def __init__(self, dae: DAE, config: PerceptualConfig) -> None:
        super().__init__()
        self.config = config
        self.dae = dae.requires_grad_(False).eval()
        with torch.no_grad():
            blank = torch.zeros(1, dae.image_shape[2], *dae.image_shape[:2], device=dae.device)
            example = dae.features(blank, config.layer)
        channels = example.shape[1]
        self.places = example.numel() // channels
        # Until `calibrate`, J is as the DAE has it and the loss is half the plain squared distance.
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer(
            "transform", torch.ones(channels) if config.normalisation == "std" else torch.eye(channels)
        )
        self.register_buffer("weight", torch.ones(()))

    def calibrate(self, statistics: FeatureStatistics) -> Self:
        """Set the normalisation and the weight from the moments of this layer over D_U."""
        covariance = statistics.covariance.double()
        self.mean.copy_(statistics.mean)
        if self.config.normalisation == "std":
            variance = covariance.diagonal()
            transform = variance.clamp(min=self.config.floor * float(variance.mean())).rsqrt()
            spread = (variance * transform.square()).sum()
        else:
            strength, directions = torch.linalg.eigh(covariance)
            strength = strength.clamp(min=self.config.floor * float(strength.mean()))
            transform = directions * strength.rsqrt()
            spread = (transform.T @ covariance @ transform).trace()
        if not bool(spread > 0):
            raise InputError(f"the DAE's {self.config.layer} features are the same for every picture; train it longer")
        self.transform.copy_(transform)
        self.weight.copy_(2 * self.config.nats / (spread * self.places))
        return self

    def features(self, images: Tensor) -> Tensor:
        """Return J(images): normalised features, float32 (rows, C), a row per picture and place."""
        rows = _rows(self.dae.features(images, self.config.layer)).float() - self.mean
        with torch.autocast(images.device.type, enabled=False):
            return rows * self.transform if self.transform.ndim == 1 else rows @ self.transform

    def forward(self, reconstructions: Tensor, images: Tensor) -> Tensor:
        """Return weight * ||J(reconstructions) - J(images)||^2 / 2: sum over features, mean over pictures.

        Args:
            reconstructions: (N, C, H, W) in [0, 1]; gradients flow to it.
            images: the clean pictures, (N, C, H, W) in [0, 1].
        """
        return self.distance(self.features(reconstructions), images)

    def distance(self, predicted: Tensor, images: Tensor) -> Tensor:
        """Return weight * ||predicted - J(images)||^2 / 2: sum over features, mean over pictures.

        Args:
            predicted: normalised features, float32 (rows, C); gradients flow to them.
            images: the clean pictures, (N, C, H, W) in [0, 1].
        """
        with torch.no_grad():
            target = self.features(images)
        return self.weight * 0.5 * (predicted - target).square().sum() / len(images)

    def picture(self, predicted: Tensor) -> Tensor:
        """Return what the DAE draws from its bottleneck, float32 (N, C, H, W) in [0, 1].

        Args:
            predicted: normalised features of the bottleneck, float32 (N, C).
        """
        with torch.autocast(predicted.device.type, enabled=False):
            whole = self.transform if self.transform.ndim == 2 else self.transform.diag()
            bottleneck = torch.linalg.solve(whole, predicted.float(), left=False) + self.mean
        drawn: Tensor = self.dae.likelihood.image(self.dae.decoder(bottleneck))
        return drawn

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode: J is a fixed function, whatever is being trained around it."""
        return super().train(False)


def _rows(features: Tensor) -> Tensor:
    """Turn (N, C) or (N, C, H, W) into (rows, C)."""
    return features if features.ndim == 2 else features.permute(0, 2, 3, 1).flatten(0, 2)
