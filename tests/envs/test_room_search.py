"""Searching rooms for what an instruction names: the rules, the draw of rooms, and the environment."""

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from darla.common import InputError
from darla.envs import ROOM_SEARCH, make
from darla.envs.domains.specs import Choice
from darla.envs.image_data.rooms import Rooms
from darla.envs.room_search.domains import SOURCE, TARGET, UNLABELED, leak_of_target, rooms
from darla.envs.room_search.search import (
    FACING,
    ROOMS,
    YAWS,
    Layouts,
    Searches,
    draw_layout,
    draw_layouts,
    instruction_of,
    wanted_of,
)
from darla.envs.worlds.room_search import ACTIONS
from darla.vision.concepts.space import matches, space_of

LEFT, RIGHT, NEXT, TAKE = range(len(ACTIONS))


def search(yaw: int = 3, goal: int = 0, steps: int = 40) -> Searches:
    rooms = np.arange(ROOMS * 5).reshape(1, ROOMS, 5) % 3
    return Searches(Layouts(np.array([[0, -1, -1, -1]]), rooms, np.full((1, ROOMS), yaw), np.array([goal])), steps)


def act(searches: Searches, *actions: int) -> tuple[float, bool, bool]:
    for action in actions:
        rewards, taken, over = searches.step(np.array([action]))
    return float(rewards[0]), bool(taken[0]), bool(over[0])


def test_taking_the_object_of_the_room_that_is_asked_for_is_worth_one_and_any_other_nothing() -> None:
    assert act(search(goal=0), TAKE) == (1.0, True, False)
    assert act(search(goal=1), TAKE) == (0.0, True, False)
    assert act(search(goal=2), NEXT, NEXT, TAKE) == (1.0, True, False)


def test_rooms_are_a_ring_and_keep_their_camera() -> None:
    searches = search()
    act(searches, LEFT, LEFT, NEXT)
    assert searches.yaw == 3
    act(searches, *[NEXT] * (ROOMS - 1))
    assert searches.room == 0
    assert searches.yaw == 1


@pytest.mark.parametrize("yaw", range(YAWS))
def test_an_object_is_taken_only_if_the_camera_faces_it(yaw: int) -> None:
    assert act(search(yaw), TAKE)[1] == (FACING[0] <= yaw <= FACING[1])


def test_the_camera_stops_at_either_side() -> None:
    searches = search()
    act(searches, *[LEFT] * 20)
    assert searches.yaw == 0
    act(searches, *[RIGHT] * 20)
    assert searches.yaw == YAWS - 1


def test_a_search_ends_after_its_length() -> None:
    assert act(search(steps=3), NEXT, NEXT) == (0.0, False, False)
    assert act(search(steps=3), NEXT, NEXT, NEXT) == (0.0, False, True)
    assert act(search(steps=3), NEXT, NEXT, TAKE)[1:] == (True, False)  # an end, not a truncation


def test_exactly_one_room_is_what_is_asked_for_and_many_others_differ_in_one_attribute() -> None:
    rng = np.random.default_rng(0)
    wanted = wanted_of({"wall": "cyan", "object": "duckie", "color": "red"})
    layouts = draw_layouts(SOURCE, [wanted] * 200, rng)
    hits = np.stack([matches(wanted[None], each[:, :4])[0] for each in layouts.rooms])
    assert (hits.sum(axis=1) == 1).all()
    assert (hits.argmax(axis=1) == layouts.goals).all()
    assert np.bincount(layouts.goals, minlength=ROOMS).min() > 30  # every room is the goal as often
    alike = (layouts.rooms[:, :, [0, 2, 3]] == wanted[[0, 2, 3]]).sum(axis=2)
    assert 0.4 < (alike[~hits] == 2).mean() < 0.65
    assert (layouts.rooms[..., 1] < 8).all()  # floors are the domain's


def test_where_a_kind_is_excluded_exactly_one_room_has_another() -> None:
    rng = np.random.default_rng(0)
    wanted = wanted_of({"object": "!key"})
    layouts = draw_layouts(SOURCE, [wanted] * 300, rng)
    keys = layouts.rooms[:, :, 3] == 0
    assert (keys.sum(axis=1) == ROOMS - 1).all()
    assert (keys.argmin(axis=1) == layouts.goals).all()
    assert np.bincount(layouts.goals, minlength=ROOMS).min() > 50
    kinds = layouts.rooms[np.arange(300), layouts.goals, 3]
    np.testing.assert_allclose(np.bincount(kinds) / 300, [0, 1 / 2, 1 / 2], atol=0.1)  # as the domain draws them
    hues = np.bincount(layouts.rooms[keys][:, 0], minlength=16) / keys.sum()
    np.testing.assert_allclose(hues, 1 / 16, atol=0.03)
    assert (layouts.rooms[..., 1] < 8).all()


def test_a_value_and_an_excluded_one_are_each_what_other_rooms_lack() -> None:
    rng = np.random.default_rng(0)
    wanted = wanted_of({"wall": "cyan", "object": "!key"})
    layouts = draw_layouts(SOURCE, [wanted] * 300, rng)
    cyan, key = layouts.rooms[:, :, 0] == 8, layouts.rooms[:, :, 3] == 0
    hits = cyan & ~key
    assert (hits.sum(axis=1) == 1).all()
    assert (hits.argmax(axis=1) == layouts.goals).all()
    others = np.stack([cyan, ~key], axis=-1)[~hits].sum(axis=1)
    # Half have one of both on purpose; of the rest most have no cyan wall, and two of three no key.
    assert 0.75 < (others == 1).mean() < 0.9
    near = (cyan & key)[~hits].mean()
    assert 0.2 < near < 0.33  # a quarter on purpose


def test_a_search_for_values_is_drawn_as_before_values_could_be_excluded() -> None:
    layouts = draw_layouts(SOURCE, [wanted_of({"wall": "cyan", "object": "duckie"})] * 2, np.random.default_rng(7))
    assert layouts.goals.tolist() == [3, 2]
    walls_and_kinds = [[[8, 2], [14, 2], [8, 0], [8, 1]], [[8, 0], [9, 1], [8, 1], [8, 0]]]
    assert layouts.rooms[:, :, [0, 3]].tolist() == walls_and_kinds


def test_what_is_excluded_may_be_what_the_domain_never_or_always_draws() -> None:
    layout = draw_layout(SOURCE, wanted_of({"floor": "!rose"}), np.random.default_rng(0))
    floors = layout.rooms[0, :, 1]
    assert (floors == 15).sum() == ROOMS - 1
    assert floors[layout.goals[0]] < 8
    keys = rooms("keys", object=Choice(("key",)))
    with pytest.raises(InputError, match="domain 'keys' has no room that is what is asked for"):
        draw_layout(keys, wanted_of({"object": "!key"}), np.random.default_rng(0))
    with pytest.raises(InputError, match="domain 'keys' has no room that is not what is asked for"):
        draw_layout(keys, wanted_of({"object": "key"}), np.random.default_rng(0))


def test_instructions_are_written_as_they_are_read() -> None:
    for instruction in ({"wall": "cyan"}, {"floor": "!rose", "object": "key"}, {"object": "!duckie"}):
        assert instruction_of(wanted_of(instruction)) == instruction
    assert wanted_of({"object": "!key", "wall": "vermilion"}).tolist() == [1, -1, -1, -2]


def test_what_is_asked_for_may_be_what_the_domain_never_draws() -> None:
    layout = draw_layout(SOURCE, wanted_of({"floor": "rose"}), np.random.default_rng(0))
    assert layout.rooms[0, layout.goals[0], 1] == 15


def test_the_target_has_floors_that_the_source_has_not_and_an_encoder_has_seen() -> None:
    assert leak_of_target() == "visual"
    assert UNLABELED.contains(TARGET)


def test_factors_are_the_attributes_of_the_images() -> None:
    assert [(each.name, each.values) for each in space_of(Rooms()).attributes] == [
        (name, factor.choices) for name, factor in ROOM_SEARCH.space.items()
    ]


def test_the_environment_keeps_to_gymnasium_and_to_its_seed() -> None:
    env = gymnasium.make("darla/RoomSearch-v0", observe_instruction=True).unwrapped
    check_env(env, skip_render_check=True)
    first, info = env.reset(seed=3)
    again, same = env.reset(seed=3)
    np.testing.assert_array_equal(first["image"], again["image"])
    assert info == same
    assert first["instruction"].sum() == len(info["instruction"])
    _, info = env.reset(seed=3, options={"instruction": {"wall": "cyan", "object": "key"}})
    assert info["instruction"] == {"wall": "cyan", "object": "key"}
    seen, info = env.reset(seed=3, options={"instruction": {"wall": "cyan", "object": "!key"}})
    assert info["instruction"] == {"wall": "cyan", "object": "!key"}
    assert np.flatnonzero(seen["instruction"] == 1).tolist() == [8]
    assert np.flatnonzero(seen["instruction"] == -1).tolist() == [48]  # behind three times 16 hues
    assert env.observation_space.contains(seen)
    env.close()


@pytest.mark.parametrize(("asked", "is_right"), [("duckie", "duckie".__eq__), ("!key", "key".__ne__)])
def test_an_environment_that_is_searched_room_by_room_gives_its_reward(
    asked: str, is_right: Callable[[str], bool]
) -> None:
    env = gymnasium.make("darla/RoomSearch-v0", instructions=[{"object": asked}])
    image, info = env.reset(seed=1)
    assert image.shape == (64, 64, 3)
    for _ in range(ROOMS):
        if is_right(info["context"]["object"]):
            break
        _, reward, *_, info = env.step(NEXT)
        assert reward == 0
    while not FACING[0] <= info["state"]["yaw"] <= FACING[1]:
        *_, info = env.step(RIGHT if info["state"]["yaw"] < FACING[0] else LEFT)
    _, reward, terminated, _, info = env.step(TAKE)
    assert (reward, terminated, info["is_success"]) == (1.0, True, True)
    env.close()


def test_it_is_a_world_of_domains() -> None:
    env = make(TARGET)
    _, info = env.reset(seed=0)
    assert ROOM_SEARCH.fact_row(info)
    assert info["context"]["floor"] in ROOM_SEARCH.space["floor"].choices[8:]
    env.close()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"instructions": []}, "instructions is empty"),
        ({"instructions": [{}]}, "needs at least one of wall, floor, color, object"),
        ({"instructions": [{"wall": "cyn"}]}, "did you mean 'cyan'"),
        ({"instructions": [{"wal": "cyan"}]}, "did you mean 'wall'"),
        ({"instructions": [{"wall": "!cyn"}]}, "did you mean 'cyan'"),
        ({"steps": 0}, "steps is 0"),
        ({"domain": {"floor": "rde"}}, "did you mean 'red'"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: dict[str, object], told: str) -> None:
    from darla.envs.room_search.env import RoomSearch

    with pytest.raises(InputError, match=told):
        RoomSearch(**arguments)  # type: ignore[arg-type]
