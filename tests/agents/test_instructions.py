"""Policies that are told what to search for: what they observe, and that they learn from it."""

from pathlib import Path

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecEnv

from darla.agents.instructions.learn import learn_to_follow, load_follower
from darla.agents.instructions.searches import (
    EncodedSearches,
    EncodedSearchVecEnv,
    choose,
    draw_searches,
    play_searches,
)
from darla.agents.instructions.told import TOLD, Instructions, input_size, policy_input
from darla.common import InputError
from darla.envs.domains.value_codes import ANY, any_but
from darla.envs.image_data.rooms import Rooms
from darla.envs.room_search.domains import SOURCE
from darla.envs.room_search.search import ROOMS, YAWS
from darla.envs.worlds.room_search import ACTIONS
from darla.vision.concepts.space import matches, space_of

SPACE = space_of(Rooms())
WIDTH = 0.3


def exact_codes(factors: np.ndarray) -> np.ndarray:
    """Return codes of a perfect encoder: hues on circles, kinds one-hot, the camera."""
    turns = 2 * np.pi * factors[..., [0, 1, 2]] / 16
    kinds = 1.5 * (factors[..., 3, None] == np.arange(3))
    parts = [1.4 * np.cos(turns), 1.4 * np.sin(turns), kinds, (factors[..., 5, None] - 3.5) / 2]
    return np.concatenate(parts, axis=-1).astype(np.float32)


def instructions(concepts: np.ndarray) -> Instructions:
    """Return instructions with the posteriors that a perfect SCAN would have."""
    columns = {0: [0, 3], 1: [1, 4], 2: [2, 5], 3: [6, 7, 8]}
    codes = exact_codes(np.concatenate([np.where(concepts == ANY, 0, concepts), np.zeros((len(concepts), 2), int)], 1))
    mean, log_variance = np.zeros((2, *codes.shape), np.float32)
    for row, concept in enumerate(concepts):
        for attribute in np.flatnonzero(concept != ANY):
            mean[row, columns[attribute]] = codes[row, columns[attribute]]
            log_variance[row, columns[attribute]] = 2 * np.log(WIDTH)
    return Instructions(
        tuple(SPACE.text(each) for each in concepts), concepts, SPACE.symbols(concepts), mean, log_variance
    )


def searches(known: Instructions, count: int, seed: int) -> EncodedSearches:
    layouts, numbers = draw_searches(SOURCE, known, count, seed)
    each = np.repeat(layouts.rooms.reshape(-1, 5), YAWS, axis=0)
    factors = np.concatenate([each, np.tile(np.arange(YAWS), len(each) // YAWS)[:, None]], axis=1)
    return EncodedSearches(layouts, numbers, exact_codes(factors).reshape(count, ROOMS, YAWS, -1))


KINDS = instructions(np.array([[ANY, ANY, ANY, kind] for kind in range(3)]))


def test_a_concept_is_observed_as_distances_in_its_own_widths() -> None:
    codes = KINDS.mean + WIDTH * np.where(KINDS.log_variance < 0, 2.0, 0.0).astype(np.float32)
    observed = policy_input("concept", codes, KINDS, np.arange(3))
    distance, sharpness = observed[:, 10:20], observed[:, 20:]
    np.testing.assert_allclose(distance[KINDS.log_variance < 0], 2.0, rtol=1e-4)
    np.testing.assert_allclose(distance[KINDS.log_variance == 0], 0.0, atol=1e-6)
    np.testing.assert_allclose(sharpness, -0.5 * KINDS.log_variance, atol=1e-6)
    far = policy_input("concept", codes + 1000, KINDS, np.arange(3))
    assert far[:, 10:20].max() == 5.0


@pytest.mark.parametrize("told", TOLD)
def test_sizes_are_as_announced_and_only_nothing_is_blind_to_the_instruction(told: str) -> None:
    codes = np.tile(exact_codes(np.zeros((1, 6), int)), (3, 1))
    observed = policy_input(told, codes, KINDS, np.arange(3))
    assert observed.shape == (3, input_size(told, 10, SPACE.symbol_size))
    assert observed.dtype == np.float32
    assert (len(np.unique(observed, axis=0)) == 1) == (told == "nothing")


def test_what_is_excluded_is_told_as_minus_one_and_searched_for() -> None:
    without_key = instructions(np.array([[ANY, ANY, ANY, any_but(0)], [8, ANY, ANY, any_but(0)]]))
    codes = np.tile(exact_codes(np.zeros((1, 6), int)), (2, 1))
    told = policy_input("symbol", codes, without_key, np.arange(2))[:, codes.shape[1] :]
    assert (told == -1).sum(axis=1).tolist() == [1, 1]
    assert (told == 1).sum(axis=1).tolist() == [0, 1]
    assert (told[:, -3] == -1).all()
    bank = searches(without_key, 40, 0)
    right = matches(without_key.concepts[bank.numbers], bank.layouts.rooms.reshape(-1, 5)[:, :4])
    ours = right.reshape(40, 40, ROOMS)[np.arange(40), np.arange(40)]
    assert (ours.sum(axis=1) == 1).all()
    assert (ours.argmax(axis=1) == bank.layouts.goals).all()


def test_an_unknown_way_to_tell_is_refused_with_the_closest() -> None:
    with pytest.raises(InputError, match="did you mean 'symbol'"):
        input_size("symbols", 10, 51)


def test_the_vectorized_environment_keeps_to_the_rules_and_counts_episodes() -> None:
    bank = searches(KINDS, 30, 0)
    env: VecEnv = EncodedSearchVecEnv(bank, KINDS, "symbol", 6, seed=1)
    observed = env.reset()
    assert env.observation_space.contains(observed[0])
    ended = 0
    rng = np.random.default_rng(0)
    for _ in range(60):
        observed, rewards, dones, infos = env.step(rng.integers(len(ACTIONS), size=6))
        assert set(np.unique(rewards)) <= {0.0, 1.0}
        for done, reward, info in zip(dones, rewards, infos, strict=True):
            assert done == ("episode" in info)
            if done:
                ended += 1
                assert info["episode"]["r"] == reward  # it comes with the last step
                assert info["terminal_observation"].shape == observed.shape[1:]
    assert ended > 10
    # Layouts are not changed by what is played in them.
    np.testing.assert_array_equal(bank.layouts.rooms, searches(KINDS, 30, 0).layouts.rooms)


def test_instructions_are_asked_for_equally_often() -> None:
    assert np.ptp(np.bincount(draw_searches(SOURCE, KINDS, 31, 0)[1])) <= 1


def test_actions_are_drawn_as_often_as_the_policy_says(tmp_path: Path) -> None:
    import torch

    policy = learn_to_follow(searches(KINDS, 10, 0), KINDS, "nothing", 1, 0, tmp_path / "policy", "test")
    observed = np.repeat(policy_input("nothing", KINDS.mean[:1], KINDS, np.zeros(1, int)), 20_000, axis=0)
    drawn = np.bincount(choose(policy, observed, np.random.default_rng(0)), minlength=len(ACTIONS)) / len(observed)
    with torch.inference_mode():
        expected = policy.get_distribution(torch.from_numpy(observed[:1])).distribution.probs.numpy()[0]
    np.testing.assert_allclose(drawn, expected, atol=0.015)
    loaded = load_follower(tmp_path / "policy")
    for name, value in policy.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_training_leaves_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    learn_to_follow(searches(KINDS, 10, 0), KINDS, "concept", 1, 0, tmp_path / "policy", "test")
    assert not list((tmp_path / "temporary").glob("SB3*"))


def test_the_same_seed_gives_the_same_episodes(tmp_path: Path) -> None:
    bank = searches(KINDS, 20, 0)
    played = [
        play_searches(
            learn_to_follow(bank, KINDS, "concept", 1, 4, tmp_path / str(number), "test"), bank, KINDS, "concept", 7
        )
        for number in range(2)
    ]
    for first, second in zip(*played, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (played[0][1] <= 40).all()


@pytest.mark.slow
def test_a_policy_that_is_told_the_concept_learns_to_find_it_and_one_that_is_told_nothing_does_not(
    tmp_path: Path,
) -> None:
    bank, other = searches(KINDS, 400, 0), searches(KINDS, 400, 1)
    success = {}
    for told in ("concept", "nothing"):
        policy = learn_to_follow(bank, KINDS, told, 40_000, 0, tmp_path / told, told)
        success[told] = play_searches(policy, other, KINDS, told, 0)[0].mean()
    assert success["concept"] > 0.8
    assert 0.15 < success["nothing"] < 0.35
