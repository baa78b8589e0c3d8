"""Hinton & Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks, Science 2006.

Idea: an autoencoder without noise and without a penalty on its codes; a baseline for variational ones.
Train: darla see FRAMES --out RUN --preset autoencoder    (preset random: the same, never trained)
"""

from dataclasses import dataclass

from darla.vision.models.base import LatentModel
from darla.vision.models.config import LatentModelConfig
from darla.vision.models.registry import register_model


@dataclass(frozen=True)
class AutoEncoderConfig(LatentModelConfig):
    """An autoencoder: its networks and its reconstruction term."""


@register_model(
    "autoencoder",
    label="Autoencoder",
    # Never trained it is a frozen random encoder: convolutions with random weights keep much of an image, and are good
    # features for RL (Burda et al. 2019, arXiv 1808.04355).
    presets={"autoencoder": {}, "random": {"training__steps": 0}},
)
class AutoEncoder(LatentModel):
    """L = reconstruction, minimized. The code is the encoder's output itself.

    Its scale is arbitrary; the normalizer (`darla.vision.encoders.encode.fit_normalizer`) gives each latent unit
    variance over D_U.
    """

    Config = AutoEncoderConfig
    config: AutoEncoderConfig
