"""The tasks of the control suite, as data; nothing of dm_control is imported here.

Actions are repeated as in DMControl-GB (Hansen and Wang 2021, arXiv 2011.13389), whose tasks these are; reacher's as in
PlaNet (Hafner et al. 2019, arXiv 1811.04551). An episode has 1,000 control steps of the suite (Tassa et al. 2018, arXiv
1801.00690).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from darla.envs.domains.world import Fact

CONTROL_STEPS = 1_000
"""Control steps of an episode."""
Source = tuple[Literal["joint", "geom", "body", "site"], str, int]
"""Where a fact is read: the position of a joint, or an axis (0 is x, 2 is z) of the place of another part."""


@dataclass(frozen=True)
class SceneParts:
    """What is where in a model."""

    ground: str
    """Name of the plane that the ground's factors paint."""
    ground_is_background: bool = True
    """Whether a drawn background covers the ground as well. Where a body walks on it the ground stays, as in the
    Distracting Control Suite."""
    seen_from_above: bool = False
    """Whether the camera looks down, so that its angles turn around the image's axes and not around the vertical."""
    camera: int = 0
    """Number of the camera; the suite's own choice is the first, which all work on its tasks takes."""


@dataclass(frozen=True)
class SuiteTask:
    """A task of the control suite, and what the toolkit says about its state and its picture."""

    domain: str
    """As the suite names it; so is `task`."""
    task: str
    action_repeat: int
    """Control steps that an action lasts."""
    scene: SceneParts
    about: str
    facts: tuple[tuple[Fact, Source], ...]
    """What probes predict from one image, so velocities are left out, and where it is read."""

    @property
    def env_id(self) -> str:
        """Gymnasium id: `darla/WalkerWalk-v0`."""
        words = f"{self.domain}_{self.task}".split("_")
        return f"darla/{''.join(word.capitalize() for word in words)}-v0"

    @property
    def world(self) -> str:
        """Name of the world: `walker_walk`."""
        return f"{self.domain}_{self.task}"


def _number(name: str, joint: str, unit: str) -> tuple[Fact, Source]:
    return Fact(name, "number", unit=unit), ("joint", joint, 0)


def _angle(name: str, joint: str) -> tuple[Fact, Source]:
    return Fact(name, "angle", unit="rad"), ("joint", joint, 0)


def _place(name: str, kind: Literal["geom", "body"], of: str, axis: int) -> tuple[Fact, Source]:
    return Fact(name, "number", unit="m"), (kind, of, axis)


def _joints(*names: str) -> tuple[tuple[Fact, Source], ...]:
    return tuple(_number(name, name, "rad") for name in names)


TASKS: Mapping[str, SuiteTask] = MappingProxyType(
    {
        "walker-walk": SuiteTask(
            "walker",
            "walk",
            4,
            SceneParts("floor", ground_is_background=False),
            "a planar body with two legs walks at 1 m/s",
            (
                _place("height", "body", "torso", 2),
                _angle("pitch", "rooty"),
                *_joints("right_hip", "right_knee", "left_hip", "left_knee"),
            ),
        ),
        "cartpole-swingup": SuiteTask(
            "cartpole",
            "swingup",
            8,
            SceneParts("floor"),
            "a cart swings its pole up and keeps it there",
            (_number("cart", "slider", "m"), _angle("pole", "hinge_1")),
        ),
        "reacher-easy": SuiteTask(
            "reacher",
            "easy",
            4,
            SceneParts("ground", seen_from_above=True),
            "an arm of two links reaches a target",
            (
                _angle("shoulder", "shoulder"),
                _number("wrist", "wrist", "rad"),
                _place("target_x", "geom", "target", 0),
                _place("target_y", "geom", "target", 1),
            ),
        ),
        "finger-spin": SuiteTask(
            "finger",
            "spin",
            2,
            SceneParts("ground"),
            "a finger of two links spins a body on a hinge",
            (*_joints("proximal", "distal"), _angle("hinge", "hinge")),
        ),
        "ball-in-cup-catch": SuiteTask(
            "ball_in_cup",
            "catch",
            4,
            SceneParts("ground"),
            "a cup catches the ball that hangs on its string",
            (
                _place("cup_x", "body", "cup", 0),
                _place("cup_z", "body", "cup", 2),
                _place("ball_x", "body", "ball", 0),
                _place("ball_z", "body", "ball", 2),
            ),
        ),
        "cheetah-run": SuiteTask(
            "cheetah",
            "run",
            4,
            SceneParts("ground", ground_is_background=False),
            "a planar body with two legs runs as fast as it can",
            (
                _place("height", "body", "torso", 2),
                _angle("pitch", "rooty"),
                *_joints("bthigh", "bshin", "fthigh", "fshin"),
            ),
        ),
    }
)
"""Every task by name."""
