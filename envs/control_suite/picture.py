"""The picture of a task: its model drawn in the looks of a context, over a drawn background."""

import copy
import weakref
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from darla.envs.control_suite.backgrounds import FASTEST, Background
from darla.envs.control_suite.graphics import context as opengl
from darla.envs.control_suite.graphics import mujoco
from darla.envs.control_suite.looks import Looks
from darla.envs.control_suite.tasks import SceneParts
from darla.envs.domains.factor_space import Context
from darla.envs.hsv import adjusted_pixels

Image = npt.NDArray[np.uint8]
Rendering = Literal["fast", "shipped"]
RENDERINGS: tuple[Rendering, ...] = ("fast", "shipped")

_GROUND_GROUP = 5
"""A group of geoms of which no model here has any: the ground is put there, so that it can be left out."""
_MOST_GEOMS = 200


class Picture:
    """Draws a task.

    `shipped` draws what dm_control draws: shadows, reflections, four samples a pixel. `fast` leaves these out, which at
    64 x 64 pixels takes most of the time (`python -m benchmarks.control_suite`).

    Args:
        model: MuJoCo's model that moves; it is copied.
        scene: what is where in it.
        size: pixels on a side.
        rendering: `fast` or `shipped`.
        looks: what paints it.
    """

    def __init__(
        self,
        model: Any,
        scene: SceneParts,
        size: int,
        rendering: Rendering,
        looks: Callable[[Any, SceneParts], Looks] = Looks,
    ) -> None:
        self._moving, self._place, self._size = model, scene, size
        self._model = copy.copy(model)
        self._data = mujoco.MjData(self._model)
        shown, quality = self._model.vis.global_, self._model.vis.quality
        shown.offwidth = shown.offheight = size
        self._scene = mujoco.MjvScene(self._model, _MOST_GEOMS)
        if rendering == "fast":
            quality.shadowsize = quality.offsamples = 0
            for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
                self._scene.flags[flag] = 0
        self._model.geom(scene.ground).group = _GROUND_GROUP
        self._whole, self._without_ground = mujoco.MjvOption(), mujoco.MjvOption()
        self._whole.geomgroup[_GROUND_GROUP] = 1
        self._view = mujoco.MjvCamera()
        self._view.type, self._view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, scene.camera
        self._edges = mujoco.MjrRect(0, 0, size, size)
        self._looks = looks(self._model, scene)
        self._background: Background | None = None
        opengl.acquire(self)
        self._drawing: Any = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_50)
        self._unless_closed = weakref.finalize(self, opengl.free_later, self._drawing)
        self._unless_closed.atexit = False  # the context closes what uses it

    def paint(self, context: Context) -> None:
        """Take on the looks of a context until the next call."""
        self._context, self._has_sky = context, "sky_hue" in context
        # A task may set these at the start of an episode.
        self._model.geom_size[:], self._model.site_rgba[:] = self._moving.geom_size, self._moving.site_rgba
        if self._looks.paint(context):
            opengl.switch_to()
            mujoco.mjr_uploadTexture(self._model, self._drawing, self._looks.ground_texture)
        self._background = None
        if "background_strength" in context and context.number("background_strength") > 0.0:
            number = int(context.number("background_number"))
            self._background = Background(context.name("background"), number, self._size)

    def draw(self, data: Any, control_steps: int) -> Image:
        """Return the picture, uint8 (size, size, 3).

        Args:
            data: MuJoCo's data that moves; it is copied.
            control_steps: since the episode began, by which a background has moved.
        """
        opengl.switch_to()
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._drawing)
        mujoco.mj_copyData(self._data, self._model, data)
        self._looks.place(self._data, self._context)
        self._render(self._whole)
        pixels = np.empty((self._size, self._size, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self._edges, self._drawing)
        image = np.ascontiguousarray(pixels[::-1])  # OpenGL's first row is the lowest
        sky = (self._context.number("sky_hue"), self._context.number("sky_brightness")) if self._has_sky else (0.0, 1.0)
        if sky != (0.0, 1.0):
            seen = self._nothing_at(self._whole)
            image[seen] = adjusted_pixels(image[seen], *sky)
        if self._background is not None:
            covered = self._nothing_at(self._without_ground if self._place.ground_is_background else self._whole)
            strength = self._context.number("background_strength")
            moved = FASTEST * self._context.number("background_motion") * control_steps
            drawn = self._background.draw(moved)[covered]
            image[covered] = np.round((1 - strength) * image[covered] + strength * drawn).astype(np.uint8)
        return image

    def close(self) -> None:
        """Free what the driver holds; closing twice is harmless."""
        if self._drawing is not None:
            self._unless_closed.detach()
            opengl.switch_to()
            self._drawing.free()
            self._drawing = None

    def _render(self, option: Any) -> None:
        everything = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, self._data, option, None, self._view, everything, self._scene)
        mujoco.mjr_render(self._edges, self._scene, self._drawing)

    def _nothing_at(self, option: Any) -> npt.NDArray[np.bool_]:
        """Return the pixels at which nothing of the model is seen, bool (size, size)."""
        sky = mujoco.mjtRndFlag.mjRND_SKYBOX
        self._scene.flags[sky] = 0  # it would have a depth of its own
        self._render(option)
        self._scene.flags[sky] = 1
        depth = np.empty((self._size, self._size), np.float32)
        mujoco.mjr_readPixels(None, depth, self._edges, self._drawing)
        return np.ascontiguousarray(depth[::-1] >= 1.0)
