"""Families of encoders that are compared with each other on one kind of image: for `darla select --family`."""

from collections.abc import Mapping
from types import MappingProxyType

from darla.common import unknown_name
from darla.vision import SeeConfig, TrainingConfig
from darla.vision.presets import PIXELS

_SPRITES = PIXELS.change(
    vae__network="locatello",
    latent_dim=10,
    training=TrainingConfig(steps=4000, schedule="trapezoid", warmup_fraction=0.05),
)
"""The network and the ten latents of the literature on dSprites (Locatello et al. 2019). Their 300,000 steps at a
learning rate of 1e-4 are 4,000 at up to 2e-3 here, so that a table takes an hour and a half of one core; what that
costs is told in docs/disentanglers.md."""
_ROOMS = _SPRITES.change(training__steps=3000, vae__activation="elu")
"""Of ReLUs two thirds fall silent here at this rate, and of an annealed VAE's all: the losses are some thousands."""

_PENALTIES: Mapping[str, Mapping[str, object]] = {
    "beta-4": {"beta": 4.0},
    # A hundred, as over many more steps, pulls so hard at this rate that ReLUs fall silent: the divergence is then what
    # it should be, for all images alike, and says nothing.
    "annealed": {"model": "annealed_vae", "gamma": 20.0},
    # A discriminator at the model's own high rate tells less, and total correlation is underestimated.
    "factor": {"model": "factor_vae", "discriminator_rate": 0.25},
    "beta-tc": {"model": "beta_tc_vae"},
    "dip-2": {"model": "dip_vae", "kind": "ii", "lambda_od": 10.0, "lambda_d": 10.0},
    # Weights decay as much in all as over the paper's 200,000 steps.
    "qlae": {"model": "qlae", "vae__weight_decay": 1.0},
}
"""Each model with the weights that its paper has for dSprites, but where a comment says why not."""


def _family(base: SeeConfig, **changes: Mapping[str, object]) -> Mapping[str, SeeConfig]:
    return MappingProxyType(
        {name: base.change(**{**penalty, **changes.get(name, {})}) for name, penalty in _PENALTIES.items()}
    )


FAMILIES: Mapping[str, Mapping[str, SeeConfig]] = MappingProxyType(
    {
        # QLAE's weights stand beside a sum over pixels of one channel, not three.
        "sprites": _family(_SPRITES, qlae={"quantization_weight": 41.0, "commitment_weight": 41.0}),
        "rooms": _family(_ROOMS),
        "seek-avoid": _family(PIXELS.change(vae__activation="elu")),
    }
)
"""By the images that they are for: `sprites` and `rooms` (`darla collect sprites | rooms`), and a task of SeekAvoid,
with DARLA's network and 32 latents."""


def family(name: str) -> Mapping[str, SeeConfig]:
    """Return the settings of a family.

    Raises:
        InputError: there is none of that name.
    """
    if name not in FAMILIES:
        raise unknown_name("family", name, FAMILIES)
    return FAMILIES[name]
