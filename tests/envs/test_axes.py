"""Tasks of one axis at a time: in each target one factor leaves the source's values, and nothing else does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darla.common import InputError
from darla.envs import (
    CAR_RACING,
    GRID_WORLD,
    SEEK_AVOID,
    TWO_SQUARES,
    Choice,
    Domain,
    Uniform,
    axes_of,
    axes_task,
    leak_level,
    tasks,
)
from darla.envs.domains.factor_space import Factor
from darla.envs.domains.specs import apart, check_spec
from darla.envs.domains.task_files import find_task, task_from_dict
from darla.envs.paired_rendering import render_pairs


def distance(factor: Factor, one: float, other: float) -> float:
    """Return how far two values are apart, as a share of the factor's range; the range of a circle is 1."""
    if factor.kind == "circular":
        return abs((one - other + 0.5) % 1.0 - 0.5)
    return abs(one - other) / (factor.high - factor.low)


@pytest.mark.parametrize("world", [SEEK_AVOID, CAR_RACING, TWO_SQUARES, GRID_WORLD], ids=lambda world: world.name)
def test_one_factor_alone_leaves_the_source_in_every_target(world: Any) -> None:
    task, rng = axes_task(world), np.random.default_rng(0)
    hidden = {"good_tint", "bad_tint"} & set(world.space)  # by default nothing is tinted
    assert list(task.targets) == [name for name in world.space if name not in hidden]
    (source,) = {task.source.sample(rng) for _ in range(20)}  # type: ignore[union-attr]
    assert source == world.space.context()
    for axis, target in task.targets.items():
        for context in (target.sample(rng) for _ in range(100)):  # type: ignore[union-attr]
            assert {name for name in world.space if context[name] != source[name]} == {axis}
            if world.space[axis].kind != "discrete":
                assert distance(world.space[axis], context[axis], source[axis]) >= 0.25 - 1e-9
        assert leak_level(task, axis) == "visual"


def test_the_task_axes_has_the_23_factors_of_seek_avoid_and_each_is_seen() -> None:
    task = tasks.get("axes")
    assert list(task.targets) == list(SEEK_AVOID.space)
    assert len(task.targets) == 23
    assert axes_of(task) == {name: (name,) for name in SEEK_AVOID.space}
    for name, target in task.targets.items():
        if name in ("object_set", "light_motion", "camera_jitter"):
            continue  # which objects there are is shared by a pair; the other two are seen in a later step
        pairs = render_pairs(task.source, target, 16 if "tint" in name else 2, seed=0)
        changed = np.abs(pairs.source.astype(int) - pairs.target.astype(int)).max()
        assert changed > 3, name


def test_a_mixture_keeps_its_components_in_every_target() -> None:
    parts = ({"wall_hue": 0.1, "floor_hue": 0.6}, {"wall_hue": 0.3, "floor_hue": 0.9})
    task = axes_task("seek_avoid", Domain("source", parts, world=SEEK_AVOID), factors=["wall_hue", "camera_fov"])
    rng = np.random.default_rng(1)
    contexts = [task.targets["camera_fov"].sample(rng) for _ in range(400)]  # type: ignore[union-attr]
    rooms = [(context["wall_hue"], context["floor_hue"]) for context in contexts]
    assert set(rooms) == {(0.1, 0.6), (0.3, 0.9)}
    assert {float(context["camera_fov"]) > 72 for context in contexts} == {True, False}
    hues = [float(task.targets["wall_hue"].sample(rng)["wall_hue"]) for _ in range(400)]  # type: ignore[union-attr]
    assert all(0.55 <= hue <= 0.85 for hue in hues)


def test_pairs_leave_together() -> None:
    task = axes_task(TWO_SQUARES, pairs=True)
    assert list(task.targets)[3:] == ["ground + hue", "ground + other_hue", "hue + other_hue"]
    assert axes_of(task)["ground + hue"] == ("ground", "hue")
    asked = axes_task(TWO_SQUARES, pairs=[("hue", "other_hue")])
    assert list(asked.targets) == ["ground", "hue", "other_hue", "hue + other_hue"]


def test_what_the_source_has_in_full_is_no_axis() -> None:
    source = Domain("source", ({"object_set": Choice(("A", "B")), "wall_hue": Uniform(0.0, 1.0)},), world=SEEK_AVOID)
    task = axes_task(SEEK_AVOID, source)
    assert set(SEEK_AVOID.space) - set(task.targets) == {"object_set", "wall_hue", "good_tint", "bad_tint"}


def test_a_factor_shows_nothing_without_the_one_it_needs() -> None:
    needing = [factor for factor in SEEK_AVOID.space.values() if factor.needs]
    assert {factor.name for factor in needing} == {"wall_hue", "floor_hue", "ceiling_hue", "good_tint", "bad_tint"}
    without = dict.fromkeys((factor.needs for factor in needing), 0.0)
    others = {factor.name: (float(factor.default) + 0.5) % 1.0 for factor in needing}
    source = Domain("source", (without,), world=SEEK_AVOID)
    pairs = render_pairs(source, Domain("target", ({**without, **others},), world=SEEK_AVOID), 16, seed=0)
    assert np.array_equal(pairs.source, pairs.target)
    assert not set(others) & set(axes_task(SEEK_AVOID, source).targets)
    with pytest.raises(InputError, match="'good_tint' does not show where 'tint_strength' is 0, as in the source"):
        axes_task(SEEK_AVOID, source, factors=["good_tint"])
    some = Domain("source", ({"tint_strength": 0.0}, {"tint_strength": 0.2}), world=SEEK_AVOID)
    assert {"good_tint", "bad_tint"} <= set(axes_task(SEEK_AVOID, some).targets)


CIRCLE, LINE = Factor("hue", "circular", 0.0), Factor("size", "continuous", 2.0, 0.0, 10.0)
NAMED = Factor("kind", "discrete", "a", choices=("a", "b", "c"))


@pytest.mark.parametrize(
    ("factor", "specs", "far", "free"),
    [
        (CIRCLE, (0.0,), 0.25, [(0.25, 0.75)]),
        (CIRCLE, (0.9,), 0.25, [(0.15, 0.65)]),
        (CIRCLE, (0.1, 0.6), 0.2, [(0.3, 0.4), (0.8, 0.9)]),
        (CIRCLE, (Uniform(0.9, 1.2),), 0.1, [(0.3, 0.8)]),
        (CIRCLE, (Uniform(0.0, 1.0),), 0.1, []),
        (CIRCLE, (0.0, 0.5), 0.25, []),
        (LINE, (2.0,), 1.0, [(0.0, 1.0), (3.0, 10.0)]),
        (LINE, (0.0, 10.0), 1.0, [(1.0, 9.0)]),
        (LINE, (Choice((2.0, 4.0)), Uniform(6.0, 8.0)), 0.5, [(0.0, 1.5), (2.5, 3.5), (4.5, 5.5), (8.5, 10.0)]),
        (LINE, (Uniform(0.0, 10.0),), 0.1, []),
    ],
)
def test_the_rest_of_a_range(factor: Factor, specs: tuple[Any, ...], far: float, free: list[Any]) -> None:
    ranges = apart(factor, tuple(check_spec(factor, spec) for spec in specs), far)
    ends = sorted((spec.low, spec.high) for spec in ranges if isinstance(spec, Uniform))
    assert len(ends) == len(ranges)
    assert ends == [pytest.approx(end) for end in free]
    for spec in ranges:
        check_spec(factor, spec)  # within the bounds


def test_the_rest_of_some_choices() -> None:
    assert apart(NAMED, (Choice(("a", "b")),), 0.0) == ("c",)
    assert apart(NAMED, ("a",), 0.0) == (Choice(("b", "c")),)
    assert apart(NAMED, (Choice(("a", "b", "c")),), 0.0) == ()


def test_axes_are_found_by_their_contexts() -> None:
    assert all(axes_of(tasks.get(name)) == {} for name in tasks.names() if name != "axes")
    by_hand = {
        "name": "by hand",
        "world": "two_squares",
        "unlabeled": {"components": [{}]},
        "source": {"components": [{}]},
        "targets": {
            "gray": {"components": [{"ground": 0.4}]},
            "green": {"components": [{"hue": 0.3}]},
            "both": {"components": [{"hue": 0.3, "other_hue": 0.3}]},
        },
    }
    assert axes_of(task_from_dict(by_hand)) == {}, "two targets of one factor are too few"
    by_hand["targets"]["blue"] = {"components": [{"hue": 0.3}, {"hue": 0.6}]}  # type: ignore[index]
    assert axes_of(task_from_dict(by_hand)) == {
        "gray": ("ground",), "green": ("hue",), "both": ("hue", "other_hue"), "blue": ("hue",)
    }  # fmt: skip


def test_a_file_asks_for_axes(tmp_path: Path) -> None:
    path = tmp_path / "axes.json"
    path.write_text(json.dumps({"name": "mine", "world": "two_squares", "axes": True}))
    assert find_task(path) == axes_task("two_squares", name="mine")
    written = {
        "name": "mine",
        "world": "seek_avoid",
        "source": {"components": [{"wall_hue": 0.2}]},
        "unlabeled": {"components": [{"wall_hue": {"uniform": [0.0, 0.5]}}]},
        "axes": {"factors": ["wall_hue", "floor_hue"], "pairs": [["wall_hue", "floor_hue"]], "distance": 0.1},
    }
    task = task_from_dict(written)
    assert list(task.targets) == ["wall_hue", "floor_hue", "wall_hue + floor_hue"]
    assert leak_level(task, "floor_hue") == "none"
    assert leak_level(task, "wall_hue") == "visual"
    assert task_from_dict(task.to_dict()).to_dict() == task.to_dict()
    assert axes_of(task_from_dict(task.to_dict())) == axes_of(task)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"world": "seek_avoidd"}, "did you mean 'seek_avoid'"),
        ({"axes": 3}, "axes is 3, but must be true, or an object with factors, pairs, distance"),
        ({"axes": {"factor": []}}, "did you mean 'factors'"),
        ({"axes": {"factors": "wall_hue"}}, "must be a list of names"),
        ({"axes": {"factors": ["wall_hu"]}}, "did you mean 'wall_hue'"),
        ({"axes": {"factors": ["wall_hue", "wall_hue"]}}, "each is named once"),
        ({"axes": {"pairs": [["wall_hue", "wall_hue"]]}}, "must be two different factors"),
        ({"axes": {"pairs": [["wall_hue", "floor_hu"]]}}, "did you mean 'floor_hue'"),
        ({"axes": {"distance": 0.6}}, "distance is 0.6, but must be from 0.001 to below 0.5"),
        ({"axes": True, "targets": {}}, "'targets' would be ignored beside 'axes'"),
        ({"axes": True, "source": {"env_id": "CarRacing-v3"}}, "Domain"),
        (
            {"axes": {"factors": ["wall_hue"]}, "source": {"components": [{"wall_hue": {"uniform": [0.0, 0.7]}}]}},
            "factor 'wall_hue' has no value outside those of the source 'source' that is at least 0.25 of its range",
        ),
        (
            {"axes": {"factors": ["object_set"]}, "source": {"components": [{"object_set": {"choice": ["A", "B"]}}]}},
            "factor 'object_set' has no value outside those of the source 'source'; leave it out",
        ),
    ],
)
def test_mistakes_in_axes_are_named(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        task_from_dict({"name": "mine", "world": "seek_avoid", "axes": True, **change})


def test_a_source_of_another_world_is_refused() -> None:
    with pytest.raises(InputError, match="of world 'car_racing', but the axes are of 'seek_avoid'"):
        axes_task("seek_avoid", tasks.get("car-racing").source)  # type: ignore[arg-type]
