"""Registration of darla's environments with Gymnasium; their modules are imported when one is made."""

import gymnasium

from darla.envs.control_suite.tasks import TASKS


def register() -> None:
    """Register each environment as `darla/NAME-v0`, those of the control suite by the names of its tasks."""
    if "darla/SeekAvoid-v0" not in gymnasium.registry:
        # No TimeLimit: SeekAvoid truncates its own episodes, whose length depends on the size of the room.
        gymnasium.register("darla/SeekAvoid-v0", entry_point="darla.envs.seek_avoid.env:SeekAvoid")
    if "darla/CarRacing-v0" not in gymnasium.registry:
        # No TimeLimit: it counts frames, and an action lasts several of them.
        gymnasium.register("darla/CarRacing-v0", entry_point="darla.envs.car_racing.env:RecoloredCarRacing")
    # No TimeLimit: the grid world truncates its own episodes.
    grid_world = "darla.envs.grid_world.env:GridWorld"
    if "darla/GridWorld-v0" not in gymnasium.registry:
        gymnasium.register("darla/GridWorld-v0", entry_point=grid_world)
    if "darla/TwoSquares-v0" not in gymnasium.registry:
        gymnasium.register("darla/TwoSquares-v0", entry_point=grid_world, kwargs={"squares": 2})
    # No TimeLimit: it truncates its own episodes.
    if "darla/RoomSearch-v0" not in gymnasium.registry:
        gymnasium.register("darla/RoomSearch-v0", entry_point="darla.envs.room_search.env:RoomSearch")
    # No TimeLimit: it truncates its own episodes.
    for name, task in TASKS.items():
        if task.env_id not in gymnasium.registry:
            entry_point = "darla.envs.control_suite.env:ControlSuite"
            gymnasium.register(task.env_id, entry_point=entry_point, kwargs={"task": name})
    # No TimeLimit: it truncates its own episodes.
    if "darla/JacoReach-v0" not in gymnasium.registry:
        gymnasium.register("darla/JacoReach-v0", entry_point="darla.envs.jaco.env:JacoReach")
