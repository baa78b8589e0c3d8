"""The ground truth behind an image as one vector: what a policy would see if its vision were perfect.

The vector begins with the agent's pose, four numbers:

    x, z        in units of `METRES`, from 0
    sin, cos    of the heading

Then comes a place for every object that the room can hold, the good ones first and the bad ones after them, each half
sorted by distance, the nearest first. So the same numbers always tell of the nearest good object, and which object an
environment happened to list first has no part in it. A place holds

    present     1, or 0 where there are fewer objects: all else is 0 there
    visible     1 if the object's middle is in the picture and not hidden
    sin, cos    of the bearing, positive to the left
    distance    in units of `METRES`
    kind        one number for each of `KIND_NAMES`, 1 for the object's own

It tells more than any image does: where objects are that are out of view. It tells nothing of how things look: no hue,
no texture, no light.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.envs.seek_avoid.objects import KIND_NAMES

METRES = 5.0
"""The side of the small room; distances are about as large as sines and cosines then."""

_POSE = 4
_PLACE = 5 + len(KIND_NAMES)

Vector = npt.NDArray[np.float32]


def places_for(info: Mapping[str, Any]) -> int:
    """Return how many places each half needs, from what an environment tells when an episode begins.

    Objects are only taken away, or come back, in the course of an episode: at its beginning there are as many as there
    will ever be.

    Raises:
        InputError: the environment tells no such state.
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
    """Return the state that an environment's `info` tells, float32 (`vector_size(places)`,).

    Args:
        info: what `reset` or `step` returned, with the entry `state` as `SeekAvoid.state` gives it.
        places: for good objects, and again for bad ones.

    Raises:
        InputError: the environment tells no such state, or there are more objects than places.
    """
    objects = _objects(info)
    agent = info["state"]["agent"]
    found = np.zeros(vector_size(places), np.float32)
    found[:_POSE] = (
        agent["x"] / METRES,
        agent["z"] / METRES,
        math.sin(agent["heading"]),
        math.cos(agent["heading"]),
    )
    slots = found[_POSE:].reshape(2 * places, _PLACE)
    for half, good in enumerate((True, False)):
        alike = sorted((each for each in objects if bool(each["good"]) == good), key=lambda each: each["distance"])
        if len(alike) > places:
            worth = "good" if good else "bad"
            raise InputError(f"the state tells of {len(alike)} {worth} objects, but there are places for {places}")
        for slot, each in zip(slots[half * places :], alike, strict=False):
            bearing = each["bearing"]
            slot[:5] = 1.0, each["visible"], math.sin(bearing), math.cos(bearing), each["distance"] / METRES
            slot[5 + KIND_NAMES.index(each["kind"])] = 1.0
    return found


def state_vectors(infos: Iterable[Mapping[str, Any]], places: int) -> Vector:
    """Return the states of several environments, float32 (n, `vector_size(places)`)."""
    return np.stack([state_vector(info, places) for info in infos])


def _objects(info: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    state = info.get("state")
    if not isinstance(state, Mapping) or not {"agent", "objects"} <= state.keys():
        raise InputError(
            "the environment does not tell the ground truth: its info has no 'state' with 'agent' and 'objects', as"
            " SeekAvoid's has"
        )
    objects: Sequence[Mapping[str, Any]] = state["objects"]
    return objects
