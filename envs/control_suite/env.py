"""Tasks of DeepMind's control suite (Tassa et al. 2018, arXiv 1801.00690) from pixels, with their looks as factors.

The distractions of color, camera and background are those of the Distracting Control Suite (Stone et al. 2021, arXiv
2101.02722), with drawn backgrounds in place of videos that have to be downloaded.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from darla.common import unknown_name
from darla.envs.control_suite.graphics import suite
from darla.envs.control_suite.looks import Looks
from darla.envs.control_suite.picture import Rendering
from darla.envs.control_suite.pixel_control import PixelControl
from darla.envs.control_suite.starts import start_anywhere
from darla.envs.control_suite.tasks import CONTROL_STEPS, TASKS
from darla.envs.worlds.control_suite import SPACE

_STARTS = ("task", "anywhere")


class ControlSuite(PixelControl):
    """A task of the control suite from pixels; see `PixelControl` for what it shows and tells.

    `reset(options={"start": "anywhere"})` begins in any state that play can lead to, for frames of an encoder.

    Args:
        task: one of `darla.envs.control_suite.tasks.TASKS`, such as `walker-walk`.
        context: values of factors of `darla.envs.worlds.control_suite` until a `reset` gives others; the others keep
            their defaults, the suite's own looks.
        action_repeat: control steps that an action lasts; the literature's for the task if not given.
        control_steps: length of an episode.
        resolution: side of the observation in pixels, a multiple of 16.
        rendering: `fast`, without shadows, reflections and multisampling, or `shipped`, as dm_control draws.
        render_mode: `"rgb_array"` for `render()` to return the observation.

    Raises:
        InputError: an argument is not one of these.
    """

    starts_anywhere = True
    """Whether `reset` takes the option `{"start": "anywhere"}`."""

    def __init__(
        self,
        task: str = "walker-walk",
        context: Mapping[str, object] | None = None,
        *,
        action_repeat: int | None = None,
        control_steps: int = CONTROL_STEPS,
        resolution: int = 64,
        rendering: Rendering = "fast",
        render_mode: str | None = None,
    ) -> None:
        if task not in TASKS:
            raise unknown_name("task of the control suite:", str(task), TASKS)
        chosen = TASKS[task]
        arguments = {"random": 0, "time_limit": float("inf")}
        super().__init__(
            partial(suite.load, chosen.domain, chosen.task, task_kwargs=arguments),
            chosen.scene,
            Looks,
            SPACE,
            context,
            chosen.facts,
            action_repeat=chosen.action_repeat if action_repeat is None else action_repeat,
            control_steps=control_steps,
            resolution=resolution,
            rendering=rendering,
            render_mode=render_mode,
        )

    def seed_task(self, seed: int) -> None:
        """Seed the generator that the next episode is drawn with."""
        self.control.task._random = np.random.RandomState(seed)

    def start(self, time_step: Any, name: str) -> Any:
        """Move an episode that has begun on to another start; return dm_control's time step there.

        Raises:
            InputError: there is no such start.
        """
        if name not in _STARTS:
            raise unknown_name("start", name, _STARTS)
        if name == "task":
            return time_step
        start_anywhere(self.control, self.np_random)
        return time_step._replace(observation=self.control.task.get_observation(self.physics))
