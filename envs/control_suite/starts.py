"""Starts of episodes anywhere that play can lead to, for frames of independent states."""

from typing import Any

import numpy as np

from darla.envs.control_suite.graphics import mujoco

_STEPS = 40
"""Most control steps of random actions that are played before the image is taken."""
_HOLD = 5
"""Control steps that each of these actions lasts, so that limbs swing."""


def start_anywhere(suite_env: Any, rng: np.random.Generator) -> None:
    """Move a task on from the start that it has drawn itself, into a state that play can lead to.

    Joints get positions and speeds by the task's needs, then random actions are played. Half of the walkers and
    cheetahs start near upright, and some balls start in the cup, where random play seldom brings them.

    Args:
        suite_env: dm_control's environment, just reset.
        rng: decides the state.
    """
    physics, task = suite_env.physics, suite_env.task
    data = physics.data.ptr
    domain = type(task).__name__
    if domain == "Balance":
        data.qpos[:] = rng.uniform((-1.8, -np.pi), (1.8, np.pi))
        data.qvel[:] = rng.normal(0.0, (1.0, 4.0))
    elif domain == "BallInCup" and rng.random() < 0.3:
        data.qpos[:2] = rng.uniform(-0.15, 0.15, 2)
        # The ball's joints count from where it hangs, 0.4 below the cup; it rests 0.07 below the cup's rim.
        data.qpos[2:] = data.qpos[0], data.qpos[1] + 0.34
    elif domain in ("PlanarWalker", "Cheetah") and rng.random() < 0.5:
        physics.named.data.qpos["rooty"] = rng.uniform(-0.4, 0.4)
    elif domain == "Spin":
        physics.named.data.qvel["hinge"] = -abs(rng.normal(0.0, 10.0))
    mujoco.mj_forward(physics.model.ptr, data)
    actions = suite_env.action_spec()
    steps = int(rng.integers(_STEPS + 1))
    substeps = round(suite_env.control_timestep() / physics.timestep())
    for step in range(steps):
        if step % _HOLD == 0:
            action = rng.uniform(actions.minimum, actions.maximum)
            task.before_step(action, physics)
        physics.step(substeps)
    data.time = 0.0
