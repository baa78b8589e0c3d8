"""Tasks of dm_control from pixels: what the control suite and the Jaco arm have in common."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from darla.common import InputError, unknown_name
from darla.envs.control_suite.looks import Looks
from darla.envs.control_suite.picture import RENDERINGS, Image, Picture, Rendering
from darla.envs.control_suite.tasks import SceneParts, Source
from darla.envs.domains.factor_space import Context, FactorSpace
from darla.envs.domains.world import Fact
from darla.envs.env_arguments import check_render_mode

Action = npt.NDArray[np.float32]
_SOLVED = 0.5
"""Mean reward a control step, in the second half of an episode, from which on the episode is a success."""


class PixelControl(gymnasium.Env[Image, Action]):
    """A task of dm_control from pixels, whose looks its simulator does not see.

    Observations are uint8 (resolution, resolution, 3), actions float32 in [-1, 1]. An action lasts several control
    steps, whose rewards, each in [0, 1], are added. No episode terminates; it is truncated after its control steps.

    `info` has the `context` and the `state`: the facts of the world, and dm_control's own observation of the state as a
    float32 `vector`. With the last step comes `is_success`: whether the second half of the episode had at least half of
    the highest reward. The same seed and actions give the same states and rewards, bit for bit, in all contexts.

    Args:
        control: makes dm_control's environment, without a limit of time, since it would start a new episode by itself.
            Its bounds of actions are symmetric.
        scene: what is where in its model.
        looks: what paints it.
        space: the factors of its looks.
        context: values of factors until a `reset` gives others; the others keep their defaults.
        facts: what `info` tells of the state, and where it is read.
        action_repeat: control steps that an action lasts.
        control_steps: length of an episode.
        resolution: side of the observation in pixels, a multiple of 16.
        rendering: `fast`, without shadows, reflections and multisampling, or `shipped`, as dm_control draws.
        render_mode: `"rgb_array"` for `render()` to return the observation.

    Raises:
        InputError: an argument is not one of these.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012  (Gymnasium's own form)
    made_of = ("dm_control", "mujoco")
    """Modules that make its states and images; cards name their packages."""
    draws_images = True
    """Whether observations are drawn. Where nobody reads them, they can be left black: nothing else changes."""

    def __init__(
        self,
        control: Callable[[], Any],
        scene: SceneParts,
        looks: Callable[[Any, SceneParts], Looks],
        space: FactorSpace,
        context: Mapping[str, object] | None,
        facts: Iterable[tuple[Fact, Source]],
        *,
        action_repeat: int,
        control_steps: int,
        resolution: int,
        rendering: Rendering,
        render_mode: str | None,
    ) -> None:
        for name, value in (("action_repeat", action_repeat), ("control_steps", control_steps)):
            if value < 1:
                raise InputError(f"{name} is {value!r}, but must be at least 1")
        if resolution < 16 or resolution % 16:
            raise InputError(f"resolution is {resolution!r}, but must be a multiple of 16 pixels")
        if rendering not in RENDERINGS:
            raise unknown_name("rendering", str(rendering), RENDERINGS)
        check_render_mode(render_mode)
        self.space, self._facts, self._repeat = space, tuple(facts), action_repeat
        self.context = self._default_context = space.context(context)
        self.control_steps, self.render_mode = control_steps, render_mode
        self.control = control()
        self.control.reset()  # the models of some tasks are completed there
        self.physics = self.control.physics
        self._picture = Picture(self.physics.model.ptr, scene, resolution, rendering, looks)
        bounds = self.control.action_spec()
        self._largest = np.asarray(bounds.maximum)
        self.action_space = spaces.Box(-1.0, 1.0, bounds.shape, np.float32)
        self.observation_space = spaces.Box(0, 255, (resolution, resolution, 3), np.uint8)
        self.step_count, self._late_reward = 0, 0.0
        self._image: Image | None = None

    def seed_task(self, seed: int) -> None:
        """Seed the generator that the next episode is drawn with."""
        raise NotImplementedError

    def start(self, time_step: Any, name: str) -> Any:
        """Move an episode that has begun on to another start; return dm_control's time step there.

        Raises:
            InputError: there is no such start.
        """
        if name != "task":
            raise unknown_name("start", name, ("task",))
        return time_step

    def reward(self, time_step: Any) -> float:
        """Return the reward of a control step; success goes by dm_control's own."""
        return float(time_step.reward)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Image, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: of the state that it begins in.
            options: `{"start": ...}` names a start; `task`, the default, is dm_control's own. `{"context": {...}}`
                plays that context instead of the constructor's.

        Returns:
            uint8 (resolution, resolution, 3), and an info with context and state.

        Raises:
            InputError: an unknown start, factor or value.
        """
        super().reset(seed=seed)
        given = (options or {}).get("context")
        self._play(self._default_context if given is None else self.space.context(given))
        # An episode does not depend on those before.
        self.seed_task(int(self.np_random.integers(2**32)))
        time_step = self.start(self.control.reset(), str((options or {}).get("start", "task")))
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
        held = self._largest * np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        total = 0.0
        for _ in range(min(self._repeat, self.control_steps - self.step_count)):
            time_step = self.control.step(held)
            self.step_count += 1
            total += self.reward(time_step)
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
        if self.draws_images:
            self._image = self._picture.draw(self.physics.data.ptr, self.step_count)
        else:
            self._image = np.zeros(self.observation_space.shape or (), np.uint8)
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
        places = {"geom": data.geom_xpos, "body": data.xpos, "site": data.site_xpos}
        return float(places[kind][name][axis])
