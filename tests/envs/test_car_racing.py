"""CarRacing in other colours: pictures differ, everything else is the same; every stage takes it as it takes rooms."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("Box2D", reason="CarRacing is an extra")

import gymnasium

import darla
from darla.agents import ActConfig, PPOSettings
from darla.common import InputError
from darla.envs import EnvDomain, TransferTask, leak_level, make, tasks
from darla.envs.car_racing.env import CAR, GRASS, ROAD, RecolouredCarRacing
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.shards import Drawer
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


def test_its_own_colours_give_the_picture_of_gymnasium_without_the_instruments():
    ours, theirs = RecolouredCarRacing(frame_skip=1), gymnasium.make("CarRacing-v3", continuous=False).unwrapped
    images, rewards, positions = drive(ours, 60)
    expected, same_rewards, same_positions = drive(theirs, 60)
    assert rewards == same_rewards
    assert positions == same_positions
    for image, whole in zip(images, expected, strict=True):
        small = Image.fromarray(whole[:84]).resize((64, 64), Image.Resampling.BOX)
        np.testing.assert_array_equal(image, np.asarray(small))


@pytest.mark.parametrize("look", [{"grass": "blue"}, {"car": "pink"}, {"road": "slate"}], ids=str)
def test_another_colour_changes_pictures_and_nothing_else(look):
    images, rewards, positions = drive(RecolouredCarRacing())
    others, same_rewards, same_positions = drive(RecolouredCarRacing(**look))
    assert rewards == same_rewards
    assert positions == same_positions
    # The first is taken from so high above that the car is smaller than a pixel.
    assert all((image != other).any() for image, other in zip(images[1:], others[1:], strict=True))
    assert images.shape == (13, 64, 64, 3)
    assert images.dtype == np.uint8


def test_ground_and_road_have_the_colours_that_their_names_stand_for():
    for grass in GRASS:
        env = RecolouredCarRacing(grass=grass, road="slate")
        env.reset(seed=0)
        for _ in range(10):
            image = env.step(3)[0].reshape(-1, 3)
        for colour in (*GRASS[grass], ROAD["slate"]):
            assert (np.abs(image - np.array(colour) * 255).max(axis=1) < 3).any(), (
                grass,
                colour,
            )  # the picture is scaled down


def test_an_action_lasts_four_frames_and_an_episode_a_thousand():
    slow, fast = RecolouredCarRacing(), RecolouredCarRacing(frame_skip=1)
    slow.reset(seed=1), fast.reset(seed=1)
    for _ in range(3):
        _, reward, *_ = slow.step(3)
        assert reward == pytest.approx(sum(fast.step(3)[1] for _ in range(4)))
    assert tuple(slow.car.hull.position) == tuple(fast.car.hull.position)
    env = RecolouredCarRacing(frame_skip=500)
    env.reset(seed=1)
    assert [env.step(0)[2:4] for _ in range(2)] == [(False, False), (False, True)]


def test_the_same_seed_gives_the_same_track_in_every_domain_and_the_info_tells_the_colours():
    tracks = []
    for name in ("source", "yellow grass, cyan car", "mint grass"):
        env = make(TASK.domain(name))
        _, info = env.reset(seed=5)
        tracks.append(np.array(env._now.unwrapped.track))
        assert env.step(3)[4]["context"].items() <= info["context"].items()
        assert info["context"]["grass"] == TASK.domain(name).variants[0]["grass"]
        env.close()
    assert all(np.array_equal(track, tracks[0]) for track in tracks)


def test_frames_to_learn_from_are_taken_everywhere_on_the_track():
    env = RecolouredCarRacing()
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


def test_leak_levels_follow_from_the_colours():
    levels = {name: leak_level(TASK, name) for name in TASK.targets}
    assert levels.pop("mint grass") == "none"
    assert set(levels.values()) == {"visual"}
    assert {leak_level(TASK, name, "unlabelled") for name in levels} == {"full"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"grass": "gren"}, "unknown colour of the grass: 'gren'; did you mean 'green'"),
        ({"car": "grey"}, "colour of the car"),
        ({"frame_skip": 0}, "frame_skip is 0"),
    ],
)
def test_a_look_that_there_is_none_of_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        make(EnvDomain("odd", "darla/CarRacing-v0", (wrong,)))


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


def test_every_car_is_seen_in_its_colour():
    for name, colour in CAR.items():
        env = RecolouredCarRacing(car=name, grass="blue")
        env.reset(seed=0)
        for _ in range(14):
            image = env.step(3)[0]
        near = image[46:64, 24:40].reshape(-1, 3).astype(float) / 255
        assert np.abs(near - np.array(colour)).max(axis=1).min() < 0.35, name


def short_task():
    """Return the task with two targets, its actions as long as twelve of the usual ones, which draws less."""

    def short(domain):
        return EnvDomain(domain.name, domain.env_id, tuple({**part, "frame_skip": 50} for part in domain.variants))

    targets = {name: short(TASK.targets[name]) for name in ("blue grass, pink car", "mint grass")}
    return TransferTask("short", TASK.unlabelled, short(TASK.source), short(TASK.validation), targets)


def test_every_stage_takes_it(tmp_path):
    frames = collect(CollectConfig(task="car-racing", frames=64, shard_size=32), tmp_path / "frames")
    task = short_task()
    see = SeeConfig().change(latent_dim=4, training__steps=2, training__batch_size=16)
    encoder = darla.see(frames, tmp_path / "encoder", see)
    settings = PPOSettings(n_envs=2, n_steps=16, batch_size=16, n_epochs=1)
    act = ActConfig(env_steps=64, settings=settings, snapshots=1)
    agent = darla.act(task, tmp_path / "agent", act, encoder=encoder)
    config = TransferConfig(episodes=2, n_envs=2, snapshot_eval_episodes=1, strip_frames=2, resamples=50)
    found = darla.transfer(task, [agent], tmp_path / "transfer", config)
    rows = (found.folder / "episodes.csv").read_text().splitlines()
    assert {row.count("mint grass") for row in rows[1:]} == {0, 1}


def test_poses_need_an_environment_that_can_be_asked_for_them():
    with pytest.raises(InputError, match="use poses 'random_policy'"):
        Drawer(EnvDomain("stock", "CarRacing-v3", ({"continuous": False},)), None, 0)
