"""The studies behind `darla demo --preset`."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from darla.agents.presets import AGENTS
from darla.common import unknown_name
from darla.experiments.study import Method, Study
from darla.vision.presets import ENCODERS
from darla.zero_shot import TransferConfig

_END_TO_END = Method("end to end")
_BETA_1 = Method("β-VAE, β = 1", ENCODERS["beta-1"])
_DARLA = Method("DARLA", ENCODERS["darla"])

DEMOS: Mapping[str, Study] = MappingProxyType(
    {
        "tiny": Study(
            "tiny",
            (Method("end to end", None, AGENTS["tiny"]), Method("β-VAE", ENCODERS["tiny"], AGENTS["tiny"])),
            frames=300,
            env_steps=2_048,
            transfer=TransferConfig(episodes=4, n_envs=4, snapshot_eval_episodes=1, strip_frames=4, resamples=200),
            about="every stage within a minute; too short to learn anything",
        ),
        # `new_room` first: its policies meet one room only, and the methods differ most there. To stay within the
        # time, the plain β-VAE takes no part in the second task.
        "demo": Study(
            "demo",
            (_END_TO_END, replace(_BETA_1, tasks=("new_room",)), _DARLA),
            tasks=("new_room", "conjunction"),
            frames=36_000,
            transfer=TransferConfig(n_envs=16, splits=("source", "target"), snapshot_eval_episodes=4),
            about="DARLA against end-to-end training within twenty minutes on two cores, with one seed",
        ),
        "quick": Study(
            "quick",
            (_END_TO_END, replace(_BETA_1, tasks=("new_room", "conjunction", "recolor", "unseen")), _DARLA),
            tasks=("new_room", "conjunction", "recolor", "unseen", "sim2sim"),
            seeds=(0, 1, 2),
            frames=36_000,
            transfer=TransferConfig(episodes=64, n_envs=16, splits=("source", "target"), snapshot_eval_episodes=2),
            about="all five tasks with three seeds within ninety minutes on two cores",
        ),
    }
)
"""By the name that `darla demo --preset` takes."""


def demo_study(name: str) -> Study:
    """Return the study of a demonstration.

    Raises:
        InputError: there is none of that name.
    """
    if name not in DEMOS:
        raise unknown_name("preset", name, DEMOS)
    return DEMOS[name]
