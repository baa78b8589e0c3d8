"""Domains and tasks as data, and the leak level that follows from them."""

import json
import pickle
from functools import partial

import gymnasium
import numpy as np
import pytest

from darla.common import InputError
from darla.envs import (
    SEEK_AVOID,
    Choice,
    Domain,
    EnvDomain,
    TransferTask,
    Uniform,
    domain_from_dict,
    leak_level,
    make,
    tasks,
)

room_domain = partial(Domain, world=SEEK_AVOID)


def task_with(unlabeled: Domain, source: Domain, target: Domain) -> TransferTask:
    return TransferTask("test", unlabeled, source, source, {"target": target})


@pytest.mark.parametrize(
    ("unlabeled", "source", "target", "level"),
    [
        ({}, ({"wall_hue": 0.1},), {"wall_hue": 0.1}, "full"),
        ({}, ({"wall_hue": Uniform(0.0, 0.2)},), {"wall_hue": 0.1}, "full"),
        (
            {},
            ({"wall_hue": 0.1, "floor_hue": 0.1}, {"wall_hue": 0.2, "floor_hue": 0.2}),
            {"wall_hue": 0.1, "floor_hue": 0.2},
            "conjunction",
        ),
        ({"wall_hue": Uniform(0.0, 1.0)}, ({"wall_hue": 0.1},), {"wall_hue": 0.5}, "visual"),
        ({"wall_hue": Uniform(0.0, 0.4)}, ({"wall_hue": 0.1},), {"wall_hue": 0.5}, "none"),
        ({"wall_hue": Uniform(0.9, 1.7)}, ({"wall_hue": 0.1},), {"wall_hue": 0.78}, "none"),
        ({"wall_hue": Uniform(0.9, 1.7)}, ({"wall_hue": 0.1},), {"wall_hue": 0.65}, "visual"),
        ({"wall_hue": Uniform(0.9, 1.7)}, ({"wall_hue": 0.1},), {"wall_hue": 0.02}, "visual"),
        ({"object_set": Choice(("A", "B"))}, ({"object_set": "A"},), {"object_set": "B"}, "visual"),
        ({}, ({"object_set": "A"},), {"object_set": Choice(("A", "B"))}, "none"),
    ],
)
def test_leak_level_follows_from_the_contexts(unlabeled: dict, source: tuple, target: dict, level: str) -> None:
    task = task_with(room_domain("u", (unlabeled,)), room_domain("s", source), room_domain("t", (target,)))
    assert leak_level(task, "target") == level


def test_leak_levels_of_the_builtin_tasks() -> None:
    levels = {name: {leak_level(tasks.get(name), aim) for aim in tasks.get(name).targets} for name in tasks.names()}
    control = {name: levels.pop(name) for name in list(levels) if name.startswith("control/")}
    assert len(control) == 6 * 4
    assert all(each == {"visual"} for each in control.values())
    assert levels == {
        "conjunction": {"conjunction"},
        "recolor": {"visual"},
        "unseen": {"none"},
        "new_room": {"visual"},
        "sim2sim": {"visual"},
        "car-racing": {"visual", "none"},
        "jaco-reach": {"visual"},
        "grid-world": {"none"},
        "two-squares": {"none"},
        "axes": {"visual"},
        "correlated": {"correlation"},
    }


def test_no_target_context_is_ever_drawn_in_the_source() -> None:
    rng = np.random.default_rng(0)
    for name in tasks.names():
        task = tasks.get(name)
        source = {task.source.sample(rng) for _ in range(200)}
        for target in task.targets.values():
            assert isinstance(target, Domain)
            if leak_level(task, target.name) == "correlation":
                continue  # its contexts are those of the source, which has them less often
            assert not source & {target.sample(rng) for _ in range(200)}


def test_unlabeled_frames_never_show_the_unseen_hues() -> None:
    rng = np.random.default_rng(0)
    unlabeled = tasks.get("unseen").unlabeled
    assert isinstance(unlabeled, Domain)
    hues = [
        unlabeled.sample(rng).number(f"{surface}_hue") for _ in range(500) for surface in ("wall", "floor", "ceiling")
    ]
    assert not [hue for hue in hues if 0.701 < hue < 0.899]


@pytest.mark.parametrize("name", tasks.names())
def test_domains_survive_json_and_pickle(name: str) -> None:
    task = tasks.get(name)
    for domain in (task.unlabeled, task.source, *task.targets.values()):
        assert domain_from_dict(json.loads(json.dumps(domain.to_dict()))) == domain
        assert pickle.loads(pickle.dumps(domain)) == domain


def test_a_domain_covers_its_range_uniformly() -> None:
    domain = room_domain("hues", ({"wall_hue": Uniform(0.9, 1.1)},))
    rng = np.random.default_rng(0)
    hues = np.array([domain.sample(rng).number("wall_hue") for _ in range(4000)])
    assert ((hues >= 0.9) | (hues <= 0.1)).all()
    assert np.mean(hues >= 0.9) == pytest.approx(0.5, abs=0.03)


def test_gymnasium_makes_it_by_name_with_a_domain_or_a_context() -> None:
    for domain in (tasks.get("unseen").source, SEEK_AVOID.space.context({"wall_hue": 0.4}), {"wall_hue": 0.4}):
        env = gymnasium.make("darla/SeekAvoid-v0", domain=domain)
        assert env.reset(seed=0)[0].shape == (64, 64, 3)
        env.close()


def test_any_image_environment_can_be_a_task() -> None:
    task = tasks.environment_task(
        "rooms of MiniWorld's size",
        unlabeled=("darla/SeekAvoid-v0", {"size": "small"}),
        source=EnvDomain("source", "darla/SeekAvoid-v0", ({"steps": 10}, {"steps": 20})),
        targets={
            "long": ("darla/SeekAvoid-v0", {"steps": 30}),
            "same": ("darla/SeekAvoid-v0", {"steps": 10}),
        },
    )
    assert leak_level(task, "long") == "none"
    assert leak_level(task, "same") == "full"
    env = make(task.source)
    lengths = set()
    for seed in range(8):
        env.reset(seed=seed)
        count, done = 0, False
        while not done:
            _, _, terminated, truncated, _ = env.step(0)
            done = terminated or truncated
            count += 1
        lengths.add(count)
    env.close()
    assert lengths == {10, 20}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tasks.get("conjuction"), "did you mean 'conjunction'"),
        (lambda: leak_level(tasks.get("unseen"), "violet"), "violet"),
        (lambda: tasks.get("unseen").domain("sorce"), "did you mean 'source'"),
        (lambda: room_domain("d", ({"wall_hue": Uniform(0.2, 0.1)},)), "low must be below high"),
        (lambda: room_domain("d", ({"object_set": Uniform(0.1, 0.2)},)), "discrete"),
        (lambda: room_domain("d", ({"object_set": Choice(())},)), "empty choice"),
        (lambda: room_domain("d", ()), "at least one"),
        (lambda: Domain("d", world="seek_avoidd"), "did you mean 'seek_avoid'"),
        (lambda: room_domain("d", ({"wall_hu": 0.1},)), "unknown factor 'wall_hu'; did you mean 'wall_hue'"),
        (lambda: Domain.from_dict({"name": "d"}), "does not describe a domain"),
        (
            lambda: Domain.from_dict(
                {"name": "d", "world": "seek_avoid", "components": [{"wall_hue": {"unifrm": [0, 1]}}]}
            ),
            "range or a choice",
        ),
        (lambda: make(EnvDomain("d", "darla/NoSuch-v0")), "NoSuch"),
        (lambda: make(EnvDomain("d", "CartPole-v1")), "images are needed"),
        (lambda: make(EnvDomain("d", "darla/SeekAvoid-v0", ({"color": 1},))), "color"),
    ],
)
def test_mistakes_are_named(call, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        call()
