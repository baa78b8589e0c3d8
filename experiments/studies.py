"""The named studies of `darla study run NAME --scale SCALE`, as data."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from darla.agents.presets import SHORT_PPO
from darla.common import InputError, unknown_name
from darla.evaluation.transfer_config import Split
from darla.experiments.baselines import METHODS, with_algorithm
from darla.experiments.demos import DEMOS
from darla.experiments.study import Method, Study
from darla.vision.presets import DARLA, ENCODERS, PIXELS
from darla.zero_shot import TransferConfig

Scale = Literal["small", "full"]
SCALES: tuple[Scale, ...] = ("small", "full")

_PAPER_TASKS = ("conjunction", "recolor", "unseen")
_OTHER_ALGORITHMS = ("a2c", "dqn", "mfec")
_COMPARED = ("end-to-end", "darla-ent", "darla")
"""Methods of the paper's Table 1, which has each of them with every algorithm."""


def _paper_table(scale: Scale) -> Study:
    """Return the study of the paper's Table 1: methods by algorithms."""
    if scale == "full":
        pairs = [_trained_by(name, algorithm) for name in METHODS for algorithm in ("ppo", *_OTHER_ALGORITHMS)]
        return Study(
            "paper-table",
            tuple(method for method in pairs if method is not None),
            tasks=_PAPER_TASKS,
            seeds=tuple(range(10)),
            transfer=TransferConfig(n_envs=16),
            correlates=True,
            about="every method with every algorithm, ten seeds, 80,000 environment steps",
        )
    methods = [METHODS[name] for name in METHODS]
    methods += [with_algorithm(METHODS[name], algorithm) for algorithm in ("dqn", "mfec") for name in _COMPARED]
    return Study(
        "paper-table",
        tuple(_short_policy(_short_encoder(method, 5_000)) for method in methods),
        tasks=_PAPER_TASKS,
        seeds=(0, 1, 2),
        frames=36_000,
        env_steps=40_000,
        transfer=TransferConfig(episodes=24, n_envs=8, splits=("source", "target"), snapshot_eval_episodes=0),
        correlates=True,
        about="every method with PPO, three with DQN and episodic control; three seeds, 40,000 environment steps",
    )


def _correlation(scale: Scale) -> Study:
    """Return the study of which measures of an encoder correlate with transfer, over encoders that differ widely."""
    long, short = (7_000, 2_000) if scale == "full" else (4_000, 1_000)
    settings = {
        "β-VAE, β = 1": (PIXELS.change(beta=1.0), long),
        "β-VAE, β = 4": (PIXELS.change(beta=4.0), long),
        "β-VAE, β = 16": (PIXELS.change(beta=16.0), long),
        "β-VAE, β = 4, short": (PIXELS.change(beta=4.0), short),
        "autoencoder": (ENCODERS["autoencoder"], long),
        "features, hues kept": (DARLA.change(dae__hue_prob=0.0), long),
        "DARLA": (DARLA, long),
        "DARLA, β = 2": (DARLA.change(beta=2.0), long),
        "DARLA, short": (DARLA, short),
    }
    methods = [Method(name, see.change(training__steps=steps)) for name, (see, steps) in settings.items()]
    if scale == "small":
        methods = [_short_policy(method) for method in methods]
    few = TransferConfig(episodes=48, n_envs=16, splits=("source", "target"), snapshot_eval_episodes=0, strip_frames=0)
    return Study(
        "correlation",
        (METHODS["end-to-end"], *methods),
        tasks=("conjunction", "new_room"),
        seeds=tuple(range(10)) if scale == "full" else (0, 1),
        frames=36_000,
        env_steps=80_000 if scale == "full" else 40_000,
        transfer=few,
        correlates=True,
        about="nine kinds of encoders, by loss, β and length of training: which measures correlate with transfer",
    )


def _axes(scale: Scale) -> Study:
    """Return the study of which change of appearance breaks which method, one factor at a time."""
    methods = [METHODS[name] for name in ("end-to-end", "hue", "pixel-loss", "darla")]
    splits: tuple[Split, ...] = ("source", "target")
    if scale == "full":
        return Study(
            "axes",
            tuple(methods),
            tasks=("axes",),
            seeds=tuple(range(10)),
            transfer=TransferConfig(n_envs=16, splits=splits, snapshot_eval_episodes=0, strip_frames=0),
            about="which of 23 factors breaks which of four methods, one at a time; ten seeds, 80,000 steps",
        )
    return Study(
        "axes",
        tuple(_short_policy(_short_encoder(method, 5_000)) for method in methods),
        tasks=("axes",),
        seeds=(0, 1, 2),
        frames=36_000,
        env_steps=40_000,
        transfer=TransferConfig(episodes=24, n_envs=8, splits=splits, snapshot_eval_episodes=0, strip_frames=0),
        about="which of 23 factors breaks which of four methods, one at a time; three seeds, 40,000 steps",
    )


STUDIES: Mapping[str, Callable[[Scale], Study]] = MappingProxyType(
    {"paper-table": _paper_table, "correlation": _correlation, "axes": _axes}
)
"""By name; `named_study` adds the demonstrations, which have one scale only."""


def named_study(name: str, scale: str = "small") -> Study:
    """Return a study by name and scale.

    Raises:
        InputError: there is none of that name or scale; demonstrations have only scale `small`.
    """
    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    if name in STUDIES:
        return STUDIES[name](scale)
    if name not in DEMOS:
        raise unknown_name("study", name, (*STUDIES, *DEMOS))
    if scale != "small":
        raise InputError(f"study {name!r} has one scale, so scale {scale!r} would be ignored; leave it out")
    return DEMOS[name]


def _trained_by(name: str, algorithm: str) -> Method | None:
    """Return a method with a policy trained by `algorithm`, or None if the algorithm cannot train it."""
    try:
        return with_algorithm(METHODS[name], algorithm)
    except InputError:
        return None  # episodic control has no gradient, so it cannot fine-tune an encoder


def _short_policy(method: Method) -> Method:
    """Return a method with PPO's settings for few environment steps, if its policy is PPO on codes or on the state."""
    if method.act.algorithm != "ppo" or (method.see is None and method.act.observation == "images"):
        return method
    # Fine-tuning passes every batch through the encoder, so it makes as few passes as a policy on images.
    settings = replace(SHORT_PPO, n_epochs=4) if method.act.fine_tune else SHORT_PPO
    return replace(method, act=replace(method.act, settings=settings))


def _short_encoder(method: Method, steps: int) -> Method:
    """Return a method whose encoder, if it is trained at all, is trained for `steps` steps."""
    if method.see is None or method.see.training.steps == 0:
        return method
    return replace(method, see=method.see.change(training__steps=steps))
