"""Sizes of SeekAvoid's room, what its actions do, and how long a step is."""

import math
from dataclasses import dataclass

AGENT_RADIUS = 0.40
TURN = math.radians(15.0)
STEP = 0.25
LIGHT_STEPS_PER_TURN = 60

# Each action: steps ahead, steps to the right, turns to the left.
ACTIONS_3 = {"left": (0, 0, 1), "right": (0, 0, -1), "forward": (1, 0, 0)}
ACTIONS_9 = {
    "forward": (1, 0, 0),
    "back": (-1, 0, 0),
    "strafe left": (0, -1, 0),
    "strafe right": (0, 1, 0),
    "left": (0, 0, 1),
    "right": (0, 0, -1),
    "forward and left": (1, 0, 1),
    "forward and right": (1, 0, -1),
    "wait": (0, 0, 0),
}


@dataclass(frozen=True)
class RoomSize:
    """The size of the room and of its episodes."""

    cells: tuple[int, int]
    """Columns and rows of the grid that `paper` places things on; elsewhere only their product with `cell` counts."""
    cell: float
    """Side of a cell in meters."""
    each: int
    """How many good and how many bad objects there are."""
    respawn: bool
    """Whether a collected object comes back elsewhere."""
    picks: int | None
    """The episode ends with this many picks."""
    steps: int
    """The episode is cut off after this many steps."""
    reach: float
    """Metres between the agent and an object at which it counts as touched."""
    success: float
    """An episode with at least this return counts as a success."""


ROOM_SIZES: dict[str, RoomSize] = {
    # MiniWorld's rule for what is near: no further away than a step and a tenth.
    "small": RoomSize((5, 5), 1.0, each=2, respawn=True, picks=None, steps=150, reach=1.1 * STEP, success=5.0),
    # rooms_collect_good_objects: 10 + 10 objects on a 10 x 9 grid, none comes back, the tenth pick ends it, 60 seconds
    # (here 15 steps a second). A cell is 1.5 m, as an agent must pass between two objects.
    "paper": RoomSize((10, 9), 1.5, each=10, respawn=False, picks=10, steps=900, reach=0.0, success=5.0),
}
