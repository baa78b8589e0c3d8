"""Every model, small and quick, with frames that have what each of them needs."""

from dataclasses import replace

import numpy as np
from squares import KnownFrames

from darla.vision import MODELS, SeeConfig
from darla.vision.encoders.load import build_model
from darla.vision.models.registry import model_info
from darla.vision.training.loop import build_seeded
from darla.vision.training.units import Units, units_of

SHAPE = (16, 16, 3)
TRAINED = sorted(name for name, model in MODELS.items() if model.is_trained)
KNOWN = KnownFrames(96)
SMALL = {
    "factor_vae": {"discriminator_width": 16},
    "gvae": {"content_dim": 2},
    "ml_vae": {"content_dim": 2},
    "transforming_autoencoder": {"latent_dim": 6},
}


def config(model: str, **changes) -> SeeConfig:
    return SeeConfig().change(model=model, **{"latent_dim": 4, "bottleneck": 8, **SMALL.get(model, {}), **changes})


def build(model: str, **changes):
    chosen = config(model, **changes)
    chosen = replace(chosen, vae=chosen.vae.for_frames(KNOWN))
    return build_seeded(lambda: build_model(chosen, SHAPE), 0)


def units(model: str) -> Units:
    """Return what a model trains on: single images, or units of `KNOWN`."""
    return units_of(model_info(model).needs, KNOWN, np.arange(len(KNOWN)), 0)
