"""SeekAvoid: collect good objects and avoid bad ones, in a room whose appearance is the domain.

After DeepMind Lab's `rooms_collect_good_objects`, the published version of the level that DARLA was evaluated on: rooms
differ in wall and floor color, two object sets have a good (+1) and a bad (-1) kind each, and touching collects.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from darla.common import InputError, unknown_name
from darla.envs.domains.domain import Domain
from darla.envs.domains.factor_space import Context
from darla.envs.env_arguments import check_render_mode, check_steps
from darla.envs.seek_avoid.objects import OBJECT_SETS, WIDEST, Kind
from darla.envs.seek_avoid.opengl import FrameBuffer, context
from darla.envs.seek_avoid.room_size import (
    ACTIONS_3,
    ACTIONS_9,
    AGENT_RADIUS,
    LIGHT_STEPS_PER_TURN,
    ROOM_SIZES,
    STEP,
    TURN,
)
from darla.envs.seek_avoid.scene import LIGHT_UP, Camera, Scene, SceneObject, load_mesh, tint
from darla.envs.seek_avoid.state import describe
from darla.envs.worlds.seek_avoid import SEEK_AVOID

from miniworld.entity import Agent, Entity, MeshEnt  # isort: skip  (after darla.envs.seek_avoid.opengl, which makes pyglet headless)
from miniworld.miniworld import MiniWorldEnv  # isort: skip

Image = npt.NDArray[np.uint8]


class EntityObject(MeshEnt):  # type: ignore[misc]
    """An object in the room, as an entity of MiniWorld."""

    def __init__(self, kind: Kind, scene_object: SceneObject) -> None:
        # Not MeshEnt's own, which resolves the path of the mesh each time: a quarter of the time of a reset.
        Entity.__init__(self)
        self.static, self.mesh, self.height = False, load_mesh(kind.name), kind.height
        self.scale = kind.height / self.mesh.max_coords[1]
        self.kind, self.scene_object = kind, scene_object
        self.radius = kind.radius
        self.pos, self.dir = np.array([scene_object.x, 0.0, scene_object.z]), scene_object.heading


class SeekAvoid(MiniWorldEnv):  # type: ignore[misc]
    """The task, in contexts of a domain.

    Observations are the agent's view, uint8 (64, 64, 3). `reset(seed=s)` fixes the whole episode: context, layout
    and where objects reappear. `info` carries `context` (every factor's value) and `state` (the agent's x, z and
    heading, and for each object its kind, worth, x, z, bearing, distance and whether it is in view).

    Args:
        domain: what the context of an episode is drawn from; or one context, or some of its values.
        size: `"small"` (5 x 5 m, two good and two bad objects that reappear elsewhere, 150 steps) or `"paper"`.
        actions: 3 (turn left, turn right, forward) or 9 (also back, strafe, forward while turning, wait).
        steps: length of an episode in steps; the size's own if None.
        resolution: side of the observation in pixels.
        render_mode: `"rgb_array"` for `render()` to return an image of 256 x 256 pixels.
        view: what `render()` shows: the `"agent"`'s view or the room from the `"top"`.

    Raises:
        InputError: an argument is not one of these.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012  (Gymnasium's own form)
    draws_images = True
    """Whether observations are drawn. Where nobody reads them, they can be left black: nothing else changes."""

    def __init__(
        self,
        domain: Domain | Mapping[str, object] | None = None,
        *,
        size: Literal["small", "paper"] = "small",
        actions: Literal[3, 9] = 3,
        steps: int | None = None,
        resolution: int = 64,
        render_mode: str | None = None,
        view: Literal["agent", "top"] = "agent",
    ) -> None:
        if size not in ROOM_SIZES:
            raise unknown_name("size", str(size), ROOM_SIZES)
        if actions not in (3, 9):
            raise InputError(f"actions is {actions!r}, but must be 3 or 9")
        check_render_mode(render_mode)
        if view not in ("agent", "top"):
            raise InputError(f"view is {view!r}, but must be 'agent' or 'top'")
        if not 16 <= resolution <= 1024:
            raise InputError(f"resolution is {resolution!r}, but must lie in [16, 1024] pixels")
        # MiniWorldEnv.__init__ opens a window and two large frame buffers for each environment; we share one context.
        gymnasium.Env.__init__(self)
        if not isinstance(domain, Domain):
            domain = Domain.of(SEEK_AVOID.space.context(domain), SEEK_AVOID)
        if domain.world.space != SEEK_AVOID.space:
            raise InputError(f"domain {domain.name!r} is of world {domain.world.name!r}, but SeekAvoid's is needed")
        self.domain = domain
        self.room_size = ROOM_SIZES[size]
        self.max_episode_steps = steps if steps is not None else self.room_size.steps
        check_steps(self.max_episode_steps)
        self._moves = tuple((ACTIONS_3 if actions == 3 else ACTIONS_9).values())
        self.action_space = spaces.Discrete(actions)
        self.observation_space = spaces.Box(0, 255, (resolution, resolution, 3), np.uint8)
        self.render_mode, self.view = render_mode, view
        self.width, self.depth = (cells * self.room_size.cell for cells in self.room_size.cells)
        self.scene = Scene(self.width, self.depth, height=2.0)
        self.obs_fb = FrameBuffer(resolution, resolution)
        self._view_fb: FrameBuffer | None = None
        self._closed = False
        self.window = None
        self.shadow_window = context
        self.rooms = [self.scene.room]
        self.min_x, self.max_x, self.min_z, self.max_z = 0.0, self.width, 0.0, self.depth
        self.sky_color = [0.25, 0.82, 1.0]
        self.agent = Agent()
        self.agent.radius, self.agent.cam_fwd_disp = AGENT_RADIUS, 0.0
        self.entities: list[Any] = []
        self.context = SEEK_AVOID.space.context()
        self.step_count = 0
        self.collected_good = self.collected_bad = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Image, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: fixes everything about the episode.
            options: `{"context": {...}}` plays that context instead of one drawn from the domain.
        """
        gymnasium.Env.reset(self, seed=seed)
        # A generator of its own for the context: one seed gives one layout, whatever the domain draws from it.
        drawn = self.domain.sample(np.random.default_rng(int(self.np_random.integers(2**63))))
        given = (options or {}).get("context")
        if given is not None:
            drawn = given if isinstance(given, Context) else SEEK_AVOID.space.context(given)
        self.context = drawn
        self.step_count = 0
        self.collected_good = self.collected_bad = 0
        self._set_camera(self.context)
        self._fill()
        self._build()
        return self.render_obs(), self._info()

    def step(self, action: Any) -> tuple[Image, float, bool, bool, dict[str, Any]]:
        """Move, collect what is touched, and render."""
        self.step_count += 1
        ahead, aside, turn = self._moves[int(action)]
        agent = self.agent
        agent.dir = (agent.dir + turn * TURN) % (2 * math.pi)
        cos, sin = math.cos(agent.dir), math.sin(agent.dir)
        if ahead or aside:
            x = agent.pos[0] + STEP * (ahead * cos + aside * sin)
            z = agent.pos[2] + STEP * (aside * cos - ahead * sin)
            # The agent slides along walls; in stock MiniWorld it would not move at all.
            agent.pos[0] = min(max(x, AGENT_RADIUS), self.width - AGENT_RADIUS)
            agent.pos[2] = min(max(z, AGENT_RADIUS), self.depth - AGENT_RADIUS)
        reward = self._collect()
        picks = self.collected_good + self.collected_bad
        terminated = self.room_size.picks is not None and picks >= self.room_size.picks
        truncated = not terminated and self.step_count >= self.max_episode_steps
        info = self._info()
        if terminated or truncated:
            info["is_success"] = info["success"]
        return self.render_obs(), reward, terminated, truncated, info

    def _collect(self) -> float:
        touched = [entity for entity in self.entities if self._gap(entity) < 0.0]
        for entity in touched:
            self.entities.remove(entity)
            if entity.kind.good:
                self.collected_good += 1
            else:
                self.collected_bad += 1
        if self.room_size.respawn:
            for entity in touched:
                self._put(entity.kind, away=1.5)
        if touched:
            self._build()
        return float(sum(entity.kind.worth for entity in touched))

    def _gap(self, entity: EntityObject) -> float:
        position = self.agent.pos
        apart = math.hypot(entity.scene_object.x - position[0], entity.scene_object.z - position[2])
        return apart - AGENT_RADIUS - entity.kind.radius - self.room_size.reach

    def _fill(self) -> None:
        good, bad = OBJECT_SETS[self.context.name("object_set")]
        self.entities = []
        rng = self.np_random
        kinds = [good] * self.room_size.each + [bad] * self.room_size.each
        if self.room_size.respawn:
            self._place_agent(
                rng.uniform(AGENT_RADIUS, self.width - AGENT_RADIUS),
                rng.uniform(AGENT_RADIUS, self.depth - AGENT_RADIUS),
            )
            for kind in kinds:
                self._put(kind, away=0.0)
            return
        columns, rows = self.room_size.cells
        cells = rng.choice(columns * rows, size=len(kinds) + 1, replace=False)
        spots = [
            ((cell % columns + 0.5) * self.room_size.cell, (cell // columns + 0.5) * self.room_size.cell)
            for cell in cells
        ]
        self._place_agent(*spots[0])
        for kind, (x, z) in zip(kinds, spots[1:], strict=True):
            self._add(kind, float(x), float(z))

    def _place_agent(self, x: float, z: float) -> None:
        self.agent.pos = np.array([x, 0.0, z])
        self.agent.dir = float(self.np_random.uniform(0.0, 2 * math.pi))

    def _put(self, kind: Kind, away: float) -> None:
        """Place an object where the agent can walk around it, at least `away` meters beyond its reach."""
        rng, margin, reach = self.np_random, WIDEST, AGENT_RADIUS + self.room_size.reach
        best: tuple[float, float, float] | None = None
        for _ in range(50):
            x, z = rng.uniform(margin, self.width - margin), rng.uniform(margin, self.depth - margin)
            room = math.hypot(x - self.agent.pos[0], z - self.agent.pos[2]) - reach - margin - away
            for other in self.entities:
                apart = math.hypot(x - other.scene_object.x, z - other.scene_object.z) - 2 * margin
                room = min(room, apart - 2 * AGENT_RADIUS)
            if best is None or room > best[0]:
                best = (room, x, z)
            if room > 0.0:
                break
        assert best is not None
        self._add(kind, best[1], best[2])

    def _add(self, kind: Kind, x: float, z: float) -> None:
        shade = tint(
            self.context.number("good_tint" if kind.good else "bad_tint"),
            self.context.number("tint_strength"),
        )
        heading = float(self.np_random.uniform(0.0, 2 * math.pi))
        context.switch_to()
        self.entities.append(EntityObject(kind, SceneObject(kind.name, kind.height, x, z, heading, shade)))

    def _set_camera(self, context: Context) -> None:
        self.agent.cam_height = context.number("camera_height")
        self.agent.cam_pitch = context.number("camera_pitch")
        self.agent.cam_fov_y = context.number("camera_fov")

    def _build(self) -> None:
        self.scene.build(self.context, (entity.scene_object for entity in self.entities))

    def _camera(self, shake: tuple[float, float] = (0.0, 0.0)) -> Camera:
        agent = self.agent
        pitch = math.radians(agent.cam_pitch) + shake[1]
        return Camera(agent.pos[0], agent.pos[2], agent.cam_height, agent.dir + shake[0], pitch, agent.cam_fov_y)

    def _light(self) -> tuple[float, float, float]:
        around = 2 * math.pi * self.step_count / LIGHT_STEPS_PER_TURN
        motion = self.context.number("light_motion")
        east = self.context.number("light_x") + motion * math.cos(around)
        south = self.context.number("light_z") + motion * math.sin(around)
        return east, LIGHT_UP, south

    def render_obs(self, frame_buffer: FrameBuffer | None = None) -> Image:
        """Return the agent's current view, uint8 (height, width, 3)."""
        shake = (0.0, 0.0)
        jitter = math.radians(self.context.number("camera_jitter"))
        if jitter > 0.0 and frame_buffer is None:
            yaw, pitch = self.np_random.normal(0.0, jitter, 2)
            shake = (float(yaw), float(pitch))
        if not self.draws_images and frame_buffer is None:
            return np.zeros(self.observation_space.shape, np.uint8)
        return self.scene.render(frame_buffer or self.obs_fb, self._camera(shake), self._light())

    def _render_world(self, frame_buffer: FrameBuffer, render_agent: bool) -> Image:
        """Draw into a frame whose camera MiniWorld has set; serves `render_top_view`."""
        self.scene.light(self._light())
        self.scene.draw()
        if render_agent:
            self.agent.render()
        return frame_buffer.resolve()

    def render(self) -> Image | None:
        """Return a larger image, uint8 (256, 256, 3), or None without a render mode."""
        if self.render_mode is None:
            return None
        context.switch_to()
        if self._view_fb is None:
            self._view_fb = FrameBuffer(256, 256)
        if self.view == "agent":
            return self.render_obs(self._view_fb)
        top: Image = self.render_top_view(self._view_fb)
        return top

    def close(self) -> None:
        """Free all graphics resources; closing twice is harmless."""
        if not self._closed:
            self._closed = True
            context.switch_to()
            self.obs_fb.close()
            if self._view_fb is not None:
                self._view_fb.close()
            self.scene.close()

    def _info(self) -> dict[str, Any]:
        total = self.collected_good - self.collected_bad
        return {
            "context": self.context.to_dict(),
            "state": self.state(),
            "collected_good": self.collected_good,
            "collected_bad": self.collected_bad,
            "success": total >= self.room_size.success,
        }

    def state(self) -> dict[str, Any]:
        """Return the ground truth: the agent's pose and every object, nearest first; see `seek_avoid.state`."""
        return describe(
            self._camera(), [entity.scene_object for entity in self.entities], [entity.kind for entity in self.entities]
        )
