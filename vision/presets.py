"""Named configurations of encoders, for `darla see --preset`. Each model states its own in its file (`MODELS`)."""

from collections.abc import Mapping
from types import MappingProxyType

from darla.common import InputError, unknown_name
from darla.common.registry import is_import_path
from darla.vision.encoders.config import SeeConfig
from darla.vision.encoders.frozen import frozen
from darla.vision.models.registry import own_models

PIXELS = SeeConfig()
"""β-VAE on pixels with the defaults of the configuration."""
ENCODERS: Mapping[str, SeeConfig] = MappingProxyType(
    {
        preset: PIXELS.change(model=info.name, **changes)
        for info in own_models()
        for preset, changes in info.presets.items()
    }
)
"""Every preset of darla's own models. Weights are those of the configuration, most of them the paper's for dSprites;
networks are DARLA's, with 32 latents, unless the preset says otherwise."""
PAPER = ENCODERS["darla-paper"]
"""β-VAE_DAE as in the paper: the decoder draws an image, and the DAE's bottleneck of it is compared."""
DARLA = ENCODERS["darla"]
"""β-VAE_DAE as it works best here (vision/models/darla_vae.py says why)."""


def encoder(name: str | None = None, model: str | None = None) -> SeeConfig:
    """Return an encoder's configuration.

    Args:
        name: of a preset, or the import path of a network that is used as it is (`frozen`); `darla` where neither name
            nor model is given.
        model: of a model. It keeps networks and reconstruction term of the preset; without a preset it has its own
            defaults.

    Raises:
        InputError: there is none of that name.
    """
    if name is not None and is_import_path(name):
        if model is not None:
            raise InputError(f"model {model!r} would be ignored: {name} is a network that is used as it is")
        return frozen(name)
    if model is not None:
        return (encoder(name) if name else PIXELS).with_model(model)
    name = name or "darla"
    if name not in ENCODERS:
        raise unknown_name("encoder preset", name, ENCODERS)
    return ENCODERS[name]
