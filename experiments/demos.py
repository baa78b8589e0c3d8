"""Named configurations: encoders and agents for `darla see` and `darla act`, studies for `darla demo`."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from darla.agents import ActConfig, PPOSettings
from darla.common import unknown_name
from darla.experiments.study import Method, Study
from darla.vision import SeeConfig
from darla.zero_shot import TransferConfig

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
        # What DARLA's encoder is compared with in studies of transfer; see `darla.experiments.baselines`.
        "auto-encoder": PIXELS.change(model="auto_encoder"),
        "random": PIXELS.change(model="auto_encoder", training__steps=0),  # never trained
        "dae-features": DARLA.change(model="dae_features", latent_dim=DARLA.dae.bottleneck, training__steps=0),
        "tiny": PIXELS.change(beta=4.0, training__steps=40, training__batch_size=32),
    }
)
"""For `darla see --preset`."""

SHORT_PPO = PPOSettings(hidden=(256, 256), n_epochs=10)
"""PPO on codes or on the state for 40,000 environment steps: wider layers and ten passes over each rollout learn faster
than the default, which is ahead of them by 80,000 (docs/learners.md)."""
AGENTS: Mapping[str, ActConfig] = MappingProxyType(
    {
        "ppo": ActConfig(algorithm="ppo"),
        "ppo-short": ActConfig(env_steps=40_000, settings=SHORT_PPO),
        "a2c": ActConfig(algorithm="a2c"),
        "dqn": ActConfig(algorithm="dqn"),
        "mfec": ActConfig(algorithm="mfec"),  # episodic control
        "tiny": ActConfig(env_steps=2_048, snapshots=2, segment_steps=1_024),
    }
)
"""For `darla act --preset`."""

_END_TO_END = Method("end to end")
_BETA_1 = Method("β-VAE, β = 1", ENCODERS["beta-1"])
_DARLA = Method("DARLA", ENCODERS["darla"])

STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "tiny": Study(
            "tiny",
            (Method("end to end", None, AGENTS["tiny"]), Method("β-VAE", ENCODERS["tiny"], AGENTS["tiny"])),
            frames=300,
            env_steps=2_048,
            transfer=TransferConfig(episodes=4, environments=4, curve_episodes=1, strip_frames=4, resamples=200),
            about="every part of the pipeline within a minute; nothing is learnt",
        ),
        "demo": Study(
            "demo",
            (_END_TO_END, _BETA_1, _DARLA),
            tasks=("conjunction", "recolour"),
            frames=36_000,
            transfer=TransferConfig(environments=16, splits=("source", "target"), curve_episodes=4),
            about="DARLA against end-to-end training within twenty minutes on two cores, with one seed",
        ),
        "quick": Study(
            "quick",
            (_END_TO_END, replace(_BETA_1, tasks=("conjunction", "recolour", "unseen", "new_room")), _DARLA),
            tasks=("conjunction", "recolour", "unseen", "new_room", "sim2sim"),
            seeds=(0, 1, 2),
            frames=36_000,
            transfer=TransferConfig(episodes=64, environments=16, splits=("source", "target"), curve_episodes=2),
            about="all five tasks with three seeds within ninety minutes on two cores",
        ),
    }
)
"""For `darla demo --preset`."""


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


def agent(name: str | None = None) -> ActConfig:
    """Return an agent's configuration by name; `ppo` where none is given.

    Raises:
        InputError: there is none of that name.
    """
    name = name or "ppo"
    if name not in AGENTS:
        raise unknown_name("agent preset", name, AGENTS)
    return AGENTS[name]


def study(name: str) -> Study:
    """Return a study by name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in STUDIES:
        raise unknown_name("preset", name, STUDIES)
    return STUDIES[name]
