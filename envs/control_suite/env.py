"""Tasks of DeepMind's control suite (Tassa et al. 2018, arXiv 1801.00690) from pixels, with their looks as factors.

The distractions of color, camera and background are those of the Distracting Control Suite (Stone et al. 2021, arXiv
2101.02722), by name and bound, and with drawn backgrounds in place of videos that have to be downloaded.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from darla.common import InputError, unknown_name
from darla.envs.control_suite.graphics import suite
from darla.envs.control_suite.picture import RENDERINGS, Image, Picture, Rendering
from darla.envs.control_suite.starts import start_anywhere
from darla.envs.control_suite.tasks import CONTROL_STEPS, TASKS, Source
from darla.envs.domains.factor_space import Context
from darla.envs.env_arguments import check_render_mode
from darla.envs.worlds.control_suite import SPACE

Action = npt.NDArray[np.float32]
_STARTS = ("task", "anywhere")
_SOLVED = 0.5
"""Mean reward a control step, in the second half of an episode, from which on the episode is a success."""


class ControlSuite(gymnasium.Env[Image, Action]):
    """A task of the control suite from pixels.

    Observations are uint8 (resolution, resolution, 3), actions float32 in [-1, 1]. An action lasts several control
    steps, whose rewards, each in [0, 1], are added. No episode terminates; it is truncated after its control steps.

    `info` has the `context` (the factors of `darla.envs.worlds.control_suite`) and the `state`: the facts of the task's
    world, and the suite's own observation of the state as a float32 `vector`. With the last step comes `is_success`:
    whether the second half of the episode had at least half of the highest reward. The same seed and actions give the
    same states and rewards, bit for bit, in all contexts.

    Args:
        task: one of `darla.envs.control_suite.tasks.TASKS`, such as `walker-walk`.
        context: values of factors until a `reset` gives others; the others keep their defaults, the suite's own looks.
        action_repeat: control steps that an action lasts; the literature's for the task if not given.
        control_steps: length of an episode.
        resolution: side of the observation in pixels, a multiple of 16.
        rendering: `fast`, without shadows, reflections and multisampling, or `shipped`, as dm_control draws.
        render_mode: `"rgb_array"` for `render()` to return the observation.

    Raises:
        InputError: an argument is not one of these.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012  (Gymnasium's own form)

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
        self._facts = TASKS[task].facts
        self._repeat = TASKS[task].action_repeat if action_repeat is None else action_repeat
        for name, value in (("action_repeat", self._repeat), ("control_steps", control_steps)):
            if value < 1:
                raise InputError(f"{name} is {value!r}, but must be at least 1")
        if resolution < 16 or resolution % 16:
            raise InputError(f"resolution is {resolution!r}, but must be a multiple of 16 pixels")
        if rendering not in RENDERINGS:
            raise unknown_name("rendering", str(rendering), RENDERINGS)
        check_render_mode(render_mode)
        self.context = self._default_context = SPACE.context(context)
        self.control_steps, self.render_mode = control_steps, render_mode
        # A time limit of our own: the suite's would start a new episode by itself.
        self.suite_env: Any = suite.load(
            TASKS[task].domain, TASKS[task].task, task_kwargs={"random": 0, "time_limit": float("inf")}
        )
        self.physics = self.suite_env.physics
        self.suite_env.reset()  # the models of some tasks are completed there
        self._picture = Picture(self.physics.model.ptr, TASKS[task], resolution, rendering)
        count = self.suite_env.action_spec().shape
        self.action_space = spaces.Box(-1.0, 1.0, count, np.float32)
        self.observation_space = spaces.Box(0, 255, (resolution, resolution, 3), np.uint8)
        self.step_count, self._late_reward = 0, 0.0
        self._image: Image | None = None

    starts_anywhere = True
    """Whether `reset` takes the option `{"start": "anywhere"}`."""
    made_of = ("dm_control", "mujoco")
    """Modules that make its states and images; cards name their packages."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Image, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: of the state that it begins in.
            options: `{"start": "task"}`, which is also the default, begins as the suite does. `{"start": "anywhere"}`
                begins in any state that play can lead to, for frames of an encoder. `{"context": {...}}` plays that
                context instead of the constructor's.

        Returns:
            uint8 (resolution, resolution, 3), and an info with context and state.

        Raises:
            InputError: an unknown start, factor or value.
        """
        super().reset(seed=seed)
        start = (options or {}).get("start", "task")
        if start not in _STARTS:
            raise unknown_name("start", str(start), _STARTS)
        given = (options or {}).get("context")
        self._play(self._default_context if given is None else SPACE.context(given))
        # The generator of a task is a RandomState; without a new one an episode would depend on those before.
        self.suite_env.task._random = np.random.RandomState(int(self.np_random.integers(2**32)))
        time_step = self.suite_env.reset()
        if start == "anywhere":
            start_anywhere(self.suite_env, self.np_random)
            time_step = time_step._replace(observation=self.suite_env.task.get_observation(self.physics))
        self.step_count, self._late_reward = 0, 0.0
        return self._draw(), self._info(time_step)

    def _play(self, context: Context) -> None:
        self.context = context
        self._picture.paint(context)

    def step(self, action: Action) -> tuple[Image, float, bool, bool, dict[str, Any]]:
        """Hold an action for several control steps, the last of which is drawn.

        Returns:
            uint8 (resolution, resolution, 3), sum of the rewards, False, whether the episode is over, and an info with
            context and state.
        """
        held = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        total = 0.0
        for _ in range(min(self._repeat, self.control_steps - self.step_count)):
            time_step = self.suite_env.step(held)
            self.step_count += 1
            total += float(time_step.reward)
            if 2 * self.step_count > self.control_steps:
                self._late_reward += float(time_step.reward)
        info = self._info(time_step)
        truncated = self.step_count >= self.control_steps
        if truncated:
            info["is_success"] = self._late_reward >= _SOLVED * (self.control_steps - self.control_steps // 2)
        return self._draw(), total, False, truncated, info

    def render(self) -> Image | None:
        """Return the observation, or None without a render mode."""
        return self._image if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free all graphics resources; closing twice is harmless."""
        self._picture.close()

    def _draw(self) -> Image:
        self._image = self._picture.draw(self.physics.data.ptr, self.step_count)
        return self._image

    def _info(self, time_step: Any) -> dict[str, Any]:
        parts = [np.ravel(part) for part in time_step.observation.values()]
        state: dict[str, Any] = {fact.name: self._read(source) for fact, source in self._facts}
        return {
            "context": self.context.to_dict(),
            "state": {**state, "vector": np.concatenate(parts).astype(np.float32)},
        }

    def _read(self, source: Source) -> float:
        kind, name, axis = source
        data = self.physics.named.data
        if kind == "joint":
            return float(data.qpos[name][0])
        return float((data.geom_xpos if kind == "geom" else data.xpos)[name][axis])
