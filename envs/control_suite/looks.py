"""What the factors of a context do to a task's model before it is drawn; the model that moves is never touched."""

import math
from typing import Any

import numpy as np

from darla.envs.control_suite.graphics import mujoco
from darla.envs.control_suite.tasks import SceneParts
from darla.envs.domains.factor_space import Context
from darla.envs.hsv import adjusted, adjusted_pixels


class Looks:
    """Paints one model, and moves its camera and its lamp.

    Args:
        model: MuJoCo's model that is drawn; a copy of the one that moves.
        scene: what is where in it.
    """

    surface = "ground"
    """What the factors of the ground are called."""

    def __init__(self, model: Any, scene: SceneParts) -> None:
        self._model = model
        ground = model.geom(scene.ground)
        self._ground = int(ground.matid[0])
        self.ground_texture = int(model.mat_texid[self._ground, mujoco.mjtTextureRole.mjTEXROLE_RGB])
        start = int(model.tex_adr[self.ground_texture])
        size = int(model.tex_height[self.ground_texture]) * int(model.tex_width[self.ground_texture]) * 3
        self._texture = slice(start, start + size)
        # A grid has few colors; each is adjusted once, and looked up for every pixel. As one number a pixel, since
        # NumPy sorts rows twenty times as slowly.
        whole = model.tex_data[self._texture].reshape(-1, 3).astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
        colors, self._where = np.unique(whole, return_inverse=True)
        self._colors = np.stack([colors % 256, colors // 256 % 256, colors // 65536], axis=1).astype(np.uint8)
        self._materials = model.mat_rgba.copy()
        headlight = model.vis.headlight
        self._lights = [(part, part.copy()) for part in (
            model.light_ambient, model.light_diffuse, model.light_specular,
            headlight.ambient, headlight.diffuse, headlight.specular,
        )]  # fmt: skip
        self._seen_from_above = scene.seen_from_above
        # The axis that the camera's azimuth turns around.
        self._vertical = np.array([0.0, 1.0, 0.0] if scene.seen_from_above else [0.0, 0.0, 1.0])
        self._camera = scene.camera
        self._depth = _depth(model, scene.camera)
        self._painted: tuple[object, ...] | None = None

    def paint(self, context: Context) -> bool:
        """Give body, ground and light the values of a context; return whether the ground's texture has changed."""
        self.paint_body(context)
        for part, own in self._lights:
            part[:] = own * context.number("light_level")
        ground = self.ground_looks(context)
        if ground == self._painted:
            return False
        self._painted = ground
        self._model.tex_data[self._texture] = self.ground_pixels(context).ravel()
        return True

    def paint_body(self, context: Context) -> None:
        """Give everything but the ground its colors."""
        hue, brightness = context.number("body_hue"), context.number("body_brightness")
        for material, rgba in enumerate(self._materials):
            if material != self._ground:
                self._model.mat_rgba[material, :3] = adjusted(tuple(rgba[:3].astype(float)), hue, brightness)

    def ground_looks(self, context: Context) -> tuple[object, ...]:
        """Return the values that decide the ground's texture."""
        return context.number(f"{self.surface}_hue"), context.number(f"{self.surface}_brightness")

    def ground_pixels(self, context: Context) -> Any:
        """Return the ground's texture, uint8 (pixels, 3)."""
        hue, brightness = context.number(f"{self.surface}_hue"), context.number(f"{self.surface}_brightness")
        colors = self._colors if (hue, brightness) == (0.0, 1.0) else adjusted_pixels(self._colors, hue, brightness)
        return colors[self._where]

    def place(self, data: Any, context: Context) -> None:
        """Move the camera and the lamp around the point that the camera looks at.

        Args:
            data: MuJoCo's data that is drawn; a copy of the one that moves.
            context: says by how much.
        """
        camera = self._camera
        place, axes = data.cam_xpos[camera].copy(), data.cam_xmat[camera].reshape(3, 3).copy()
        pivot = place - self._depth * axes[:, 2]  # a camera looks along its negative third axis
        if angle := context.number("light_angle"):
            turn = _rotation(self._vertical if self._seen_from_above else -axes[:, 2], angle)
            for lamp in range(self._model.nlight):
                data.light_xpos[lamp] = pivot + turn @ (data.light_xpos[lamp] - pivot)
                data.light_xdir[lamp] = turn @ data.light_xdir[lamp]
        azimuth, elevation, roll, distance = (
            context.number(f"camera_{name}") for name in ("azimuth", "elevation", "roll", "distance")
        )
        if (azimuth, elevation, roll, distance) == (0.0, 0.0, 0.0, 1.0):
            return  # exactly where it was
        axes = _rotation(self._vertical, azimuth) @ axes
        axes = _rotation(axes[:, 0], -elevation) @ axes
        data.cam_xpos[camera] = pivot + distance * self._depth * axes[:, 2]
        data.cam_xmat[camera] = (_rotation(axes[:, 2], -roll) @ axes).ravel()


def _depth(model: Any, camera: int) -> float:
    """Return the distance from a camera to the body, along the line of sight, where the body is at rest."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return float((data.cam_xpos[camera] - data.subtree_com[1]) @ data.cam_xmat[camera].reshape(3, 3)[:, 2])


def _rotation(axis: Any, degrees: float) -> Any:
    """Return the matrix that turns around an axis of length 1, counterclockwise where the axis points to the viewer."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = math.radians(degrees)
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
