"""The ground truth behind an image as one vector: what a policy would see if its vision were perfect.

A world gives a vector of fixed length as `info["state"]["vector"]`. SeekAvoid gives its agent and a list of objects,
from which `darla.envs.seek_avoid.state_vector` builds a vector; its length follows from the number of objects.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.envs.seek_avoid import state_vector as object_layout

Vector = npt.NDArray[np.float32]


def state_size(info: Mapping[str, Any]) -> int:
    """Return the length of the state vector, from the `info` with which an episode begins.

    Raises:
        InputError: the environment does not give its state.
    """
    state = _state(info)
    if "vector" in state:
        return int(np.asarray(state["vector"]).size)
    return object_layout.vector_size(object_layout.places_for(info))


def state_vector(info: Mapping[str, Any], size: int) -> Vector:
    """Return the state in an `info`, float32 (size,).

    Args:
        info: what `reset` or `step` returned.
        size: from `state_size`, the largest of all environments whose states are put side by side.

    Raises:
        InputError: the environment does not give its state, or not one of that size.
    """
    state = _state(info)
    if "vector" not in state:
        return object_layout.state_vector(info, object_layout.places_of(size))
    vector = np.asarray(state["vector"], np.float32)
    if vector.shape != (size,):
        raise InputError(f"the environment gives a state vector of shape {vector.shape}, but {(size,)} is needed")
    return vector


def state_vectors(infos: Iterable[Mapping[str, Any]], size: int) -> Vector:
    """Return the states of several environments, float32 (n, size)."""
    return np.stack([state_vector(info, size) for info in infos])


def _state(info: Mapping[str, Any]) -> Mapping[str, Any]:
    state = info.get("state")
    if not isinstance(state, Mapping) or not ("vector" in state or {"agent", "objects"} <= state.keys()):
        raise InputError(
            "the environment does not give its ground truth: info['state'] has neither 'vector' nor, as in SeekAvoid,"
            " 'agent' and 'objects'"
        )
    return state
