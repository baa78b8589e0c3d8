"""The ground truth behind an image of SeekAvoid as one vector; `darla.envs.state_vector` serves any world.

The vector begins with the agent's pose, four numbers:

    x, z        in units of `METERS`, from 0
    sin, cos    of the heading

Then comes a place for every object that the room can hold, the good ones first and the bad ones after them, each half
sorted by distance, the nearest first. So the same numbers always describe the nearest good object, in whatever order an
environment lists its objects. A place holds

    present     1, or 0 where there are fewer objects: all else is 0 there
    visible     1 if the object's middle is in the image and not hidden
    sin, cos    of the bearing, positive to the left
    distance    in units of `METERS`
    kind        one number for each of `KIND_NAMES`, 1 for the object's own

It holds more than an image: objects out of view are in it. It holds nothing of the looks: no hue, no texture, no light.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.envs.seek_avoid.objects import KIND_NAMES

METERS = 5.0
"""The side of the small room; distances are about as large as sines and cosines then."""

_POSE = 4
_PLACE = 5 + len(KIND_NAMES)

Vector = npt.NDArray[np.float32]


def places_for(info: Mapping[str, Any]) -> int:
    """Return how many places each half needs, from the info with which an episode begins.

    During an episode objects disappear or reappear: there are never more of them than at its beginning.

    Raises:
        InputError: the environment gives no such state.
    """
    goods = [bool(each["good"]) for each in _objects(info)]
    return max(1, sum(goods), len(goods) - sum(goods))


def vector_size(places: int) -> int:
    """Return the length of a state vector with `places` places in each half."""
    return _POSE + 2 * places * _PLACE


def places_of(size: int) -> int:
    """Return how many places each half of a state vector of `size` numbers has.

    Raises:
        InputError: no state vector is of that size.
    """
    places = (size - _POSE) // (2 * _PLACE)
    if places < 1 or vector_size(places) != size:
        raise InputError(f"no state vector has {size} numbers; with one place for a good and a bad object it has"
                         f" {vector_size(1)}")  # fmt: skip
    return places


def state_vector(info: Mapping[str, Any], places: int) -> Vector:
    """Return the state in an environment's `info`, float32 (`vector_size(places)`,).

    Args:
        info: what `reset` or `step` returned, with the entry `state` as `SeekAvoid.state` gives it.
        places: for good objects, and again for bad ones.

    Raises:
        InputError: the environment gives no such state, or there are more objects than places.
    """
    objects = _objects(info)
    agent = info["state"]["agent"]
    vector = np.zeros(vector_size(places), np.float32)
    vector[:_POSE] = (
        agent["x"] / METERS,
        agent["z"] / METERS,
        math.sin(agent["heading"]),
        math.cos(agent["heading"]),
    )
    slots = vector[_POSE:].reshape(2 * places, _PLACE)
    for half, good in enumerate((True, False)):
        same_half = sorted((each for each in objects if bool(each["good"]) == good), key=lambda each: each["distance"])
        if len(same_half) > places:
            worth = "good" if good else "bad"
            raise InputError(f"the state has {len(same_half)} {worth} objects, but there are places for {places}")
        for slot, each in zip(slots[half * places :], same_half, strict=False):
            bearing = each["bearing"]
            slot[:5] = 1.0, each["visible"], math.sin(bearing), math.cos(bearing), each["distance"] / METERS
            slot[5 + KIND_NAMES.index(each["kind"])] = 1.0
    return vector


def _objects(info: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    state = info.get("state")
    if not isinstance(state, Mapping) or not {"agent", "objects"} <= state.keys():
        raise InputError(
            "the environment does not give its ground truth: its info has no 'state' with 'agent' and 'objects', as"
            " SeekAvoid's has"
        )
    objects: Sequence[Mapping[str, Any]] = state["objects"]
    return objects
