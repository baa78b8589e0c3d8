"""The ground truth as a vector: of one size, in one order, whatever an environment lists first."""

import math
import random

import numpy as np
import pytest

from darla.common import InputError
from darla.envs import SEEK_AVOID, Domain, make, tasks
from darla.envs.seek_avoid.state_vector import METERS, places_for, places_of, state_vector, vector_size

PLACE = (vector_size(2) - vector_size(1)) // 2


def thing(kind: str, good: bool, distance: float, bearing: float = 0.3, visible: bool = True) -> dict:
    return {"kind": kind, "good": good, "distance": distance, "bearing": bearing, "visible": visible}


def info(*objects: dict) -> dict:
    return {"state": {"agent": {"x": 1.0, "z": 2.0, "heading": 0.5}, "objects": list(objects)}}


def places(vector: np.ndarray) -> np.ndarray:
    return vector[4:].reshape(-1, PLACE)


def test_good_objects_come_first_and_the_nearest_of_them_before_the_others():
    objects = [thing("cone", False, 1.0), thing("duckie", True, 3.0), thing("medkit", True, 2.0)]
    halves = places(state_vector(info(*objects), 2))
    assert halves[:, 4] * METERS == pytest.approx([2.0, 3.0, 1.0, 0.0])
    assert halves[:, 0].tolist() == [1, 1, 1, 0]


def test_the_order_in_which_objects_are_listed_makes_no_difference():
    objects = [thing(kind, good, distance) for kind, good, distance in
               (("medkit", True, 1.0), ("medkit", True, 2.5), ("cone", False, 0.7), ("cone", False, 4.0))]  # fmt: skip
    first = state_vector(info(*objects), 2)
    for _ in range(5):
        random.Random(0).shuffle(objects)
        assert np.array_equal(state_vector(info(*objects), 2), first)


def test_a_place_without_an_object_holds_nothing_but_zeros():
    assert not places(state_vector(info(), 3)).any()


def test_what_a_place_holds():
    place = places(state_vector(info(thing("barrel", False, 2.5, bearing=-0.4, visible=False)), 1))[1]
    assert place == pytest.approx([1, 0, math.sin(-0.4), math.cos(-0.4), 0.5, 0, 0, 0, 1])
    assert state_vector(info(), 1)[:4] == pytest.approx([0.2, 0.4, math.sin(0.5), math.cos(0.5)])


@pytest.mark.parametrize("count", [1, 2, 10])
def test_the_number_of_places_follows_from_the_size(count):
    assert places_of(vector_size(count)) == count
    with pytest.raises(InputError, match="no state vector has"):
        places_of(vector_size(count) + 1)


def test_more_objects_than_places_are_refused():
    with pytest.raises(InputError, match="2 good objects, but there are places for 1"):
        state_vector(info(thing("medkit", True, 1.0), thing("medkit", True, 2.0)), 1)


@pytest.mark.parametrize("incomplete", [{}, {"state": 3}, {"state": {"agent": {}}}])
def test_an_environment_that_does_not_give_its_state_is_refused(incomplete):
    with pytest.raises(InputError, match="does not give its ground truth"):
        places_for(incomplete)


def test_the_same_room_in_other_colors_is_the_same_vector():
    vectors = []
    for wall in (0.1, 0.6):
        env = make(Domain("room", ({"wall_hue": wall, "floor_hue": 0.9, "object_set": "B"},), world=SEEK_AVOID))
        _, begun = env.reset(seed=3)
        for action in (0, 2, 2):
            *_, begun = env.step(action)
        vectors.append(state_vector(begun, places_for(begun)))
        env.close()
    assert np.array_equal(*vectors)


def test_the_vector_says_where_things_are_in_the_room():
    env = make(tasks.get("conjunction").source)
    _, begun = env.reset(seed=0)
    halves = places(state_vector(begun, places_for(begun)))
    agent = begun["state"]["agent"]
    truth = sorted((each["x"], each["z"]) for each in begun["state"]["objects"])
    angles = agent["heading"] + np.arctan2(halves[:, 2], halves[:, 3])
    distances = halves[:, 4] * METERS
    where = zip(agent["x"] + distances * np.cos(angles), agent["z"] - distances * np.sin(angles), strict=True)
    assert sorted(where) == [pytest.approx(spot, abs=1e-5) for spot in truth]
    env.close()
