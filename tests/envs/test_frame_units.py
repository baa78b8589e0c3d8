"""Frames that are drawn together: pairs, groups, transitions and domains, the same whatever the workers and shards."""

import numpy as np
import pytest

from darla.common import InputError
from darla.envs import Domain, make, tasks
from darla.envs.domains.specs import Uniform
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.from_images import frames_from_images
from darla.envs.image_data.sprites import Sprites
from darla.envs.worlds.seek_avoid import SEEK_AVOID


def collected(tmp_path, name="set", **options) -> FrameSet:
    workers = options.pop("workers", 1)
    return FrameSet(
        collect(CollectConfig(**{"shard_size": 40, "seed": 5, **options}), tmp_path / name, workers=workers)
    )


def factor_table(frames: FrameSet) -> np.ndarray:
    return np.stack(list(frames.contexts.values()), axis=1)


def test_pairs_of_image_data_differ_in_as_many_factors_as_are_asked_for(tmp_path):
    frames = collected(tmp_path, task="sprites", frames=400, unit="pair", pair_changes=2)
    factors = factor_table(frames)[frames.pairs]
    assert factors.shape == (200, 2, 5)
    assert ((factors[:, 0] != factors[:, 1]).sum(axis=1) == 2).all()
    changed = (factors[:, 0] != factors[:, 1]).mean(axis=0)
    assert (np.abs(changed - 0.4) < 0.15).all()  # each of five factors equally often
    np.testing.assert_array_equal(frames[:], Sprites().render(factor_table(frames)))


def test_without_a_number_pairs_differ_in_one_to_all_but_one_factors(tmp_path):
    frames = collected(tmp_path, task="sprites", frames=400, unit="pair")
    factors = factor_table(frames)[frames.pairs]
    assert set((factors[:, 0] != factors[:, 1]).sum(axis=1)) == {1, 2, 3, 4}


def test_a_pair_of_a_world_is_one_state_in_two_looks(tmp_path):
    frames = collected(tmp_path, task="conjunction", frames=40, unit="pair")
    pairs = frames.pairs
    for name in ("kind", "distance", "bearing_sin"):
        column = frames.state[name] if name in frames.state else frames.state["bearing"]
        np.testing.assert_array_equal(column[pairs[:, 0]], column[pairs[:, 1]])
    np.testing.assert_array_equal(*frames.contexts["object_set"][pairs].T)
    assert (frames.contexts["wall_hue"][pairs[:, 0]] != frames.contexts["wall_hue"][pairs[:, 1]]).all()
    assert (frames[:][pairs[:, 0]] != frames[:][pairs[:, 1]]).any(axis=(1, 2, 3)).all()


def test_one_factor_varies_in_a_group_of_image_data_or_all_others_together(tmp_path):
    frames = collected(
        tmp_path, task="sprites", frames=1200, unit="group", group_size=4, group_factors=("position_x", "scale")
    )
    assert frames.group_parts == ("position_x", "scale", "rest")
    names = list(frames.contexts)
    factors = factor_table(frames)[frames.groups]
    varies = (factors != factors[:, :1]).any(axis=1)  # (groups, factors)
    for part, name in enumerate(("position_x", "scale")):
        others = [other for other in range(len(names)) if names[other] != name]
        assert not varies[frames.varied == part][:, others].any()
        assert varies[frames.varied == part][:, names.index(name)].mean() > 0.8
    rest = varies[frames.varied == 2]
    assert not rest[:, [names.index("position_x"), names.index("scale")]].any()
    assert rest[:, names.index("orientation")].mean() > 0.9
    counts = np.bincount(frames.varied, minlength=3)
    assert counts[2] > 5 * max(counts[:2])  # ten times as many, on average


def test_groups_of_all_factors_have_no_rest(tmp_path):
    frames = collected(tmp_path, task="sprites", frames=40, unit="group", group_size=4)
    assert frames.group_parts == Sprites.factor_names


def test_a_group_of_a_world_shows_one_state_unless_the_rest_varies(tmp_path):
    frames = collected(
        tmp_path, task="conjunction", frames=80, unit="group", group_size=4, group_factors=("wall_hue",), group_ratio=1
    )
    distance, wall = (column[frames.groups] for column in (frames.state["distance"], frames.contexts["wall_hue"]))
    floor = frames.contexts["floor_hue"][frames.groups]
    alone, rest = frames.varied == 0, frames.varied == 1
    assert alone.any()
    assert rest.any()
    assert (distance[alone] == distance[alone][:, :1]).all()
    assert (floor[alone] == floor[alone][:, :1]).all()
    assert (np.ptp(wall[alone], axis=1) > 0).all()
    assert (np.ptp(wall[rest], axis=1) == 0).all()
    assert (np.ptp(floor[rest], axis=1) > 0).all()
    assert (np.ptp(distance[rest], axis=1) > 0).all()


def test_a_transition_is_what_the_environment_does_with_the_action(tmp_path):
    frames = collected(tmp_path, task="conjunction", frames=12, unit="transition", sampling="random_policy", stride=3)
    assert frames.transitions.shape == (6, 2)
    env = make(tasks.get("conjunction").unlabeled)
    from darla.common import seed_for

    env.action_space.seed(seed_for(5, "walk", 0, 0, "actions"))
    image, _ = env.reset(seed=seed_for(5, "walk", 0, 0))
    for step in range(16):
        action = env.action_space.sample()
        before, (image, *_) = image, env.step(action)
        if step % 3 == 0:
            unit = step // 3
            np.testing.assert_array_equal(frames[frames.transitions[unit]], np.stack([before, image]))
            assert frames.actions[unit] == action
    env.close()


def test_pairs_of_a_walk_are_of_one_episode(tmp_path):
    frames = collected(tmp_path, task="conjunction", frames=40, unit="pair", sampling="random_policy", stride=5)
    for name in ("wall_hue", "floor_hue"):
        np.testing.assert_array_equal(*frames.contexts[name][frames.pairs].T)


def test_looks_are_domains_and_their_number_is_kept_with_each_frame(tmp_path):
    frames = collected(tmp_path, task="conjunction", frames=60, looks=3)
    assert set(frames.domain_ids) == {0, 1, 2}
    looks = np.stack([frames.contexts["wall_hue"], frames.contexts["floor_hue"]], axis=1)
    assert len(np.unique(looks, axis=0)) == 3
    for domain in range(3):
        assert len(np.unique(looks[frames.domain_ids == domain], axis=0)) == 1
        assert set(frames.contexts["object_set"][frames.domain_ids == domain]) == {"A", "B"}
    assert len(frames.domain["components"]) == 3


def test_frames_of_a_domain_of_one_part_have_no_domains_and_single_images_no_units(tmp_path):
    frames = collected(tmp_path, task="conjunction", frames=4)
    assert frames.domain_ids is None
    assert (frames.unit, frames.unit_size) == ("image", 1)
    for nothing in (frames.pairs, frames.groups, frames.varied, frames.transitions, frames.actions):
        assert nothing is None


@pytest.mark.parametrize(
    "options",
    [
        {"task": "sprites", "unit": "pair", "frames": 120},
        {"task": "sprites", "unit": "group", "group_size": 5, "frames": 120},
        {"task": "conjunction", "unit": "pair", "frames": 60, "shard_size": 20},
    ],
)
def test_units_depend_on_neither_workers_nor_shards(tmp_path, options):
    one = collected(tmp_path, "one", **options)
    two = collected(tmp_path, "two", **{**options, "shard_size": options["frames"] // 2}, workers=2)
    np.testing.assert_array_equal(one[:], two[:])
    if one.varied is not None:
        np.testing.assert_array_equal(one.varied, two.varied)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unit": "triple"}, "triple"),
        ({"unit": "pair", "frames": 41}, "multiple of 2"),
        ({"unit": "group", "group_size": 20, "frames": 50}, "multiple of 20"),
        ({"unit": "transition"}, "no actions, so there are no transitions"),
        ({"unit": "group", "sampling": "random_policy"}, "uniform"),
        ({"unit": "image", "group_size": 4}, "group_size 4 would be ignored"),
        ({"unit": "image", "group_factors": ("scale",)}, "group_factors scale would be ignored"),
        ({"unit": "pair", "pair_changes": 9}, "pair_changes is 9"),
        ({"unit": "group", "group_size": 4, "group_factors": ("scal",)}, "scale"),
        ({"unit": "group", "group_size": 4, "group_factors": ("scale", "scale")}, "twice"),
        ({"looks": 3}, "looks 3 would be ignored"),
        ({"looks": 1}, "looks is 1"),
    ],
)
def test_units_that_cannot_be_had_are_refused_and_leave_nothing(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        collected(tmp_path, **{"task": "sprites", "frames": 40, **options})
    assert not (tmp_path / "set").exists()


def test_episodes_too_short_for_a_pair_are_an_error_and_not_an_endless_walk(tmp_path):
    with pytest.raises(InputError, match="smaller stride"):
        collected(tmp_path, task="conjunction", frames=4, unit="pair", sampling="random_policy", stride=100_000)


def test_a_context_belongs_to_the_first_component_that_allows_it():
    domain = Domain("two", ({"wall_hue": 0.2}, {"wall_hue": Uniform(0.9, 1.3)}), world=SEEK_AVOID)
    space = SEEK_AVOID.space
    assert domain.component_of(space.context({"wall_hue": 0.2})) == 0
    assert domain.component_of(space.context({"wall_hue": 0.1})) == 1
    with pytest.raises(InputError, match="no component"):
        domain.component_of(space.context({"wall_hue": 0.5}))


def test_images_of_ones_own_have_units_too(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    frames = FrameSet(
        frames_from_images(images, tmp_path / "t", unit="transition", actions=[0, 1, 2, 0, 1, 2], domain_ids=[0, 1] * 6)
    )
    np.testing.assert_array_equal(frames.actions, [0, 1, 2, 0, 1, 2])
    np.testing.assert_array_equal(frames.domain_ids, [0, 1] * 6)
    np.testing.assert_array_equal(frames.pairs, np.arange(12).reshape(6, 2))
    frames = FrameSet(frames_from_images(images, tmp_path / "g", unit="group", varied=["rest", "pose", "rest"]))
    assert frames.group_parts == ("pose", "rest")
    np.testing.assert_array_equal(frames.varied, [1, 0, 1])
    assert frames.unit_size == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unit": "transition"}, "actions"),
        ({"actions": [0] * 6}, "actions"),
        ({"unit": "transition", "actions": [0] * 5}, "actions"),
        ({"unit": "group", "varied": ["a"] * 5}, "divided"),
        ({"domain_ids": [0] * 11}, "domain_ids"),
        ({"domain_ids": [-1] * 12}, "domain_ids"),
        ({"unit": "pairs"}, "pair"),
    ],
)
def test_units_that_do_not_fit_ones_own_images_are_refused(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        frames_from_images(np.zeros((12, 16, 16, 3), np.uint8), tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()
