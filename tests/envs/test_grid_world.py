"""The grid world: a state is known exactly, and so is the image of it."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from darla.common import InputError
from darla.envs import GRID_WORLD, TWO_SQUARES, make, tasks
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.grid_world.env import CELLS, MOVES, POSITIONS, SIDE, GridWorld
from darla.envs.paired_rendering import render_pairs
from darla.envs.state_vector import state_size, state_vector

IDS = ("darla/GridWorld-v0", "darla/TwoSquares-v0")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("resolution", [16, 32])
def test_it_passes_the_checker_of_gymnasium(env_id, resolution):
    env = gymnasium.make(env_id, resolution=resolution, render_mode="rgb_array")
    assert env.observation_space.shape == (resolution, resolution, 3)
    check_env(env.unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_the_seed_decides_the_episode(env_id):
    def episode(seed):
        env = gymnasium.make(env_id)
        env.action_space.seed(seed)
        image, info = env.reset(seed=seed)
        images, states = [image], [info["state"]["vector"]]
        for _ in range(12):
            image, *_, info = env.step(env.action_space.sample())
            images.append(image), states.append(info["state"]["vector"])
        return np.stack(images), np.stack(states)

    for first, again, other in zip(episode(3), episode(3), episode(4), strict=True):
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()


@pytest.mark.parametrize("resolution", [16, 32])
def test_the_image_shows_the_square_in_its_place(resolution):
    env = GridWorld({"hue": 1 / 3, "ground": 0.2}, resolution=resolution)
    cell = resolution // CELLS
    for seed in range(20):
        image, info = env.reset(seed=seed)
        x, y = (cell * int(info["state"][name]) for name in ("x", "y"))
        expected = np.full((resolution, resolution, 3), 51)
        expected[y : y + cell * SIDE, x : x + cell * SIDE] = (0, 255, 0)
        np.testing.assert_array_equal(image, expected)


def test_two_squares_are_both_seen_and_mixed_where_they_meet():
    env = GridWorld({"hue": 0.0, "other_hue": 2 / 3}, squares=2)
    env.reset(seed=0)
    env.positions = np.array([[1, 2], [3, 5]])
    image = env.draw()
    assert image[2, 1].tolist() == [255, 0, 0]
    assert image[8, 6].tolist() == [0, 0, 255]
    assert image[5, 3].tolist() == image[5, 4].tolist() == [128, 0, 128]
    assert (image.sum(axis=2) > 0).sum() == 2 * SIDE**2 - 2


@pytest.mark.parametrize("squares", [1, 2])
def test_an_action_moves_one_square_by_one_cell_and_not_across_the_edge(squares):
    env = GridWorld(squares=squares)
    env.reset(seed=0)
    for cell in ((3, 3), (0, 0), (POSITIONS - 1, POSITIONS - 1)):
        for action in range(env.action_space.n):
            env.positions = np.array([cell] * squares)
            square, move = divmod(action, 4)
            expected = env.positions.copy()
            expected[square] = np.clip(np.add(cell, MOVES[move]), 0, POSITIONS - 1)
            state = env.step(action)[4]["state"]
            assert [state["x"], state["y"]] == expected[0].tolist()
            if squares == 2:
                assert [state["other_x"], state["other_y"]] == expected[1].tolist()


def test_the_episode_ends_in_the_middle_or_where_squares_meet_or_when_its_time_is_over():
    env = GridWorld(steps=3)
    env.reset(seed=0)
    env.positions = np.array([[5, 6]])
    _, reward, terminated, truncated, info = env.step(0)
    assert (reward, terminated, truncated, info["is_success"]) == (1.0, True, False, True)
    env.reset(seed=0)
    env.positions = np.array([[0, 0]])
    ends = [env.step(1)[1:4] for _ in range(3)]
    assert ends == [(0.0, False, False), (0.0, False, False), (0.0, False, True)]
    two = GridWorld(squares=2)
    two.reset(seed=0)
    two.positions = np.array([[0, 0], [0, 1]])
    assert two.step(4 + 3)[1:3] == (1.0, True)


def test_a_square_starts_anywhere():
    env = GridWorld()
    counts = np.zeros((POSITIONS, POSITIONS))
    for seed in range(2000):
        env.reset(seed=seed)
        counts[tuple(env.positions[0])] += 1
    expected = 2000 / POSITIONS**2
    assert ((counts - expected) ** 2 / expected).sum() < 229  # chi-squared, 168 degrees of freedom, p = 0.001


def test_one_state_is_shown_in_two_looks():
    task = tasks.get("grid-world")
    pairs = render_pairs(task.source, task.targets["green"], 6, seed=0)
    for source, target in zip(pairs.source, pairs.target, strict=True):
        np.testing.assert_array_equal(source[..., 0] > 0, target[..., 1] > 0)
        assert source[..., 0].max() == 255


@pytest.mark.parametrize(("task", "world", "size"), [("grid-world", GRID_WORLD, 2), ("two-squares", TWO_SQUARES, 4)])
def test_frames_and_ground_truth_have_the_positions_as_facts(task, world, size, tmp_path):
    frames = FrameSet.open(collect(CollectConfig(task=task, frames=30), tmp_path / "frames").folder)
    assert set(frames.contexts) == set(world.space)
    assert list(frames.state) == [fact.name for fact in world.facts]
    assert len(frames.state) == size
    red = frames[:][np.arange(30), frames.state["y"].astype(int), frames.state["x"].astype(int), 0]
    assert (red >= 127).all()
    env = make(tasks.get(task).source)
    _, info = env.reset(seed=0)
    assert state_size(info) == size
    assert (np.abs(state_vector(info, size)) <= 1).all()
    json.dumps({name: value for name, value in info["state"].items() if name != "vector"})


@pytest.mark.parametrize("wrong", [{"squares": 3}, {"resolution": 24}, {"steps": 0}, {"render_mode": "human"}], ids=str)
def test_what_it_cannot_be_is_refused(wrong):
    with pytest.raises(InputError):
        GridWorld(**wrong)
    with pytest.raises(InputError, match="unknown factor 'other_hue'"):
        GridWorld({"other_hue": 0.3})
