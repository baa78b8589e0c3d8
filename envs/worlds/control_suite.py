"""The control suite as worlds, one for each task: their looks as factors, and what is known about the body."""

from collections.abc import Mapping
from types import MappingProxyType

from darla.envs.control_suite.backgrounds import NUMBERS, PATTERNS
from darla.envs.control_suite.tasks import TASKS, SuiteTask
from darla.envs.domains.factor_space import Factor, FactorSpace
from darla.envs.domains.world import World, register_world


def surface_factors(name: str, of: str) -> tuple[Factor, ...]:
    """Return the factors of hue and brightness of a surface that has a color of its own."""
    return (
        Factor(f"{name}_hue", "circular", 0.0, about=f"added to the hue of {of}, a full turn of the color wheel is 1"),
        Factor(f"{name}_brightness", "continuous", 1.0, 0.33, 1.67, about=f"times the HSV value of {of}"),
    )


def _degrees(name: str, low: float, high: float, about: str) -> Factor:
    return Factor(name, "continuous", 0.0, low, high, unit="degrees", about=about)


LIGHT_AND_CAMERA = (
    Factor("light_level", "continuous", 1.0, 0.5, 1.5, about="times the brightness of all light"),
    _degrees("light_angle", -75.0, 75.0, "by which the lamp is turned around what is seen, positive to the right"),
    _degrees("camera_azimuth", -45.0, 45.0, "by which the camera is turned around what it looks at, to the right"),
    _degrees("camera_elevation", 0.0, 45.0, "by which it is raised around what it looks at"),
    _degrees("camera_roll", -45.0, 45.0, "by which the image is turned, counterclockwise"),
    Factor("camera_distance", "continuous", 1.0, 0.75, 1.75, about="times the distance to what it looks at"),
)
"""Factors that every world has whose images MuJoCo draws; those of the light come first."""

SPACE = FactorSpace(
    (
        *surface_factors("body", "the body and of everything it acts on"),
        *surface_factors("ground", "the ground"),
        *surface_factors("sky", "the sky"),
        *LIGHT_AND_CAMERA[:2],
        Factor("background", "discrete", "stripes", choices=PATTERNS, about="pattern of the drawn background",
               needs="background_strength"),
        Factor("background_number", "continuous", 0.0, 0.0, NUMBERS - 1, about="which of its drawings, rounded down",
               needs="background_strength"),
        Factor("background_strength", "continuous", 0.0, 0.0, 1.0, about="share of the drawing in what it covers"),
        Factor("background_motion", "continuous", 0.0, 0.0, 1.0, unit="1/50 image widths a control step",
               about="speed of the drawing", needs="background_strength"),
        *LIGHT_AND_CAMERA[2:],
    )
)  # fmt: skip
"""Everything that decides how a task looks; the defaults are the suite's own looks."""


def _world(task: SuiteTask) -> World:
    return register_world(
        World(
            task.world,
            task.env_id,
            SPACE,
            facts=tuple(fact for fact, _ in task.facts),
            random_start={"start": "anywhere"},
            frame_stack=3,
            requires="darla[control]",
            license="Apache-2.0 (dm_control)",
            about=task.about,
        )
    )


CONTROL_SUITE: Mapping[str, World] = MappingProxyType({name: _world(task) for name, task in TASKS.items()})
"""The world of each task of `darla.envs.control_suite.tasks`."""
