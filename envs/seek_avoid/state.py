"""The ground truth behind an image: the agent's pose, and where each object is relative to it."""

import math
from collections.abc import Sequence
from typing import Any

from darla.envs.seek_avoid.objects import Kind
from darla.envs.seek_avoid.scene import Camera, SceneObject

_HALF_WIDTH = 0.35  # of an object as it is seen, in meters


def describe(camera: Camera, scene_objects: Sequence[SceneObject], kinds: Sequence[Kind]) -> dict[str, Any]:
    """Return the agent's pose and every object, nearest first.

    Args:
        camera: the agent's camera, without jitter.
        scene_objects: the objects as they are drawn.
        kinds: the kind of each.

    Returns:
        `agent`: `x`, `z` in meters, `heading` in radians. `objects`: a list of `kind`, `good`, `x`, `z`, `bearing` in
        radians from straight ahead (positive to the left), `distance` in meters from the agent's axis to the
        object's, and `visible`: whether the object's middle is in the image and no nearer object hides it.
    """
    x, z = float(camera.x), float(camera.z)
    objects: list[dict[str, Any]] = []
    for scene_object, kind in zip(scene_objects, kinds, strict=True):
        dx, dz = scene_object.x - x, scene_object.z - z
        bearing = (math.atan2(-dz, dx) - camera.heading + math.pi) % (2 * math.pi) - math.pi
        distance = math.hypot(dx, dz)
        objects.append(
            {
                "kind": kind.name,
                "good": kind.good,
                "x": scene_object.x,
                "z": scene_object.z,
                "bearing": bearing,
                "distance": distance,
                "visible": _in_image(camera, bearing, distance, kind.height / 2),
            }
        )
    objects.sort(key=lambda seen: seen["distance"])
    for index, seen in enumerate(objects):
        if seen["visible"]:
            seen["visible"] = not any(_hides(nearer, seen) for nearer in objects[:index])
    return {"agent": {"x": x, "z": z, "heading": float(camera.heading)}, "objects": objects}


def _hides(nearer: dict[str, Any], further: dict[str, Any]) -> bool:
    """Tell whether the middle of an object lies behind the inner part of a nearer one."""
    apart = abs(further["bearing"] - nearer["bearing"])
    return bool(apart < 0.6 * math.atan2(_HALF_WIDTH, nearer["distance"]))


def _in_image(camera: Camera, bearing: float, distance: float, middle: float) -> bool:
    """Tell whether the point at `middle` meters above the floor falls inside the image."""
    ahead, left, down = distance * math.cos(bearing), distance * math.sin(bearing), camera.height - middle
    along = ahead * math.cos(camera.pitch) - down * math.sin(camera.pitch)
    above = -ahead * math.sin(camera.pitch) - down * math.cos(camera.pitch)
    reach = along * math.tan(math.radians(camera.fov) / 2)
    return along > 0.0 and abs(left) < reach and abs(above) < reach
