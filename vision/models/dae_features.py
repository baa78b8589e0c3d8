"""The features that DARLA's perceptual loss compares, as codes themselves: what DARLA is without its beta-VAE.

Higgins et al. 2017 (arXiv 1707.08475) call the agent on the bottleneck of their denoising autoencoder DARLA_DAE.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import REACH, Posterior, VisionModel
from darla.vision.models.perceptual import PerceptualConfig, PerceptualLoss
from darla.vision.models.qlae import DETERMINISTIC, DeterministicPosterior
from darla.vision.models.vae import VAEConfig

_MATTERS = ("latent_dim", "loss", "perceptual")


@dataclass(frozen=True)
class DAEFeaturesConfig(VAEConfig):
    """Which features of the DAE: all `latent_dim` units of its bottleneck, normalised as `perceptual` says."""

    latent_dim: int = 128
    """Units of the DAE's bottleneck; they must be as many."""
    loss: str = "features"
    """`features`, since nothing else is read from the DAE."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing or would be ignored."""
        super().__post_init__()
        if self.loss != "features":
            raise InputError(f"model 'dae_features' has the loss 'features', not {self.loss!r}: it reads a DAE")
        for each in fields(VAEConfig):
            if each.name not in _MATTERS and (given := getattr(self, each.name)) != each.default:
                raise InputError(f"{each.name} {given!r} would be ignored: 'dae_features' has no network of its own")
        if self.perceptual.nats != PerceptualConfig.nats:
            raise InputError(f"nats {self.perceptual.nats} would be ignored: 'dae_features' minimises nothing")


class DAEFeatures(VisionModel):
    """The bottleneck of a frozen DAE, centred, and standardised or whitened by its statistics over D_U.

    There is nothing to train beside the DAE: `training.steps` must be 0. Pictures are drawn by the DAE's own decoder.

    Args:
        config: how the features are normalised.
        perceptual: the DAE and the statistics of its bottleneck.
        image_shape: height, width, channels.

    Raises:
        InputError: there is no DAE, or its bottleneck has another width than the configuration says.
    """

    Config = DAEFeaturesConfig
    has_prior = False

    def __init__(
        self,
        config: VAEConfig,
        perceptual: PerceptualLoss | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        if perceptual is None:
            raise InputError("model 'dae_features' needs a DAE")
        width = perceptual.dae.config.bottleneck
        if width != config.latent_dim:
            raise InputError(f"latent_dim is {config.latent_dim}, but the bottleneck of the DAE has {width} units")
        self.config = config
        self.perceptual = perceptual

    def encode(self, images: Tensor) -> Posterior:
        """Return the features of images, float32 (N, C, H, W) in [0, 1], as a posterior without noise."""
        codes = self.perceptual.features(images)
        return DeterministicPosterior(codes, torch.full_like(codes, DETERMINISTIC))

    def decode(self, latents: Tensor) -> Tensor:
        """Return what the DAE draws from features (N, D), float32 (N, C, H, W) in [0, 1]."""
        return self.perceptual.picture(latents)

    def reach(self) -> Tensor:
        """Return between which values a traversal moves each feature, (2, D): across most of its codes over D_U."""
        return torch.stack([self.codes_mean - REACH * self.codes_std, self.codes_mean + REACH * self.codes_std])

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return the DAE's own squared error on clean images, which nothing here can lower."""
        drawn = self.perceptual.dae(images)
        return {"loss": 0.5 * (drawn - images).square().sum() / len(images)}
