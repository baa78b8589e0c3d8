"""J, the feature space of a frozen denoising autoencoder in which DARLA compares images.

Higgins et al. 2017 replace the reconstruction term by ||J(x_hat) - J(x)||^2. Those who reimplemented the paper disagree
on the layer at which J ends, so it is an option. The raw distance has whatever scale the DAE happened to learn, so the
same beta would mean something else for every DAE and every layer. Two steps make it comparable:

1. *Normalization.* Features are centered and scaled by their statistics over D_U, per channel where they are a map.
   `std` divides each by its standard deviation. `whiten` also removes the correlations between them (our addition):
   many features encode the color of walls and floors. Whitening counts it once, so that what varies little, such as a
   small object, gets the same weight.
2. *A budget in nats.* The term is scaled so that features which are constant at their mean over D_U cost `target_nats`
   nats on average. This is a Gaussian in feature space, of total variance (normalized variance) / (2 target_nats).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig
from darla.vision.models.dae import DAE, LAYERS

NORMALIZATIONS = ("std", "whiten")


@dataclass(frozen=True)
class PerceptualConfig(CheckedConfig):
    """Which features are compared, and the weight of their distance."""

    layer: str = "bottleneck"
    """Where J ends: `bottleneck`, `conv1` to `conv4` (before the activation), or `pixels` (before the sigmoid)."""
    normalization: str = "whiten"
    """`std` (per feature or channel) or `whiten` (our addition: also decorrelated). In a whitened bottleneck the colors
    of a room are a few directions among many, and the objects in it are most of the rest."""
    target_nats: float = 600.0
    """What mean features cost, in nats. A larger budget makes the latents finer: of M equally strong and independent
    factors each is coded with about log(2 target_nats / (M beta)) / 2 nats."""
    variance_floor: float = 1e-3
    """Lower bound on the variance of a feature (with `whiten`, of a principal direction), as a fraction of the mean
    variance. Without it, nearly constant features would be scaled up to unit variance."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        if self.layer not in LAYERS:
            raise unknown_name("feature layer", self.layer, LAYERS)
        if self.normalization not in NORMALIZATIONS:
            raise unknown_name("normalization", self.normalization, NORMALIZATIONS)
        if not self.target_nats > 0:
            raise InputError(f"target_nats must be above 0, not {self.target_nats}")
        if not 0 < self.variance_floor <= 1:
            raise InputError(f"variance_floor must be a fraction in (0, 1], not {self.variance_floor}")


@dataclass(frozen=True)
class FeatureStatistics:
    """First and second moments of one layer's features over D_U, in float32."""

    mean: Tensor
    """(C,): C features of the bottleneck, or channels of a map."""
    covariance: Tensor
    """(C, C); for a map, over images and positions together."""


@torch.inference_mode()
def feature_statistics(
    dae: DAE, batches: Iterable[Tensor], layers: Iterable[str] = LAYERS
) -> dict[str, FeatureStatistics]:
    """Measure the moments of the DAE's features on clean images.

    Args:
        dae: a trained DAE.
        batches: images of D_U, float32 (N, C, H, W) in [0, 1].
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
    statistics = {}
    for layer, (total, products) in sums.items():
        mean = total / counts[layer]
        covariance = products / counts[layer] - torch.outer(mean, mean)
        statistics[layer] = FeatureStatistics(mean.float(), covariance.float())
    return statistics


class FeatureSpace(nn.Module):
    """J: normalized features of a DAE, and the distance between two images in them.

    The DAE is frozen and always in eval mode. Gradients pass through J to its input, never into the DAE's weights.

    Args:
        dae: a DAE; frozen here.
        config: layer, normalization and budget.
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
        self.channels = channels = example.shape[1]
        self.size = example.numel()
        """Features of one image, at all positions."""
        self.positions = self.size // channels
        self._known: tuple[Tensor, Callable[[], Tensor]] | None = None
        # Until `calibrate`, J is the DAE's own layer and the distance is half the plain squared one.
        blank_transform = torch.ones(channels) if config.normalization == "std" else torch.eye(channels)
        self.register_buffer("mean", torch.zeros(channels, device=dae.device))
        self.register_buffer("transform", blank_transform.to(dae.device))
        self.register_buffer("weight", torch.ones((), device=dae.device))

    def calibrate(self, statistics: FeatureStatistics) -> Self:
        """Set the normalization and the weight from the moments of this layer over D_U.

        Raises:
            InputError: the features are constant.
        """
        covariance = statistics.covariance.double()
        self.mean.copy_(statistics.mean)
        if self.config.normalization == "std":
            variance = covariance.diagonal()
            transform = variance.clamp(min=self.config.variance_floor * float(variance.mean())).rsqrt()
            normalized_variance = (variance * transform.square()).sum()
        else:
            # PCA whitening: covariance = V diag(eigenvalues) V^T, transform = V diag(eigenvalues)^(-1/2).
            eigenvalues, directions = torch.linalg.eigh(covariance)
            eigenvalues = eigenvalues.clamp(min=self.config.variance_floor * float(eigenvalues.mean()))
            transform = directions * eigenvalues.rsqrt()
            normalized_variance = (transform.T @ covariance @ transform).trace()
        if not bool(normalized_variance > 0):
            raise InputError(f"the DAE's {self.config.layer} features are the same for every image; train it longer")
        self.transform.copy_(transform)
        # E[weight / 2 ||J(x) - E[J(x)]||^2] = target_nats
        self.weight.copy_(2 * self.config.target_nats / (normalized_variance * self.positions))
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return J(images): normalized features, float32 (rows, C), a row per image and position."""
        rows = _rows(self.dae.features(images, self.config.layer)).float() - self.mean
        with torch.autocast(images.device.type, enabled=False):
            return rows * self.transform if self.transform.ndim == 1 else rows @ self.transform

    def know(self, images: Tensor | None, features: Callable[[], Tensor] | None = None) -> None:
        """Let `distance` look up J(images) instead of computing it, for this very tensor; None: for no tensor.

        Args:
            images: a batch, float32 (N, C, H, W).
            features: returns J(images), float32 (rows, C).
        """
        self._known = None if images is None or features is None else (images, features)

    def distance(self, features: Tensor, images: Tensor) -> Tensor:
        """Return weight / 2 ||features - J(images)||^2 in nats: sum over features, mean over images.

        Args:
            features: normalized features, float32 (rows, C); gradients flow to them.
            images: the clean images, (N, C, H, W) in [0, 1].
        """
        if self._known is not None and self._known[0] is images:
            target = self._known[1]()
        else:
            with torch.no_grad():
                target = self(images)
        distance: Tensor = self.weight * 0.5 * (features - target).square().sum() / len(images)
        return distance

    def decode_features(self, features: Tensor) -> Tensor:
        """Return what the DAE's decoder makes of its bottleneck, float32 (N, C, H, W) in [0, 1].

        Args:
            features: normalized features of the bottleneck, float32 (N, C).
        """
        with torch.autocast(features.device.type, enabled=False):
            transform = self.transform if self.transform.ndim == 2 else self.transform.diag()
            bottleneck = torch.linalg.solve(transform, features.float(), left=False) + self.mean
        images: Tensor = self.dae.likelihood.image(self.dae.decoder(bottleneck))
        return images

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode: J is a fixed function, whatever is being trained around it."""
        return super().train(False)


def _rows(features: Tensor) -> Tensor:
    """Turn (N, C) or (N, C, H, W) into (rows, C)."""
    return features if features.ndim == 2 else features.permute(0, 2, 3, 1).flatten(0, 2)
