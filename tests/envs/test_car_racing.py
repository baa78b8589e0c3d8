"""CarRacing in other colors: images differ, everything else is the same; every stage takes it as it takes rooms."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("Box2D", reason="CarRacing is an extra")

import gymnasium
from gymnasium.envs.box2d.car_racing import TRACK_WIDTH

import darla
from darla.agents import ActConfig, PPOSettings
from darla.analysis.latent_drift import latent_drift
from darla.common import InputError
from darla.envs import CAR_RACING, Domain, EnvDomain, TransferTask, Uniform, leak_level, make, register_world, tasks
from darla.envs.car_racing.colors import CAR, GRASS, ROAD
from darla.envs.car_racing.env import RecoloredCarRacing
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.shards import FrameDrawer
from darla.envs.hsv import adjusted
from darla.envs.paired_rendering import render_pairs
from darla.vision import SeeConfig
from darla.zero_shot import TransferConfig

TASK = tasks.get("car-racing")


def drive(env, steps=12):
    """Return pictures, rewards and positions of one drive with given actions."""
    actions = np.random.default_rng(0).choice([1, 2, 3, 3, 3], steps)
    images, rewards, positions = [env.reset(seed=7)[0]], [], []
    for action in actions:
        image, reward, *_ = env.step(action)
        images.append(image)
        rewards.append(reward)
        positions.append((*env.unwrapped.car.hull.position, env.unwrapped.car.hull.angle))
    return np.stack(images), rewards, positions


def test_its_own_colors_give_the_picture_of_gymnasium_without_the_instruments():
    ours, theirs = RecoloredCarRacing(frame_skip=1), gymnasium.make("CarRacing-v3", continuous=False).unwrapped
    images, rewards, positions = drive(ours, 60)
    expected, same_rewards, same_positions = drive(theirs, 60)
    assert rewards == same_rewards
    assert positions == same_positions
    for image, whole in zip(images, expected, strict=True):
        small = Image.fromarray(whole[:84]).resize((64, 64), Image.Resampling.BOX)
        np.testing.assert_array_equal(image, np.asarray(small))


@pytest.mark.parametrize(
    "look",
    [{"grass": "blue"}, {"car": "pink"}, {"road": "slate"}, {"grass_hue": 0.5}, {"car_brightness": 0.6}],
    ids=str,
)
def test_another_color_changes_pictures_and_nothing_else(look):
    images, rewards, positions = drive(RecoloredCarRacing())
    others, same_rewards, same_positions = drive(RecoloredCarRacing(look))
    assert rewards == same_rewards
    assert positions == same_positions
    # The first is taken from so high above that the car is smaller than a pixel.
    assert all((image != other).any() for image, other in zip(images[1:], others[1:], strict=True))
    assert images.shape == (13, 64, 64, 3)
    assert images.dtype == np.uint8


def test_ground_and_road_have_the_colors_that_their_names_stand_for():
    for grass in GRASS:
        env = RecoloredCarRacing({"grass": grass, "road": "slate"})
        env.reset(seed=0)
        for _ in range(10):
            image = env.step(3)[0].reshape(-1, 3)
        for color in (*GRASS[grass], ROAD["slate"]):
            assert (np.abs(image - np.array(color) * 255).max(axis=1) < 3).any(), (
                grass,
                color,
            )  # the picture is scaled down


def test_an_action_lasts_four_frames_and_an_episode_a_thousand():
    slow, fast = RecoloredCarRacing(), RecoloredCarRacing(frame_skip=1)
    slow.reset(seed=1), fast.reset(seed=1)
    for _ in range(3):
        _, reward, *_ = slow.step(3)
        assert reward == pytest.approx(sum(fast.step(3)[1] for _ in range(4)))
    assert tuple(slow.car.hull.position) == tuple(fast.car.hull.position)
    env = RecoloredCarRacing(frame_skip=500)
    env.reset(seed=1)
    assert [env.step(0)[2:4] for _ in range(2)] == [(False, False), (False, True)]


def test_the_same_seed_gives_the_same_track_in_every_domain_and_the_info_tells_the_colors():
    tracks = []
    for name in ("source", "yellow grass, cyan car", "mint grass"):
        env = make(TASK.domain(name))
        _, info = env.reset(seed=5)
        tracks.append(np.array(env.unwrapped.track))
        assert env.step(3)[4]["context"] == info["context"]
        assert info["context"]["grass"] == TASK.domain(name).components[0]["grass"]
        env.close()
    assert all(np.array_equal(track, tracks[0]) for track in tracks)


def test_frames_to_learn_from_are_taken_everywhere_on_the_track():
    env = RecoloredCarRacing()
    places = []
    for seed in range(12):
        image, _ = env.reset(seed=seed, options={"start": "anywhere"})
        line = np.array(env.track[0][2:4])
        track = np.array(env.track)[:, 2:4]
        place = np.array(env.car.hull.position)
        assert np.linalg.norm(track - place, axis=1).min() < 15
        assert image.reshape(-1, 3).any(axis=1).all()  # close to the ground: nothing of the black around the field
        places.append(np.linalg.norm(place - line))
    assert sorted(places)[3] > 20
    again, _ = env.reset(seed=11, options={"start": "anywhere"})
    np.testing.assert_array_equal(image, again)
    with pytest.raises(InputError, match="unknown start 'anywere'; did you mean 'anywhere'"):
        env.reset(options={"start": "anywere"})


def test_leak_levels_follow_from_the_colors():
    levels = {name: leak_level(TASK, name) for name in TASK.targets}
    assert levels.pop("mint grass") == "none"
    assert set(levels.values()) == {"visual"}
    assert {leak_level(TASK, name, "unlabeled") for name in levels} == {"full"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"context": {"grass": "gren"}}, "unknown value of factor 'grass': 'gren'; did you mean 'green'"),
        ({"context": {"car": "gray"}}, "value of factor 'car'"),
        ({"context": {"gras": "green"}}, "unknown factor 'gras'; did you mean 'grass'"),
        ({"context": {"car_brightness": 2.0}}, "must lie in"),
        ({"frame_skip": 0}, "frame_skip is 0"),
    ],
)
def test_a_look_that_there_is_none_of_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        make(EnvDomain("odd", "darla/CarRacing-v0", (wrong,)))


def test_ranges_of_hue_have_leak_levels_of_their_own():
    def domain(name, *parts):
        return Domain(name, parts, world=CAR_RACING)

    source = domain("source", {"grass_hue": Uniform(0.9, 1.1)})
    targets = {"inside": domain("inside", {"grass_hue": 0.05}), "outside": domain("outside", {"grass_hue": 0.5})}
    task = TransferTask("hues", domain("u", {"grass_hue": Uniform(0.4, 0.6)}), source, source, targets)
    assert {name: leak_level(task, name) for name in targets} == {"inside": "full", "outside": "visual"}


def test_hue_and_brightness_move_a_color_in_hsv():
    assert adjusted((0.8, 0.2, 0.2), 1 / 3, 1.0) == pytest.approx((0.2, 0.8, 0.2))
    assert adjusted((0.8, 0.2, 0.2), 0.0, 0.5) == pytest.approx((0.4, 0.1, 0.1))
    assert adjusted((0.8, 0.2, 0.2), 0.0, 1.5) == pytest.approx((1.0, 0.25, 0.25))


def test_the_state_says_where_the_car_is_on_the_road():
    env = RecoloredCarRacing()
    _, info = env.reset(seed=3)
    state = info["state"]
    assert abs(state["offset"]) < 0.2
    assert abs(state["heading"]) < 0.1
    for _ in range(12):
        info = env.step(3)[4]
    assert info["state"]["speed"] > state["speed"] + 5
    for _ in range(6):
        info = env.step(2)[4]  # to the left
    assert info["state"]["heading"] > 0.1
    sides = set()
    for seed in range(8):
        _, info = env.reset(seed=seed, options={"start": "anywhere"})
        truth = info["state"]
        tile = np.array(env.track)[:, 2:4]
        away = np.linalg.norm(tile - np.array(env.car.hull.position), axis=1).min()
        assert abs(truth["offset"]) * TRACK_WIDTH == pytest.approx(away, abs=2.0)  # tiles are 3.5 apart
        sides.add(truth["offset"] > 0)
        assert truth["vector"].shape == (7,)
        assert truth["vector"][:3] == pytest.approx(
            [truth["offset"], np.sin(truth["heading"]), np.cos(truth["heading"])], abs=1e-6
        )
    assert sides == {True, False}


def test_one_state_is_rendered_in_the_colors_of_two_domains():
    pairs = render_pairs(TASK.source, TASK.targets["blue grass, pink car"], 6, seed=0)
    assert pairs.source.shape == pairs.target.shape == (6, 64, 64, 3)
    assert (pairs.source != pairs.target).any(axis=(1, 2, 3)).all()
    same = render_pairs(TASK.source, TASK.source, 6, seed=0)
    np.testing.assert_array_equal(same.source, same.target)
    np.testing.assert_array_equal(same.source, pairs.source)
    assert len({state["offset"] for state in pairs.states}) == 6


def test_without_the_extra_one_sentence_says_what_to_install():
    program = (
        "import sys; sys.modules['Box2D'] = None\n"
        "from darla.common import InputError\n"
        "from darla.envs import make, tasks\n"
        "try: make(tasks.get('car-racing').source)\n"
        "except InputError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "CarRacing needs Box2D and pygame; pip install 'darla[car-racing]' brings them\n"


def test_every_car_is_seen_in_its_color():
    for name, color in CAR.items():
        env = RecoloredCarRacing({"car": name, "grass": "blue"})
        env.reset(seed=0)
        for _ in range(14):
            image = env.step(3)[0]
        near = image[46:64, 24:40].reshape(-1, 3).astype(float) / 255
        assert np.abs(near - np.array(color)).max(axis=1).min() < 0.35, name


def short_task():
    """Return the task with two targets, its actions as long as twelve of the usual ones, which draws less."""
    env_id = "test/ShortCarRacing-v0"
    if env_id not in gymnasium.registry:
        entry_point = "darla.envs.car_racing.env:RecoloredCarRacing"
        gymnasium.register(env_id, entry_point=entry_point, kwargs={"frame_skip": 50})
    world = register_world(replace(CAR_RACING, name="short_car_racing", env_id=env_id))

    def short(domain):
        return replace(domain, world=world)

    targets = {name: short(TASK.targets[name]) for name in ("blue grass, pink car", "mint grass")}
    return TransferTask("short", short(TASK.unlabeled), short(TASK.source), short(TASK.validation), targets)


def test_every_stage_takes_it(tmp_path):
    frames = task = short_task()
    frames = collect(CollectConfig(frames=64, shard_size=32), tmp_path / "frames", domain=task.unlabeled)
    see = SeeConfig().change(latent_dim=4, training__steps=2, training__batch_size=16)
    encoder = darla.see(frames, tmp_path / "encoder", see)
    settings = PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1)
    act = ActConfig(env_steps=64, settings=settings, snapshots=1)
    agent = darla.act(task, tmp_path / "agent", act, encoder=encoder)
    config = TransferConfig(episodes=2, n_envs=2, snapshot_eval_episodes=1, strip_frames=2, resamples=50)
    transfer = darla.transfer(task, [agent], tmp_path / "transfer", config)
    rows = (transfer.folder / "episodes.csv").read_text().splitlines()
    assert {row.count("mint grass") for row in rows[1:]} == {0, 1}
    strips = list((transfer.folder / "strips").glob("*.png"))
    assert len(strips) == 2
    drift = latent_drift(encoder, task, states=8)
    assert set(drift) == set(task.targets)
    assert all(each.states == 8 and each.shift > 0 for each in drift.values())


def test_uniform_sampling_needs_an_environment_that_starts_anywhere():
    with pytest.raises(InputError, match="use sampling 'random_policy'"):
        FrameDrawer(EnvDomain("stock", "CarRacing-v3", ({"continuous": False},)), None, 0)
