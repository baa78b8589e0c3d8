"""SeekAvoid as a world: its factors, and what is known about the state behind an image."""

from collections.abc import Mapping
from typing import Any

from darla.envs.domains.factor_space import Factor, FactorSpace
from darla.envs.domains.world import Fact, Info, World, register_world
from darla.envs.seek_avoid.objects import KIND_NAMES
from darla.envs.seek_avoid.room_size import ACTIONS_3, ACTIONS_9


def _surface(name: str, hue: float, saturation: float) -> tuple[Factor, ...]:
    # Rooms are muted and objects are not: every object stands out in every room that these bounds allow.
    return (
        Factor(
            f"{name}_hue",
            "circular",
            hue,
            about=f"hue of the {name}, a full turn of the color wheel is 1",
            needs=f"{name}_saturation",
        ),
        Factor(f"{name}_saturation", "continuous", saturation, 0.0, 0.6, about=f"HSV saturation of the {name}"),
        Factor(f"{name}_value", "continuous", 0.62, 0.5, 0.75, about=f"HSV value of the {name}"),
    )


TEXTURES = ("plain", "brick", "wood", "concrete", "marble", "cinder", "stucco", "tiles")
"""Surfaces by name; all but `plain` are MiniWorld's textures, tinted by hue, saturation and value."""

SPACE = FactorSpace(
    (
        *_surface("wall", 0.33, 0.45),
        *_surface("floor", 0.08, 0.45),
        *_surface("ceiling", 0.60, 0.10),
        Factor("wall_texture", "discrete", "plain", choices=TEXTURES, about="what the walls are made of"),
        Factor("floor_texture", "discrete", "plain", choices=TEXTURES, about="what the floor is made of"),
        Factor("object_set", "discrete", "A", choices=("A", "B"), about="which good and bad kind are about"),
        Factor("good_tint", "circular", 0.0, about="hue that good objects are tinted with", needs="tint_strength"),
        Factor("bad_tint", "circular", 0.0, about="hue that bad objects are tinted with", needs="tint_strength"),
        Factor("tint_strength", "continuous", 0.0, 0.0, 0.4, about="share of the tint in the objects' color"),
        Factor(
            "light_level",
            "continuous",
            1.0,
            0.7,
            1.2,
            about="brightness of the light, direct and ambient",
        ),
        Factor("light_x", "continuous", 1.0, -2.0, 2.0, about="how far from the east the light comes"),
        Factor("light_z", "continuous", 1.0, -2.0, 2.0, about="how far from the south the light comes"),
        Factor("light_motion", "continuous", 0.0, 0.0, 1.0, about="radius of the circle that the light moves on"),
        Factor("camera_height", "continuous", 1.3, 1.2, 1.4, unit="m", about="height of the agent's eyes"),
        Factor("camera_pitch", "continuous", -22.0, -26.0, -18.0, unit="degrees", about="up is positive"),
        Factor("camera_fov", "continuous", 72.0, 66.0, 78.0, unit="degrees", about="vertical field of view"),
        Factor(
            "camera_jitter",
            "continuous",
            0.0,
            0.0,
            4.0,
            unit="degrees",
            about="sd of the camera's shake a step",
        ),
    )
)
"""Everything that decides how a room looks. Where things stand is the state of an episode and no factor."""


def nearest_visible(info: Info) -> Mapping[str, Any]:
    """Return kind, bearing and distance of the nearest visible object; no kind and zeros where none is visible."""
    objects: list[Mapping[str, Any]] = info["state"]["objects"]  # nearest first
    for entry in objects:
        if entry["visible"]:
            return entry
    return {"kind": None, "bearing": 0.0, "distance": 0.0, "visible": False}


SEEK_AVOID = register_world(
    World(
        "seek_avoid",
        "darla/SeekAvoid-v0",
        SPACE,
        accepts="domain",
        facts=(
            Fact("kind", "class", KIND_NAMES),
            # Visible objects are in front of the agent, so that a bearing never jumps from pi to -pi.
            Fact("bearing", "number", unit="rad"),
            Fact("distance", "number", unit="m"),
            Fact("visible", "mask"),
        ),
        read_facts=nearest_visible,
        content=("object_set",),
        random_start={},  # every episode starts anywhere
        action_names=(tuple(ACTIONS_3), tuple(ACTIONS_9)),
        about="collect good objects and avoid bad ones in a room",
    )
)
"""The room of DeepMind Lab's `rooms_collect_good_objects`, on MiniWorld."""
