"""The grid world: its colors as factors, and where its squares are as facts."""

from darla.envs.domains.factor_space import Factor, FactorSpace
from darla.envs.domains.world import Fact, World, register_world

_GROUND = Factor("ground", "continuous", 0.0, 0.0, 0.5, about="gray level of the ground, 1 is white")
_HUE = Factor("hue", "circular", 0.0, about="hue of the square, a full turn of the color wheel is 1")
_OTHER_HUE = Factor("other_hue", "circular", 0.6, about="hue of the second square")
_MOVES = ("right", "left", "down", "up")  # in the order of MOVES in grid_world/env.py
_PLACE = Fact("x", "number", unit="cells"), Fact("y", "number", unit="cells")
_OTHER_PLACE = Fact("other_x", "number", unit="cells"), Fact("other_y", "number", unit="cells")

GRID_WORLD = register_world(
    World(
        "grid_world",
        "darla/GridWorld-v0",
        FactorSpace((_GROUND, _HUE)),
        facts=_PLACE,
        random_start={},  # every episode starts anywhere
        about="a square on a grid, moved by four actions",
        action_names=(_MOVES,),
    )
)
"""One square whose column and row are all that changes within an episode."""

TWO_SQUARES = register_world(
    World(
        "two_squares",
        "darla/TwoSquares-v0",
        FactorSpace((_GROUND, _HUE, _OTHER_HUE)),
        facts=(*_PLACE, *_OTHER_PLACE),
        random_start={},
        about="two squares on a grid, each moved by four actions of its own",
        action_names=((*_MOVES, *(f"second {move}" for move in _MOVES)),),
    )
)
"""Two squares, whose columns and rows are controlled independently."""
