"""Tasks of the control suite in other looks: images differ, physics are the same to the bit."""

import functools
import gc
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

pytest.importorskip("dm_control", reason="the control suite is an extra")

import gymnasium
from gymnasium.utils.env_checker import check_env

from darla.common import InputError
from darla.common.files import read_json
from darla.envs import CONTROL_SUITE, Choice, Domain, Uniform, axes_task, leak_level, make, tasks
from darla.envs.control_suite import graphics
from darla.envs.control_suite.backgrounds import PATTERNS, Background
from darla.envs.control_suite.env import ControlSuite
from darla.envs.control_suite.graphics import suite
from darla.envs.control_suite.intensity import HARD, KINDS, MEDIUM, distracted
from darla.envs.control_suite.tasks import TASKS
from darla.envs.domains.world import WORLDS
from darla.envs.packages import packages_of
from darla.envs.paired_rendering import render_pairs
from darla.envs.worlds.control_suite import SPACE

OTHER_LOOKS = {
    "body_hue": 0.4,
    "body_brightness": 0.7,
    "ground_hue": 0.3,
    "ground_brightness": 1.4,
    "sky_hue": 0.6,
    "sky_brightness": 0.5,
    "light_level": 0.6,
    "light_angle": 40.0,
    "background": "clouds",
    "background_number": 7.5,
    "background_strength": 0.8,
    "background_motion": 1.0,
    "camera_azimuth": 25.0,
    "camera_elevation": 20.0,
    "camera_roll": -20.0,
    "camera_distance": 1.3,
}
BACKGROUND = {"background_strength": 0.5, "background_motion": 0.5}


@functools.cache
def shared(name):
    """Return the one environment of a task that tests need no second of: making one takes longer than playing."""
    return ControlSuite(name)


def shown(name, looks=None, seed=0):
    """Return the first image of an episode, as int."""
    return shared(name).reset(seed=seed, options={"context": looks or {}})[0].astype(int)


def play(env, steps=6, seed=7, looks=None):
    """Return images, rewards and all of the simulator's state along one episode of given actions."""
    rng = np.random.default_rng(0)
    image, info = env.reset(seed=seed, options=None if looks is None else {"context": looks})
    images, rewards, states = [image], [], [physics_of(env)]
    for _ in range(steps):
        image, reward, _, _, info = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))
        images.append(image), rewards.append(reward), states.append(physics_of(env))
    return np.stack(images), rewards, np.stack(states), info


def physics_of(env):
    data = env.unwrapped.physics.data
    return np.concatenate([[data.time], data.qpos, data.qvel, data.qacc, data.qacc_warmstart, data.sensordata])


@pytest.mark.parametrize("name", TASKS)
def test_gymnasium_finds_nothing_wrong(name, recwarn):
    env = gymnasium.make(TASKS[name].env_id)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()
    assert not [str(warning.message) for warning in recwarn if "darla" in str(warning.message)]


@pytest.mark.parametrize("name", TASKS)
def test_physics_do_not_see_the_looks(name):
    images, rewards, states, info = play(shared(name))
    others, same_rewards, same_states, other_info = play(shared(name), looks=OTHER_LOOKS)
    assert rewards == same_rewards
    assert states.tobytes() == same_states.tobytes()
    assert info["state"]["vector"].tobytes() == other_info["state"]["vector"].tobytes()
    assert {key: value for key, value in info["state"].items() if key != "vector"} == {
        key: value for key, value in other_info["state"].items() if key != "vector"
    }
    assert (images != others).any(axis=(1, 2, 3)).all()
    assert images.shape == (7, 64, 64, 3)
    assert images.dtype == np.uint8


@pytest.mark.parametrize("name", TASKS)
def test_physics_do_not_need_the_images(name):
    env = shared(name)
    _, rewards, states, info = play(env)
    env.unwrapped.draws_images = False
    try:
        images, same_rewards, same_states, same_info = play(env)
    finally:
        env.unwrapped.draws_images = True
    assert rewards == same_rewards
    assert states.tobytes() == same_states.tobytes()
    assert str(info) == str(same_info)
    assert not images.any()


@pytest.mark.parametrize("name", TASKS)
def test_physics_are_those_of_the_suite(name):
    ours = ControlSuite(name)
    ours.reset(seed=3)
    theirs = suite.load(TASKS[name].domain, TASKS[name].task, task_kwargs={"random": 0})
    theirs.reset()
    # Some tasks write into the model at the start of an episode, reacher the place of its target.
    theirs.physics.model.geom_pos[:] = ours.physics.model.geom_pos
    with theirs.physics.reset_context():
        theirs.physics.data.qpos[:], theirs.physics.data.qvel[:] = ours.physics.data.qpos, ours.physics.data.qvel
        theirs.physics.data.qacc_warmstart[:] = ours.physics.data.qacc_warmstart
    ours.physics.data.qacc_warmstart[:] = theirs.physics.data.qacc_warmstart
    action = np.full(ours.action_space.shape, 0.4, np.float32)
    for _ in range(5):
        _, reward, *_ = ours.step(action)
        expected = [theirs.step(action.astype(float)).reward for _ in range(TASKS[name].action_repeat)]
        assert reward == pytest.approx(sum(expected))
        np.testing.assert_allclose(ours.physics.data.qpos, theirs.physics.data.qpos, atol=1e-9)


def test_the_picture_as_shipped_is_that_of_dm_control():
    # In a process of its own: dm_control opens another OpenGL context and takes it for the current one ever after.
    program = (
        "import numpy as np\n"
        "from darla.envs.control_suite.env import ControlSuite\n"
        "ours, theirs = [], []\n"
        "envs = [ControlSuite(name, rendering='shipped') for name in ('walker-walk', 'reacher-easy', 'finger-spin')]\n"
        "for env in envs: ours += [env.reset(seed=5)[0], env.step(env.action_space.high)[0]]\n"
        "for env in envs:\n"
        "    env._picture.draw = lambda *_: None\n"
        "    env.reset(seed=5); theirs.append(env.physics.render(64, 64, camera_id=0))\n"
        "    env.step(env.action_space.high); theirs.append(env.physics.render(64, 64, camera_id=0))\n"
        "print(np.array_equal(ours, theirs), len({image.tobytes() for image in ours}))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "6"]


def test_the_fast_picture_is_close_to_the_shipped_one():
    for name in ("cartpole-swingup", "cheetah-run"):
        images, shipped = (play(env, 2)[0] for env in (shared(name), ControlSuite(name, rendering="shipped")))
        assert 0 < np.abs(images.astype(int) - shipped).mean() < 25, name


def test_what_the_garbage_collector_frees_is_nothing_of_seek_avoid():
    left = [make(tasks.get("control/cartpole-swingup/color").source) for _ in range(4)]
    for env in left:
        env.reset(seed=0)
    seek_avoid = make(tasks.get("sim2sim").unlabeled)
    before = [seek_avoid.reset(seed=seed)[0].copy() for seed in range(8)]
    users = len(graphics.context._users)
    del env, left
    gc.collect()
    assert len(graphics.context._users) <= users - 4
    for seed, image in enumerate(before):
        np.testing.assert_array_equal(seek_avoid.reset(seed=seed)[0], image)
    seek_avoid.close()


def test_seek_avoid_is_drawn_the_same_when_it_is_opened_anew_after_a_task():
    def images():
        env = make(tasks.get("sim2sim").unlabeled)
        shown = [env.reset(seed=seed)[0].copy() for seed in range(4)]
        env.close()
        return shown

    before = images()
    env = make(tasks.get("control/cartpole-swingup/color").source)
    env.reset(seed=0)
    env.close()
    np.testing.assert_array_equal(images(), before)


def test_environments_of_one_process_leave_each_other_alone():
    names = ("walker-walk", "reacher-easy", "finger-spin")
    alone = {name: play(shared(name), looks=OTHER_LOOKS)[0] for name in names}
    envs = [(name, ControlSuite(name, looks)) for looks in (None, OTHER_LOOKS) for name in names]
    room = make(tasks.get("conjunction").source)
    view, _ = room.reset(seed=1)
    rngs = [np.random.default_rng(0) for _ in envs]
    images = [[env.reset(seed=7)[0]] for _, env in envs]
    for step in range(6):
        for (_, env), rng, shown in zip(envs, rngs, images, strict=True):
            shown.append(env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[0])
        if step == 2:  # closing one frees nothing of another
            envs[0][1].close()
            envs, rngs, images = envs[1:], rngs[1:], images[1:]
            np.testing.assert_array_equal(room.reset(seed=1)[0], view)
    for (name, env), shown in zip(envs, images, strict=True):
        if env.context["body_hue"]:
            np.testing.assert_array_equal(np.stack(shown), alone[name])
    room.close()


def test_an_episode_depends_on_its_seed_and_on_none_before():
    for name in TASKS:
        env = shared(name)
        images, rewards, states, _ = play(env)
        play(env, seed=8)
        env.reset(seed=2, options={"context": OTHER_LOOKS, "start": "anywhere"})
        again, same_rewards, same_states, _ = play(env)
        assert (rewards, states.tobytes()) == (same_rewards, same_states.tobytes()), name
        np.testing.assert_array_equal(images, again)
        other, _, other_states, _ = play(env, seed=8)
        assert states[0].tobytes() != other_states[0].tobytes()
        assert (images[-1] != other[-1]).any()


@pytest.mark.parametrize("factor", SPACE)
def test_each_factor_changes_the_picture(factor):
    # Reacher's camera sees nothing but the ground, so its sky is seen from elsewhere only.
    base = dict(BACKGROUND) if factor.startswith("background") else {}
    for name in TASKS:
        if factor.startswith("sky") and name == "reacher-easy":
            continue
        images = [play(shared(name), 2, looks=looks)[0] for looks in (base, {**base, factor: OTHER_LOOKS[factor]})]
        assert (images[0][-1] != images[1][-1]).any(), name


def test_reacher_shows_no_sky_from_where_its_camera_is():
    np.testing.assert_array_equal(shown("reacher-easy"), shown("reacher-easy", {"sky_hue": 0.5}))


@pytest.mark.parametrize("factor", SPACE)
def test_a_value_beyond_its_bounds_is_refused(factor):
    if SPACE[factor].kind == "circular":
        assert SPACE.context({factor: 1.25})[factor] == 0.25
        return
    wrong = "strips" if SPACE[factor].kind == "discrete" else SPACE[factor].high + 0.1
    with pytest.raises(InputError, match="did you mean 'stripes'" if wrong == "strips" else "must lie in"):
        ControlSuite("cartpole-swingup", {factor: wrong})


def test_surfaces_have_the_colors_that_their_factors_say():
    image = shown("cartpole-swingup")
    places = {
        "body": (slice(30, 34), slice(30, 34)),
        "sky": (slice(5, 15), slice(5, 60)),
        "ground": (slice(50, 60), slice(5, 25)),
    }

    def mean(picture, surface):
        return picture[places[surface]].reshape(-1, 3).mean(axis=0)

    assert mean(image, "body").argmax() == 0  # orange
    assert mean(image, "sky").argmax() == mean(image, "ground").argmax() == 2  # blue
    for surface in places:
        turned = shown("cartpole-swingup", {f"{surface}_hue": 1 / 3})
        darker = shown("cartpole-swingup", {f"{surface}_brightness": 0.5})
        # A third of a turn moves red to green, green to blue and blue to red.
        np.testing.assert_allclose(mean(turned, surface), np.roll(mean(image, surface), 1), atol=12)
        np.testing.assert_allclose(mean(darker, surface), mean(image, surface) / 2, atol=12)
        for other in places.keys() - {surface}:
            np.testing.assert_array_equal(turned[places[other]], image[places[other]])


def test_the_camera_moves_as_its_factors_say():
    def pole(**camera):
        """Return the mean row and column of cart and pole, and their number of pixels."""
        images = [shown("cartpole-swingup", {**camera, "body_hue": hue}) for hue in (0.0, 0.5)]
        pixels = np.argwhere((images[0] != images[1]).any(axis=2) & (images[0].argmax(axis=2) == 0))
        return *pixels.mean(axis=0), len(pixels)

    row, column, size = pole()
    assert column == pytest.approx(31.5, abs=1)  # the cart stands in the middle, its pole hangs down
    rolled_row, rolled_column, _ = pole(camera_roll=45.0)
    assert rolled_column > column + 1  # counterclockwise: what hangs down moves to the right
    assert rolled_row < row
    assert pole(camera_roll=-45.0)[1] < column - 1
    assert pole(camera_distance=1.75)[2] < size < pole(camera_distance=0.75)[2]
    assert pole(camera_elevation=45.0)[0] < row  # from above a pole is shorter


@pytest.mark.parametrize("name", TASKS)
def test_the_camera_turns_around_what_it_looks_at(name):
    env = shared(name)

    def camera(**factors):
        """Return where the camera is, and where it looks to."""
        env.reset(seed=0, options={"context": factors})
        data = env._picture._data
        return data.cam_xpos[0].copy(), -data.cam_xmat[0].reshape(3, 3)[:, 2]

    place, direction = camera()
    far, same_direction = camera(camera_distance=1.5)
    np.testing.assert_allclose(direction, same_direction, atol=1e-12)
    pivot = place - 2 * (far - place)
    assert (pivot - place) @ direction > 0.5 * np.linalg.norm(pivot - place)
    right, raised = camera(camera_azimuth=30.0), camera(camera_elevation=30.0)
    assert right[0][0] > place[0] + 0.1
    assert (
        raised[0][1 if TASKS[name].scene.seen_from_above else 2]
        > place[1 if TASKS[name].scene.seen_from_above else 2] + 0.1
    )
    for moved, looking in (right, raised):
        assert np.linalg.norm(moved - pivot) == pytest.approx(np.linalg.norm(place - pivot))
        np.testing.assert_allclose(moved + np.linalg.norm(moved - pivot) * looking, pivot, atol=1e-9)
    rolled = camera(camera_roll=30.0)
    np.testing.assert_allclose(rolled, (place, direction), atol=1e-12)


def test_a_background_covers_the_sky_and_never_the_body():
    for name, task in TASKS.items():
        plain = shown(name)
        body = (plain != shown(name, {"body_hue": 0.5})).any(axis=2)
        assert body.any()
        for pattern in PATTERNS:
            covered = shown(name, {"background": pattern, "background_strength": 1.0, "background_number": 3})
            np.testing.assert_array_equal(plain[body], covered[body])
            changed = (plain != covered).any(axis=2).mean()
            assert changed > (0.8 if task.scene.ground_is_background else 0.3), (name, pattern)


def test_backgrounds_are_still_or_move_and_each_number_is_another():
    for pattern in PATTERNS:
        background = Background(pattern, 3, 64)
        first = background.draw(0.0)
        assert first.shape == (64, 64, 3)
        np.testing.assert_array_equal(first, Background(pattern, 3, 64).draw(0.0))
        assert (first != background.draw(0.3)).any()
        assert len({Background(pattern, number, 16).draw(0.0).tobytes() for number in range(50)}) == 50
    still, moving = (
        play(shared("cartpole-swingup"), 1, looks={"background_strength": 1.0, "background_motion": motion})[0]
        for motion in (0.0, 1.0)
    )
    corner = (slice(None), slice(0, 8), slice(0, 8))
    np.testing.assert_array_equal(still[corner][0], still[corner][1])
    assert (moving[corner][0] != moving[corner][1]).any()


@pytest.mark.parametrize("name", TASKS)
def test_an_episode_has_a_thousand_control_steps(name):
    steps = 3 * TASKS[name].action_repeat - 1
    env = ControlSuite(name, control_steps=steps)
    env.reset(seed=0)
    ends = [env.step(env.action_space.low)[2:] for _ in range(3)]
    assert [(terminated, truncated) for terminated, truncated, _ in ends] == [(False, False)] * 2 + [(False, True)]
    assert [("is_success" in info) for *_, info in ends] == [False, False, True]
    assert env.physics.data.time == pytest.approx((3 * TASKS[name].action_repeat - 1) * env.control.control_timestep())
    assert shared(name).control_steps == 1_000


def test_success_is_half_of_the_reward_in_the_second_half():
    env = ControlSuite("reacher-easy", control_steps=8)
    outcomes = set()
    for seed in range(40):
        env.reset(seed=seed, options={"start": "anywhere"})
        reward = info = None
        for _ in range(2):
            _, reward, _, _, info = env.step(np.zeros(2, np.float32))
        assert info["is_success"] == (reward >= 2)  # the second of two actions, of four control steps
        outcomes.add(info["is_success"])
    assert outcomes == {True, False}


def test_facts_are_where_things_are():
    env = shared("ball-in-cup-catch")
    _, info = env.reset(seed=0)
    place = env.physics.named.data.xpos["ball"]
    assert (info["state"]["ball_x"], info["state"]["ball_z"]) == (place[0], place[2])
    for name, world in CONTROL_SUITE.items():
        _, info = shared(name).reset(seed=0)
        assert len(world.fact_row(info)) == len(world.fact_type or ())
        observation = shared(name).control.task.get_observation(shared(name).physics)
        expected = np.concatenate([np.ravel(part) for part in observation.values()])
        np.testing.assert_allclose(info["state"]["vector"], expected, rtol=1e-6)
        assert info["state"]["vector"].dtype == np.float32, name


def test_frames_to_learn_from_are_taken_everywhere():
    for name, key, least in (
        ("cartpole-swingup", "cart", 1.0),
        ("walker-walk", "height", 0.3),
        ("ball-in-cup-catch", "ball_z", 0.2),
    ):
        env = shared(name)
        states = [env.reset(seed=seed, options={"start": "anywhere"})[1]["state"] for seed in range(40)]
        assert np.ptp([state[key] for state in states]) > least, name
    caught = [abs(state["cup_z"] - 0.07 - state["ball_z"]) < 0.05 and abs(state["cup_x"] - state["ball_x"]) < 0.03
              for state in states]  # fmt: skip
    assert 4 < sum(caught) < 30
    with pytest.raises(InputError, match="unknown start 'anywere'; did you mean 'anywhere'"):
        env.reset(options={"start": "anywere"})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"task": "walker-wlk"}, "unknown task of the control suite: 'walker-wlk'; did you mean 'walker-walk'"),
        ({"action_repeat": 0}, "action_repeat is 0"),
        ({"control_steps": 0}, "control_steps is 0"),
        ({"resolution": 60}, "multiple of 16"),
        ({"rendering": "fst"}, "unknown rendering 'fst'; did you mean 'fast'"),
        ({"render_mode": "human"}, "render_mode is 'human'"),
        ({"context": {"body_hu": 0.1}}, "unknown factor 'body_hu'; did you mean 'body_hue'"),
    ],
)
def test_what_there_is_not_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        ControlSuite(**wrong)


@pytest.mark.parametrize("name", ["walker-walk", "reacher-easy"])
@pytest.mark.parametrize("kind", KINDS)
def test_targets_are_seen_in_d_u_and_share_no_context_with_the_selection(name, kind):
    task = tasks.get(f"control/{name}/{kind}")
    assert {target: leak_level(task, target) for target in task.targets} == {"easy": "visual", "hard": "visual"}
    rng = np.random.default_rng(0)
    leading = {"color": "body_hue", "background": "background_strength", "camera": "camera_azimuth"}
    names = [leading[kind]] if kind in leading else list(leading.values())
    for factor in names:
        default = SPACE[factor].default

        def distance(domain, factor=factor, default=default):
            away = [abs(domain.sample(rng).number(factor) - default) for _ in range(60)]
            if SPACE[factor].kind == "circular":
                away = [min(each, 1 - each) for each in away]
            return min(away), max(away)

        easy, chosen, hard = (
            distance(domain) for domain in (task.targets["easy"], task.selection, task.targets["hard"])
        )
        assert easy[1] <= chosen[0] < chosen[1] <= hard[0] < hard[1] <= distance(task.unlabeled)[1] * 1.2
    if kind in ("background", "all"):
        seen = {int(task.unlabeled.sample(rng).number("background_number")) for _ in range(200)}
        tested = {int(task.targets["hard"].sample(rng).number("background_number")) for _ in range(200)}
        assert not seen & tested


def test_intensity_scales_how_far_values_leave_the_source():
    (little,), (much,) = distracted("camera", 0.1), distracted("camera", 0.3)
    for factor, spec in little.items():
        default = SPACE[factor].default
        assert isinstance(spec, Uniform)
        assert (much[factor].high - default) == pytest.approx(3 * (spec.high - default))
        assert (default - much[factor].low) == pytest.approx(3 * (default - spec.low))
    assert distracted("background", HARD)[0]["background"] == Choice(PATTERNS)
    assert len(distracted("all", HARD, MEDIUM)) == 4  # to both sides in hue and in azimuth
    for kind, intensity, beyond, message in (
        ("colour", 0.1, 0.0, "unknown kind of distraction: 'colour'; did you mean 'color'"),
        ("color", 0.6, 0.0, "intensity is 0.6"),
        ("camera", 0.1, 0.2, "beyond is 0.2"),
    ):
        with pytest.raises(InputError, match=message):
            distracted(kind, intensity, beyond)
    for kind in KINDS:  # every value is within its bounds at the highest intensity
        Domain("widest", distracted(kind, 0.5), world=CONTROL_SUITE["walker-walk"])


def test_one_state_is_rendered_in_the_looks_of_two_domains():
    task = tasks.get("control/ball-in-cup-catch/all")
    pairs = render_pairs(task.source, task.targets["hard"], 4, seed=0)
    same = render_pairs(task.source, task.source, 4, seed=0)
    assert (pairs.source != pairs.target).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(same.source, pairs.source)
    assert len({state["ball_x"] for state in pairs.states}) == 4


def test_a_card_names_the_simulator():
    named = packages_of(shared("walker-walk"))
    assert {name: named[name] for name in ("dm-control", "mujoco")} == {
        name: metadata.version(name) for name in ("dm-control", "mujoco")
    }


def test_without_the_extra_one_sentence_says_what_to_install():
    program = (
        "import sys; sys.modules['dm_control'] = None\n"
        "from darla.common import InputError\n"
        "from darla.envs import make, tasks\n"
        "try: make(tasks.get('control/walker-walk/color').source)\n"
        "except InputError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    expected = "the control suite needs dm_control and mujoco; pip install 'darla[control]' brings them\n"
    assert ran.stdout == expected


def test_a_simulator_that_is_too_new_is_named():
    program = (
        "import mujoco; mujoco.__version__ = '4.0.0'\n"
        "from darla.common import InputError\n"
        "from darla.envs import make, tasks\n"
        "try: make(tasks.get('control/walker-walk/color').source)\n"
        "except InputError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "mujoco 4.0.0 is installed, but dm_control's tasks need one below 4: pip install 'mujoco<4'" in ran.stdout


@pytest.mark.parametrize("name", ["cartpole_swingup", "jaco_reach"])
def test_a_factor_shows_nothing_without_the_one_it_needs(name):
    world = WORLDS[name]
    others = {
        factor.name: factor.choices[-1] if factor.choices else (factor.low + factor.high) / 2
        for factor in world.space.values()
        if factor.needs
    }
    assert others
    pairs = render_pairs(Domain("source", world=world), Domain("target", (others,), world=world), 2, seed=0)
    assert np.array_equal(pairs.source, pairs.target)  # by default what they need is 0
    assert not set(others) & set(axes_task(world).targets)


def test_a_choice_of_the_renderer_is_left_to_the_user():
    program = (
        "import os; os.environ['MUJOCO_GL'] = 'osmesa'\n"
        "from darla.common import InputError\n"
        "from darla.envs import make, tasks\n"
        "try: print(make(tasks.get('control/walker-walk/color').source).reset(seed=0)[0].shape)\n"
        "except InputError as error: print(error)\n"
        "print(os.environ['MUJOCO_GL'])\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, last = ran.stdout.splitlines()
    assert last == "osmesa"
    assert first == "(64, 64, 3)" or "MUJOCO_GL is 'osmesa'" in first


@pytest.mark.slow
def test_every_stage_takes_it_from_the_command_line(tmp_path):
    task, python = "control/cartpole-swingup/color", (sys.executable, "-m", "darla")
    sac = "--preset sac --env-steps 260 --settings.learning-starts 60 --snapshots 1"
    for words in (
        f"check {task}",
        f"collect {task} --frames 64 --shard-size 32 --out frames",
        "see frames --preset tiny --out encoder",
        f"act {task} --encoder encoder {sac} --out codes",
        f"act {task} --observation state {sac} --out state",
        f"transfer {task} DARLA=codes truth=state --episodes 1 --n-envs 1 --snapshot-eval-episodes 1 --resamples 50"
        " --out transfer",
        "report transfer --out report",
    ):
        ran = subprocess.run([*python, *words.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, (words, ran.stderr)
    assert read_json(tmp_path / "frames" / "card.json")["versions"]["mujoco"] == metadata.version("mujoco")
    for name, stack in (("codes", 3), ("state", 1)):  # one image does not show velocities, the state has them
        assert read_json(tmp_path / name / "config.json")["config"]["act"]["frame_stack"] == stack
    rows = (tmp_path / "transfer" / "episodes.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {"random", "DARLA", "truth"}
    assert len(list((tmp_path / "transfer" / "strips").glob("*.png"))) == 4
    page = (tmp_path / "report" / "report.md").read_text()
    assert "World `cartpole_swingup`: a cart swings its pole up and keeps it there" in page
    assert "license Apache-2.0 (dm_control)" in page
    for word in ("SeekAvoid", "object", "room", "collect good"):
        assert word not in page.replace("MiniWorld", "")
