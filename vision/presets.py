"""Named configurations of encoders, for `darla see --preset`."""

from collections.abc import Mapping
from types import MappingProxyType

from darla.common import unknown_name
from darla.vision.encoders.config import SeeConfig

PIXELS = SeeConfig()
"""β-VAE on pixels with the defaults of the configuration."""

PAPER = PIXELS.change(
    loss="perceptual", layer="bottleneck", normalisation="whiten", nats=600.0, beta=1.0, beta_warm_up=0.25
)
"""β-VAE_DAE as the paper describes it: the decoder paints a picture, and the DAE's bottleneck of it is compared."""

DARLA = PAPER.change(loss="features", recoloured=1.0)
"""β-VAE_DAE as it works best here: the decoder predicts the DAE's bottleneck, and the DAE has learnt to repair hues as
well as gaps, so that the code holds things and not the colours of rooms (docs/results.md)."""

ENCODERS: Mapping[str, SeeConfig] = MappingProxyType(
    {
        "beta-1": PIXELS.change(beta=1.0),
        "beta-4": PIXELS.change(beta=4.0),
        "darla": DARLA,
        "darla-paper": PAPER,
        # Each model with the weights that its configuration states, most of them its paper's for dSprites; the networks
        # are DARLA's, with 32 latents.
        # Capacity 25 nats; ReLUs would fall silent under its pull.
        "annealed": PIXELS.change(model="annealed_vae", vae__activation="elu"),
        "factor": PIXELS.change(model="factor_vae"),  # gamma 35
        "beta-tc": PIXELS.change(model="beta_tc_vae"),  # beta 6
        "dip-1": PIXELS.change(model="dip_vae", kind="i", off_diagonal=10.0, diagonal=100.0),
        "dip-2": PIXELS.change(model="dip_vae", kind="ii", off_diagonal=10.0, diagonal=10.0),
        "mmd": PIXELS.change(model="info_vae"),
        "qlae": PIXELS.change(model="qlae"),  # ten values a latent, weight decay 0.1
        "alda": PIXELS.change(model="qlae", values=12, span=1.0, association=100.0, latent_dim=12),
        # What DARLA's encoder is compared with in studies of transfer; see docs/baselines.md.
        "auto-encoder": PIXELS.change(model="auto_encoder"),
        "random": PIXELS.change(model="auto_encoder", training__steps=0),  # never trained
        "dae-features": DARLA.change(model="dae_features", latent_dim=DARLA.dae.bottleneck, training__steps=0),
        "tiny": PIXELS.change(beta=4.0, training__steps=40, training__batch_size=32),
    }
)
"""For `darla see --preset`."""


def encoder(name: str | None = None, model: str | None = None) -> SeeConfig:
    """Return an encoder's configuration.

    Args:
        name: that of a preset; `darla` where neither name nor model is given.
        model: that of a model. It keeps networks and reconstruction term of the preset, or, where none is named,
            compares pixels.

    Raises:
        InputError: there is none of that name.
    """
    if model is not None:
        return (encoder(name) if name else PIXELS).with_model(model)
    name = name or "darla"
    if name not in ENCODERS:
        raise unknown_name("encoder preset", name, ENCODERS)
    return ENCODERS[name]
