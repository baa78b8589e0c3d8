"""What an agent meets: rewards, ends, seeds, spaces, and the ground truth in `info`."""

import math
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from darla.common import InputError
from darla.envs import SEEK_AVOID, make, tasks
from darla.envs.seek_avoid.env import SeekAvoid
from darla.envs.seek_avoid.objects import OBJECT_SETS


@pytest.mark.parametrize("size", ["small", "paper"])
@pytest.mark.parametrize("actions", [3, 9])
def test_passes_gymnasiums_checker(size: str, actions: int) -> None:
    env = gymnasium.make("darla/SeekAvoid-v0", size=size, actions=actions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*different render modes.*|.*render_mode.*|.*spec.*unwrapped.*")
        check_env(env.unwrapped)
    env.close()


def walk_to(env: SeekAvoid, kind_is_good: bool) -> tuple[float, int]:
    """Steer by the ground truth to the nearest object of a worth; return the rewards met and the steps taken."""
    total = 0.0
    for count in range(1, 120):
        aims = [thing for thing in env.state()["objects"] if thing["good"] == kind_is_good]
        bearing = aims[0]["bearing"]
        action = 2 if abs(bearing) < math.radians(8) else 0 if bearing > 0 else 1
        _, reward, _, truncated, _ = env.step(action)
        total += reward
        if reward or truncated:
            return total, count
    return total, 120


@pytest.mark.parametrize("object_set", ["A", "B"])
def test_good_objects_pay_and_bad_ones_cost(object_set: str) -> None:
    env = SeekAvoid({"object_set": object_set})
    for good, worth in ((True, 1.0), (False, -1.0)):
        met = []
        for seed in range(6):
            env.reset(seed=seed)
            chosen = [thing for thing in env.entities if thing.kind.good == good][:1]
            env.entities[:] = chosen  # alone in the room, so that nothing else is touched on the way
            met.append(walk_to(env, good)[0])
        assert met == [worth] * 6
    env.close()


def test_a_collected_object_comes_back_elsewhere() -> None:
    env = SeekAvoid()
    env.reset(seed=0)
    env.entities[:] = [thing for thing in env.entities if thing.kind.good][:1]
    where = env.entities[0].scene_object.x, env.entities[0].scene_object.z
    walk_to(env, True)
    assert len(env.entities) == 1
    again = env.entities[0].scene_object.x, env.entities[0].scene_object.z
    assert math.dist(where, again) > 1.0
    env.close()


def test_left_is_left_in_the_picture() -> None:
    env = SeekAvoid()
    env.reset(seed=0)
    env.entities[:] = env.entities[:1]
    thing = env.entities[0]
    for side, columns in ((math.radians(20), slice(0, 32)), (-math.radians(20), slice(32, 64))):
        env.agent.pos[:] = (1.0, 0.0, 2.5)
        env.agent.dir = 0.0
        x, z = 1.0 + 2.5 * math.cos(side), 2.5 - 2.5 * math.sin(side)
        thing.scene_object = type(thing.scene_object)(
            thing.scene_object.mesh, thing.scene_object.height, x, z, 0.0, thing.scene_object.tint
        )
        env._build()
        with_it = env.render_obs().astype(int)
        env.entities.clear()
        env._build()
        changed = np.abs(env.render_obs() - with_it).sum(2) > 30
        env.entities.append(thing)
        assert env.state()["objects"][0]["bearing"] == pytest.approx(side)
        assert env.state()["objects"][0]["visible"]
        assert changed[:, columns].sum() == changed.sum() > 20
    env.close()


def test_a_seed_fixes_the_whole_episode() -> None:
    def play(env: gymnasium.Env) -> list[tuple[bytes, float]]:
        observation, _ = env.reset(seed=11)
        seen = [(observation.tobytes(), 0.0)]
        for step in range(150):
            observation, reward, _, _, _ = env.step((step * 7) % 3)
            seen.append((observation.tobytes(), float(reward)))
        return seen

    domain = tasks.get("sim2sim").targets["textures, light and camera"]
    one, two = make(domain), make(domain)
    two.reset(seed=5)
    two.step(2)
    first, second = play(one), play(two)
    assert first == second
    one.close(), two.close()


def test_one_seed_gives_one_layout_in_every_domain() -> None:
    task = tasks.get("recolor")
    layouts = []
    for domain in (task.source, task.unlabeled, *task.targets.values()):
        env = make(domain)
        _, info = env.reset(seed=3)
        agent = info["state"]["agent"]
        layouts.append([agent["x"], agent["z"], agent["heading"], *(t["x"] for t in info["state"]["objects"])])
        env.close()
    np.testing.assert_allclose(layouts, [layouts[0]] * len(layouts))


def test_small_episodes_are_cut_off_and_paper_episodes_end_with_the_tenth_pick() -> None:
    env = SeekAvoid(steps=20)
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(20)]
    assert ends == [(False, False)] * 19 + [(False, True)]
    env.close()

    paper = SeekAvoid(size="paper")
    paper.reset(seed=0)
    assert len(paper.entities) == 20
    info, terminated = {}, False
    for count in range(10):
        # Stand on the nearest object; standing still collects it.
        thing = paper.entities[0]
        paper.agent.pos[:] = (thing.scene_object.x, 0.0, thing.scene_object.z)
        assert not terminated
        _, _, terminated, truncated, info = paper.step(0)
        assert len(paper.entities) <= 19 - count
    assert terminated
    assert not truncated
    assert info["collected_good"] + info["collected_bad"] >= 10
    paper.close()


def test_the_agent_stays_inside_the_walls() -> None:
    env = SeekAvoid(actions=9)
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    for _ in range(500):
        env.step(int(rng.integers(9)))
        assert 0.4 <= env.agent.pos[0] <= env.width - 0.4
        assert 0.4 <= env.agent.pos[2] <= env.depth - 0.4
    env.close()


def test_random_play_is_worth_nothing() -> None:
    env = SeekAvoid()
    rng = np.random.default_rng(0)
    returns = []
    for seed in range(60):
        env.reset(seed=seed)
        returns.append(sum(env.step(int(rng.integers(3)))[1] for _ in range(150)))
    env.close()
    assert abs(np.mean(returns)) < 1.0


def test_info_tells_context_and_state() -> None:
    env = make(tasks.get("conjunction").targets["A in room 2"])
    _, info = env.reset(seed=0)
    assert set(info["context"]) == set(SEEK_AVOID.space)
    assert info["context"]["object_set"] == "A"
    assert info["context"]["floor_hue"] == 0.60
    objects = info["state"]["objects"]
    assert sorted(thing["kind"] for thing in objects) == ["cone", "cone", "medkit", "medkit"]
    assert [thing["distance"] for thing in objects] == sorted(thing["distance"] for thing in objects)
    env.close()


def test_reset_takes_one_context() -> None:
    env = SeekAvoid()
    _, info = env.reset(seed=0, options={"context": {"wall_hue": 0.25}})
    assert info["context"]["wall_hue"] == 0.25
    env.close()


def pixels_of(thing_in: SeekAvoid) -> float:
    """Return how far an object's pixels differ from the room behind it, in gray levels of the stronger channel."""
    with_it = thing_in.render_obs().astype(int)
    things = list(thing_in.entities)
    thing_in.entities.clear()
    thing_in._build()
    without = thing_in.render_obs().astype(int)
    thing_in.entities.extend(things)
    difference = np.abs(with_it - without).max(2)
    changed = difference > 6
    return float(difference[changed].mean()) if changed.sum() >= 12 else math.nan


@pytest.mark.parametrize("task", ["conjunction", "sim2sim"])
@pytest.mark.parametrize("object_set", ["A", "B"])
def test_objects_stand_out_in_every_room(task: str, object_set: str) -> None:
    env = SeekAvoid(tasks.get(task).unlabeled)
    contrasts = []
    for seed in range(120):
        world = {
            **env.domain.sample(np.random.default_rng(seed)).to_dict(),
            "object_set": object_set,
            "camera_jitter": 0.0,
        }
        env.reset(seed=seed, options={"context": world})
        for kind in OBJECT_SETS[object_set]:
            keep = [thing for thing in env.entities if thing.kind is kind][:1]
            env.agent.pos[:] = (1.0, 0.0, 2.5)
            env.agent.dir = 0.0
            prop = keep[0].scene_object
            keep[0].scene_object = type(prop)(prop.mesh, prop.height, 3.0, 2.5, prop.heading, prop.tint)
            saved, env.entities[:] = list(env.entities), keep
            env._build()
            contrasts.append(pixels_of(env))
            env.entities[:] = saved
    env.close()
    assert not np.isnan(contrasts).any()
    assert np.min(contrasts) > 20


@pytest.mark.parametrize("name", list(SEEK_AVOID.space))
def test_every_factor_changes_the_picture(name: str) -> None:
    factor = SEEK_AVOID.space[name]
    base = SEEK_AVOID.space.context({"tint_strength": 0.3, "light_motion": 0.5}).to_dict()
    if factor.kind == "discrete":
        other = next(value for value in factor.choices if value != base[name])
    elif factor.kind == "circular":
        other = (float(base[name]) + 0.4) % 1.0
    else:
        other = factor.high if base[name] != factor.high else factor.low
    env = SeekAvoid(base)
    changed = 0
    for seed in range(20):
        one = env.reset(seed=seed)[0]
        two = env.reset(seed=seed, options={"context": {**base, name: other}})[0]
        changed += int(np.abs(one.astype(int) - two.astype(int)).max() > 4)
    env.close()
    assert changed >= 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"size": "smal"}, "did you mean 'small'"),
        ({"actions": 4}, "must be 3 or 9"),
        ({"resolution": 4}, r"\[16, 1024\]"),
        ({"steps": 0}, "at least 1 step"),
        ({"render_mode": "human"}, "rgb_array"),
        ({"view": "side"}, "'agent' or 'top'"),
        ({"domain": {"wall_hu": 0.1}}, "did you mean 'wall_hue'"),
        ({"domain": {"wall_value": 3.0}}, r"\[0.5, 0.75\]"),
        ({"domain": {"object_set": "C"}}, "object_set"),
        ({"domain": {"wall_hue": float("nan")}}, "finite"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        SeekAvoid(**arguments)
