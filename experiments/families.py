"""Families of disentanglers with settings for one kind of image, for `darla select --family`."""

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
"""The network and the ten latents of Locatello et al. 2019 on dSprites. In place of their 300,000 steps at a learning
rate of 1e-4, 4,000 steps at up to 2e-3, so that a table takes an hour and a half of one core; docs/disentanglers.md has
the cost of that."""
_ROOMS = _SPRITES.change(training__steps=3000, vae__activation="elu")
"""ELUs: at this learning rate two thirds of the ReLUs die, and all of an annealed VAE's, since losses are thousands of
nats."""

_PENALTIES: Mapping[str, Mapping[str, object]] = {
    "beta-4": {"beta": 4.0},
    # gamma = 100, usual for longer training, kills ReLUs at this learning rate: the KL reaches its target but is equal
    # for all images.
    "annealed": {"model": "annealed_vae", "gamma": 20.0},
    # At the model's own high learning rate the discriminator is worse, and total correlation is underestimated.
    "factor": {"model": "factor_vae", "discriminator_rate": 0.25},
    "beta-tc": {"model": "beta_tc_vae"},
    "dip-2": {"model": "dip_vae", "kind": "ii", "lambda_od": 10.0, "lambda_d": 10.0},
    # The same total weight decay as over the paper's 200,000 steps.
    "qlae": {"model": "qlae", "vae__weight_decay": 1.0},
}
"""Each model with the weights of its paper for dSprites, except where a comment says why not."""


def _family(base: SeeConfig, **changes: Mapping[str, object]) -> Mapping[str, SeeConfig]:
    return MappingProxyType(
        {name: base.change(**{**penalty, **changes.get(name, {})}) for name, penalty in _PENALTIES.items()}
    )


FAMILIES: Mapping[str, Mapping[str, SeeConfig]] = MappingProxyType(
    {
        # QLAE's weights are for a reconstruction term summed over one channel, not three.
        "sprites": _family(_SPRITES, qlae={"quantization_weight": 41.0, "commitment_weight": 41.0}),
        "rooms": _family(_ROOMS),
        "seek-avoid": _family(PIXELS.change(vae__activation="elu")),
    }
)
"""By their images: `sprites` and `rooms` (`darla collect sprites | rooms`), and tasks of SeekAvoid, these with DARLA's
network and 32 latents."""


def family(name: str) -> Mapping[str, SeeConfig]:
    """Return the settings of a family.

    Raises:
        InputError: there is none of that name.
    """
    if name not in FAMILIES:
        raise unknown_name("family", name, FAMILIES)
    return FAMILIES[name]
