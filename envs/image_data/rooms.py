"""Rooms: a room with one object in it, as ground-truth image data.

After the DeepMind Lab rooms that SCAN (Higgins et al. 2018, arXiv 1707.03389) was trained on: 16 hues each of wall,
floor and object, 3 kinds of object, and, unnamed there, the rotation of the object about its vertical axis and of the
camera. SeekAvoid's renderer draws about a thousand of them a second on one core; collect a set that is used more than
once to disk (`darla collect rooms`).
"""

import math

import numpy as np

from darla.envs.image_data.ground_truth import Factors, GroundTruthData, Images, checked_factors
from darla.envs.seek_avoid.opengl import FrameBuffer
from darla.envs.seek_avoid.scene import LIGHT_UP, Camera, Scene, SceneObject, tint
from darla.envs.worlds.room_search import HUE_NAMES, KINDS
from darla.envs.worlds.seek_avoid import SEEK_AVOID

HUES = 16
"""Equal steps around the color wheel, beginning at red."""
AZIMUTHS = 8
"""Equal steps of a full turn of the object."""
YAWS = 8
_SIDE = 64
_YAW_LIMIT = math.radians(12.0)
"""The camera turns this far to either side of the object, which is then still entirely in the image."""
_ROOM, _WALL = 5.0, 2.0  # side and height in meters, SeekAvoid's small room
_CAMERA_X, _MIDDLE, _DISTANCE = 0.8, 2.5, 2.1  # meters
_CAMERA_HEIGHT, _PITCH, _FOV = 1.3, math.radians(-18.0), 60.0
_HEIGHTS = {"key": 0.52, "duckie": 0.8, "office_chair": 1.0}
"""In meters, chosen so that all kinds are about as wide."""
# As saturated as rooms may be; the object is more so, and stands out from a room of its own hue.
_SURFACES = {"wall_saturation": 0.6, "wall_value": 0.7, "floor_saturation": 0.6, "floor_value": 0.6}
_LIGHT = (1.0, LIGHT_UP, 1.0)


class Rooms(GroundTruthData):
    """Images of a room with one object, uint8 (64, 64, 3); 786,432 of them.

    The graphics context is opened by the first image and left by `close`.
    """

    name = "rooms"
    factor_names = ("wall_hue", "floor_hue", "object_hue", "object_kind", "object_azimuth", "camera_yaw")
    factor_sizes = (HUES, HUES, HUES, len(KINDS), AZIMUTHS, YAWS)
    image_shape = (_SIDE, _SIDE, 3)
    attributes = (
        ("wall", "wall_hue", HUE_NAMES),
        ("floor", "floor_hue", HUE_NAMES),
        ("color", "object_hue", HUE_NAMES),
        ("object", "object_kind", KINDS),
    )
    """What concepts can specify: name, factor and values of each; rotations have no names, as in SCAN."""

    def __init__(self) -> None:
        self._opened: tuple[Scene, FrameBuffer] | None = None

    def render(self, factors: Factors) -> Images:
        """Draw rooms, uint8 (N, 64, 64, 3); see `GroundTruthData.render`."""
        factors = checked_factors(factors, self)
        if self._opened is None:
            self._opened = Scene(_ROOM, _ROOM, _WALL), FrameBuffer(_SIDE, _SIDE)
        scene, frame = self._opened
        images = np.empty((len(factors), *self.image_shape), np.uint8)
        for row, (wall, floor, hue, kind, azimuth, yaw) in enumerate(factors.tolist()):
            mesh = KINDS[kind]
            turn = 2 * math.pi * azimuth / AZIMUTHS
            scene_object = SceneObject(
                mesh, _HEIGHTS[mesh], _CAMERA_X + _DISTANCE, _MIDDLE, turn, tint(hue / HUES, 1.0), plain=True
            )
            context = SEEK_AVOID.space.context({"wall_hue": wall / HUES, "floor_hue": floor / HUES, **_SURFACES})
            scene.build(context, [scene_object])
            aside = _YAW_LIMIT * (2 * yaw / (YAWS - 1) - 1)
            images[row] = scene.render(frame, Camera(_CAMERA_X, _MIDDLE, _CAMERA_HEIGHT, aside, _PITCH, _FOV), _LIGHT)
        return images

    def close(self) -> None:
        """Free the graphics; the next image opens them again."""
        if self._opened is not None:
            scene, frame = self._opened
            self._opened = None
            frame.close()
            scene.close()
