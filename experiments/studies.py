"""Studies of transfer by name and size, as data: what `darla study run NAME --size SIZE` makes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from darla.agents.presets import SHORT_PPO
from darla.common import InputError, unknown_name
from darla.experiments.baselines import LEARNERS, with_algorithm
from darla.experiments.demos import STUDIES as DEMONSTRATIONS
from darla.experiments.study import Method, Study
from darla.vision.presets import DARLA, ENCODERS, PIXELS
from darla.zero_shot import TransferConfig

Size = Literal["small", "full"]
SIZES: tuple[Size, ...] = ("small", "full")

_PAPER_TASKS = ("conjunction", "recolour", "unseen")
_OTHER_ALGORITHMS = ("a2c", "dqn", "mfec")
_COMPARED = ("end-to-end", "darla-ent", "darla")
"""What the paper's Table 1 has in each of its columns, as far as it is here."""


def _paper_table(size: Size) -> Study:
    """Return the study behind the paper's Table 1: what is seen, by what learns from it."""
    if size == "full":
        pairs = [_trained_by(name, algorithm) for name in LEARNERS for algorithm in ("ppo", *_OTHER_ALGORITHMS)]
        return Study(
            "paper-table",
            tuple(method for method in pairs if method is not None),
            tasks=_PAPER_TASKS,
            seeds=tuple(range(10)),
            transfer=TransferConfig(n_envs=16),
            correlates=True,
            about="every learner with every algorithm, ten seeds, 80,000 environment steps",
        )
    methods = [LEARNERS[name] for name in LEARNERS]
    methods += [with_algorithm(LEARNERS[name], algorithm) for algorithm in ("dqn", "mfec") for name in _COMPARED]
    return Study(
        "paper-table",
        tuple(_acts_briefly(_sees_briefly(method, 5_000)) for method in methods),
        tasks=_PAPER_TASKS,
        seeds=(0, 1, 2),
        frames=36_000,
        env_steps=40_000,
        transfer=TransferConfig(episodes=24, n_envs=8, splits=("source", "target"), snapshot_eval_episodes=0),
        correlates=True,
        about="every learner with PPO, three with DQN and episodic control; three seeds, 40,000 environment steps",
    )


def _correlation(size: Size) -> Study:
    """Return the study of what in an encoder goes with transfer: encoders that differ in as much as can be varied."""
    long, short = (7_000, 2_000) if size == "full" else (4_000, 1_000)
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
    if size == "small":
        methods = [_acts_briefly(method) for method in methods]
    few = TransferConfig(episodes=48, n_envs=16, splits=("source", "target"), snapshot_eval_episodes=0, strip_frames=0)
    return Study(
        "correlation",
        (LEARNERS["end-to-end"], *methods),
        tasks=("conjunction", "new_room"),
        seeds=tuple(range(10)) if size == "full" else (0, 1),
        frames=36_000,
        env_steps=80_000 if size == "full" else 40_000,
        transfer=few,
        correlates=True,
        about="nine kinds of encoders, by loss, β and length of training, and what of them goes with transfer",
    )


STUDIES: Mapping[str, Callable[[Size], Study]] = MappingProxyType(
    {"paper-table": _paper_table, "correlation": _correlation}
)
"""By name; `named_study` adds the demonstrations, which have one size."""


def named_study(name: str, size: str = "small") -> Study:
    """Return a study by name and size.

    Raises:
        InputError: there is none of that name or size, or a demonstration was asked for in another size than its own.
    """
    if size not in SIZES:
        raise unknown_name("size", size, SIZES)
    if name in STUDIES:
        return STUDIES[name](size)
    if name not in DEMONSTRATIONS:
        raise unknown_name("study", name, (*STUDIES, *DEMONSTRATIONS))
    if size != "small":
        raise InputError(f"study {name!r} has one size, so size {size!r} would be ignored; leave it out")
    return DEMONSTRATIONS[name]


def _trained_by(name: str, algorithm: str) -> Method | None:
    """Return a learner whose policy `algorithm` trains, or None if that cannot be."""
    try:
        return with_algorithm(LEARNERS[name], algorithm)
    except InputError:
        return None  # episodic control has no gradient to fine-tune with


def _acts_briefly(method: Method) -> Method:
    """Return a method with the settings for few environment steps, if it is PPO on codes or on the state."""
    if method.act.algorithm != "ppo" or (method.see is None and method.act.observation == "images"):
        return method
    # A fine-tuned policy's passes go through its encoder: as few as on images.
    settings = replace(SHORT_PPO, n_epochs=4) if method.act.fine_tune else SHORT_PPO
    return replace(method, act=replace(method.act, settings=settings))


def _sees_briefly(method: Method, steps: int) -> Method:
    """Return a method whose encoder, if it is trained at all, is trained for fewer steps."""
    if method.see is None or method.see.training.steps == 0:
        return method
    return replace(method, see=method.see.change(training__steps=steps))
