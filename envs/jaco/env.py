"""Reaching with the Jaco arm from pixels: dm_control's `reach_site`, the counterpart of DARLA's second world.

Higgins et al. 2017 (arXiv 1707.08475), Section 5.2, reach for an object with a Jaco arm in MuJoCo. The model and the
task here are dm_control's: the hand is to be brought into a sphere of 5 cm. Outside of it dm_control's reward falls to
a tenth within another 5 cm, and random play seldom has any; here it falls to a tenth within 50 cm, unless dm_control's
is asked for.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from darla.common import InputError
from darla.envs.control_suite.graphics import Environment, manipulation, tolerance
from darla.envs.control_suite.picture import Rendering
from darla.envs.control_suite.pixel_control import PixelControl
from darla.envs.control_suite.tasks import SceneParts
from darla.envs.jaco.looks import TARGET, JacoLooks
from darla.envs.worlds.jaco import FACTS, HAND, SPACE

RADIUS = 0.05
"""Of the sphere, in m."""
CONTROL_STEPS = 250
"""Control steps of an episode, of 40 ms each, as in dm_control."""


class JacoReach(PixelControl):
    """The hand of a Jaco arm is brought to a sphere in the air; see `PixelControl` for what it shows and tells.

    Actions are the velocities of six joints and three fingers. Every episode begins with the hand and the sphere
    anywhere in the reach of the arm. Success goes by dm_control's own reward, so by the time within the sphere.

    Args:
        context: values of factors of `darla.envs.worlds.jaco` until a `reset` gives others; the others keep their
            defaults, dm_control's own looks.
        reward_margin: meters outside of the sphere at which the reward has fallen to a tenth; 0.05 in dm_control.
        action_repeat: control steps that an action lasts.
        control_steps: length of an episode.
        resolution: side of the observation in pixels, a multiple of 16.
        rendering: `fast`, without shadows, reflections and multisampling, or `shipped`, as dm_control draws.
        render_mode: `"rgb_array"` for `render()` to return the observation.

    Raises:
        InputError: an argument is not one of these.
    """

    def __init__(
        self,
        context: Mapping[str, object] | None = None,
        *,
        reward_margin: float = 0.5,
        action_repeat: int = 1,
        control_steps: int = CONTROL_STEPS,
        resolution: int = 64,
        rendering: Rendering = "fast",
        render_mode: str | None = None,
    ) -> None:
        if not 0.0 < reward_margin <= 10.0:
            raise InputError(f"reward_margin is {reward_margin!r}, but must be above 0 and at most 10 m")
        self._margin = reward_margin
        super().__init__(
            _load,
            SceneParts("ground"),
            JacoLooks,
            SPACE,
            context,
            FACTS,
            action_repeat=action_repeat,
            control_steps=control_steps,
            resolution=resolution,
            rendering=rendering,
            render_mode=render_mode,
        )

    def seed_task(self, seed: int) -> None:
        """Seed the generator that the next episode is drawn with."""
        self.control.random_state.seed(seed)

    def reward(self, time_step: Any) -> float:
        """Return 1 within the sphere, and less outside of it; see `reward_margin`."""
        places = self.physics.named.data.site_xpos
        distance = float(np.linalg.norm(places[HAND] - places[TARGET]))
        return float(tolerance(distance, bounds=(0.0, RADIUS), margin=self._margin))


def _load() -> Any:
    # Compiling the model for every episode, dm_control's default, takes ten times as long as all the rest of a reset.
    return Environment(
        manipulation.load("reach_site_features").task,
        time_limit=float("inf"),
        random_state=0,
        recompile_mjcf_every_episode=False,
    )
