"""The rooms that an agent searches: their hues and objects as factors, and how it stands in them as facts."""

from darla.envs.domains.factor_space import Factor, FactorSpace
from darla.envs.domains.world import Fact, World, register_world

HUE_NAMES = (
    "red", "vermilion", "amber", "yellow", "chartreuse", "green", "emerald", "spring",
    "cyan", "azure", "cobalt", "blue", "violet", "purple", "magenta", "rose",
)  # fmt: skip
"""A name for each of 16 equal steps around the color wheel, as instructions and concepts use them."""
KINDS = ("key", "duckie", "office_chair")
"""MiniWorld's meshes that look different from every side, drawn in one color."""
ACTIONS = ("left", "right", "next", "take")
"""In their order: turn the camera, go on to the next room, take the object."""

ROOM_SEARCH = register_world(
    World(
        "room_search",
        "darla/RoomSearch-v0",
        FactorSpace(
            (
                Factor("wall", "discrete", "red", choices=HUE_NAMES, about="hue of the walls"),
                Factor("floor", "discrete", "red", choices=HUE_NAMES, about="hue of the floor"),
                Factor("color", "discrete", "red", choices=HUE_NAMES, about="hue of the object"),
                Factor("object", "discrete", "key", choices=KINDS, about="kind of the object"),
            )
        ),
        accepts="domain",
        facts=(
            Fact("yaw", "number", unit="camera positions"),
            Fact("azimuth", "angle", unit="rad"),
        ),
        content=("object",),
        paired=False,
        random_start={},  # every episode starts with the camera anywhere
        about="rooms with one object each, of which one is what an instruction names",
        action_names=(ACTIONS,),
    )
)
"""Contexts are those of one room. An episode has several, each drawn from the domain."""
