"""Reaching with the Jaco arm in other looks: images differ, physics are the same to the bit."""

import functools
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

pytest.importorskip("dm_control", reason="dm_control is an extra")

from gymnasium.utils.env_checker import check_env

from darla.common import InputError
from darla.envs import JACO, leak_level, make, tasks
from darla.envs.control_suite.backgrounds import PATTERNS
from darla.envs.jaco.env import JacoReach
from darla.envs.paired_rendering import render_pairs
from darla.envs.worlds.jaco import SPACE

OTHER_LOOKS = {
    "arm_hue": 0.6,
    "arm_saturation": 0.8,
    "arm_brightness": 3.0,
    "object_hue": 0.3,
    "object_brightness": 0.5,
    "table_hue": 0.4,
    "table_brightness": 1.5,
    "table_texture": "dots",
    "table_texture_number": 12.0,
    "light_level": 0.6,
    "light_angle": 50.0,
    "camera_azimuth": 20.0,
    "camera_elevation": 10.0,
    "camera_roll": 10.0,
    "camera_distance": 1.2,
}
NEEDED = {"arm_hue": {"arm_saturation": 0.8}, "table_texture_number": {"table_texture": "checks"}}
"""Factors that others have to be set for."""


@functools.cache
def arm():
    """Return the one environment that tests need no second of."""
    return JacoReach()


def play(env, steps=4, seed=7, looks=None):
    """Return images, rewards and all of the simulator's state along one episode of given actions."""
    rng = np.random.default_rng(0)
    image, _ = env.reset(seed=seed, options={"context": looks or {}})
    images, rewards, states = [image], [], [state_of(env)]
    for _ in range(steps):
        image, reward, *_ = env.step(rng.uniform(-1, 1, 9).astype(np.float32))
        images.append(image), rewards.append(reward), states.append(state_of(env))
    return np.stack(images), rewards, np.stack(states)


def state_of(env):
    data = env.physics.data
    target = env.physics.named.data.site_xpos["target_site"]
    return np.concatenate([[data.time], data.qpos, data.qvel, data.qacc, data.qacc_warmstart, data.sensordata, target])


def shown(looks=None, seed=0):
    return arm().reset(seed=seed, options={"context": looks or {}})[0].astype(int)


def test_gymnasium_finds_nothing_wrong():
    env = gymnasium.make("darla/JacoReach-v0")
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_physics_do_not_see_the_looks_and_an_episode_depends_on_its_seed_alone():
    images, rewards, states = play(arm())
    others, same_rewards, same_states = play(arm(), looks=OTHER_LOOKS)
    assert rewards == same_rewards
    assert states.tobytes() == same_states.tobytes()
    assert (images != others).any(axis=(1, 2, 3)).all()
    other = JacoReach(OTHER_LOOKS)
    play(other, seed=8)
    again, _, new_states = play(other)
    assert states.tobytes() == new_states.tobytes()
    np.testing.assert_array_equal(again, images)  # the context of this reset, not the constructor's
    assert play(other, seed=8)[2].tobytes() != states.tobytes()


@pytest.mark.parametrize("factor", SPACE)
def test_each_factor_changes_the_picture_and_has_bounds(factor):
    base = NEEDED.get(factor, {})
    assert (shown(base) != shown({**base, factor: OTHER_LOOKS[factor]})).any()
    if SPACE[factor].kind == "continuous":
        with pytest.raises(InputError, match="must lie in"):
            shown({factor: SPACE[factor].high + 0.1})


def test_arm_object_and_table_have_the_colors_that_their_factors_say():
    plain = shown()
    arm_pixels = (plain != shown({"arm_brightness": 5.0})).any(axis=2)
    sphere = (plain != shown({"object_hue": 0.5})).any(axis=2) & ~arm_pixels
    assert arm_pixels.sum() > 50
    assert sphere.sum() > 10
    colored = shown({"arm_hue": 1 / 3, "arm_saturation": 0.9, "arm_brightness": 5.0})
    assert (colored[arm_pixels].mean(axis=0).argmax(), plain[sphere].mean(axis=0).argmax()) == (1, 0)
    assert shown({"object_hue": 1 / 3})[sphere].mean(axis=0).argmax() == 1
    table = ~arm_pixels & ~sphere
    table[:16] = False  # the horizon
    assert plain[table].mean(axis=0).argmax() == 2
    assert shown({"table_hue": 1 / 3})[table].mean(axis=0).argmax() == 0  # blue turns into red
    textures = {shown({"table_texture": each, "table_texture_number": 3})[table].tobytes() for each in PATTERNS}
    assert len(textures) == len(PATTERNS)


def test_the_picture_as_shipped_is_that_of_dm_control():
    # In a process of its own: dm_control opens another OpenGL context and takes it for the current one ever after.
    program = (
        "import numpy as np\n"
        "from darla.envs.jaco.env import JacoReach\n"
        "env = JacoReach(rendering='shipped')\n"
        "ours = [env.reset(seed=5)[0], env.step(env.action_space.high)[0]]\n"
        "env._picture.draw = lambda *_: None\n"
        "env.reset(seed=5); theirs = [env.physics.render(64, 64, camera_id='front_close')]\n"
        "env.step(env.action_space.high); theirs.append(env.physics.render(64, 64, camera_id='front_close'))\n"
        "print(np.array_equal(ours, theirs), (ours[0] != ours[1]).any())\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "True"]
    assert "Failed to converge" not in ran.stderr


def test_an_episode_has_250_steps_of_40_ms():
    env = JacoReach(control_steps=3)
    env.reset(seed=0)
    ends = [env.step(np.zeros(9, np.float32))[2:] for _ in range(3)]
    assert [(end[0], end[1]) for end in ends] == [(False, False)] * 2 + [(False, True)]
    assert ends[-1][2]["is_success"] is False
    assert env.physics.data.time == pytest.approx(0.12)
    assert arm().control_steps == 250
    with pytest.raises(InputError, match="unknown start 'anywhere'"):
        arm().reset(options={"start": "anywhere"})


def test_facts_are_where_things_are_and_being_there_is_rewarded():
    env = arm()
    states = [env.reset(seed=seed)[1]["state"] for seed in range(8)]
    assert np.ptp([state["target_x"] for state in states]) > 0.1
    assert len(JACO.fact_row({"state": states[0]})) == len(JACO.fact_type or ())
    assert states[0]["vector"].dtype == np.float32
    hand = np.array([states[-1][f"hand_{axis}"] for axis in "xyz"])
    target = np.array([states[-1][f"target_{axis}"] for axis in "xyz"])
    assert np.linalg.norm(hand - target) > 0.05
    np.testing.assert_allclose(states[-1]["vector"][:3], target, rtol=1e-6)
    own = JacoReach(reward_margin=0.05)
    own.reset(seed=7)
    _, reward, _, _, info = env.step(np.zeros(9, np.float32))
    _, expected, *_ = own.step(np.zeros(9, np.float32))
    assert expected < reward < 1  # dm_control's is steeper
    assert expected == own.control.task.get_reward(own.physics)
    state = info["state"]
    apart = np.linalg.norm([state[f"hand_{axis}"] - state[f"target_{axis}"] for axis in "xyz"])
    assert reward == pytest.approx(0.1 ** (((apart - 0.05) / 0.5) ** 2))
    env.physics.bind(env.control.task._target).pos = hand
    assert env.step(np.zeros(9, np.float32))[1] == pytest.approx(1.0)
    with pytest.raises(InputError, match=r"reward_margin is 0\.0"):
        JacoReach(reward_margin=0.0)


def test_targets_are_seen_in_d_u_but_for_their_textures():
    task = tasks.get("jaco-reach")
    assert {leak_level(task, target) for target in task.targets} == {"visual"}
    rng = np.random.default_rng(0)
    seen = {int(task.unlabeled.sample(rng).number("table_texture_number")) for _ in range(300)}
    tested = {int(task.targets["sim2sim"].sample(rng).number("table_texture_number")) for _ in range(300)}
    assert not (seen - {0}) & tested
    pairs = render_pairs(task.source, task.targets["sim2sim"], 3, seed=0)
    assert (pairs.source != pairs.target).any(axis=(1, 2, 3)).all()
    env = make(task.targets["colors"])
    assert env.reset(seed=0)[1]["context"]["arm_saturation"] >= 0.5
    env.close()
