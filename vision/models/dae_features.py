"""DARLA_DAE of Higgins et al. 2017, arXiv 1707.08475: the features of the denoising autoencoder are the codes.

Idea: the ablation of DARLA without its beta-VAE.
Train: darla see FRAMES --out RUN --preset dae-features
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import DeterministicPosterior, Posterior, VisionModel
from darla.vision.models.config import VisionModelConfig
from darla.vision.models.darla_vae import OURS
from darla.vision.models.feature_space import FeatureSpace, PerceptualConfig
from darla.vision.models.image_model import Given
from darla.vision.models.registry import register_model

_WIDTH = 128


@dataclass(frozen=True)
class DAEFeaturesConfig(VisionModelConfig):
    """Which features of the DAE: all `latent_dim` units of its bottleneck, normalized as `perceptual` says."""

    latent_dim: int = _WIDTH
    """Units of the DAE's bottleneck; must be equal to `dae.bottleneck`."""

    def __post_init__(self) -> None:
        """Refuse options that would be ignored."""
        if self.perceptual.layer != "bottleneck":
            raise InputError(f"model 'dae_features' reads the bottleneck, not layer {self.perceptual.layer!r}")
        if self.perceptual.target_nats != PerceptualConfig.target_nats:
            raise InputError(
                f"target_nats {self.perceptual.target_nats} would be ignored: 'dae_features' has no loss of its own"
            )

    @property
    def needs_dae(self) -> bool:
        """Return True."""
        return True


@register_model(
    "dae_features",
    label="DAE features",
    presets={
        "dae-features": {
            "normalization": OURS["normalization"],
            "hue_prob": OURS["hue_prob"],
            "latent_dim": _WIDTH,
            "training__steps": 0,
        }
    },
)
class DAEFeatures(VisionModel):
    """The bottleneck of a frozen DAE, centered, and standardized or whitened by its statistics over D_U.

    There is nothing to train beside the DAE: `training.steps` must be 0. Images are drawn by the DAE's own decoder.

    Args:
        config: how the features are normalized.
        feature_space: the DAE and the statistics of its bottleneck.
        image_shape: height, width, channels.

    Raises:
        InputError: there is no DAE, or its bottleneck has another width than the configuration says.
    """

    Config = DAEFeaturesConfig
    has_prior = False
    is_trained = False

    def __init__(
        self,
        config: DAEFeaturesConfig,
        feature_space: FeatureSpace | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        if feature_space is None:
            raise InputError("model 'dae_features' needs a DAE")
        width = feature_space.dae.config.bottleneck
        if width != config.latent_dim:
            raise InputError(f"latent_dim is {config.latent_dim}, but the bottleneck of the DAE has {width} units")
        self.config = config
        self.feature_space = feature_space

    def encode(self, images: Tensor) -> Posterior:
        """Return the features of images, float32 (N, C, H, W) in [0, 1]."""
        return DeterministicPosterior.at(self.feature_space(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Return what the DAE's decoder makes of features (N, D), float32 (N, C, H, W) in [0, 1]."""
        return self.feature_space.decode_features(latents)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the DAE's own squared error on clean images; there is no parameter that could lower it."""
        reconstructed = self.feature_space.dae(images)
        return {"loss": 0.5 * (reconstructed - images).square().sum() / len(images)}
