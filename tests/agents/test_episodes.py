"""The rollout loop: one episode for each seed, however many are run side by side and in however many processes."""

import functools
import operator

import numpy as np
import pytest
from toy_images import ENV_ID, SIZE

from darla.agents import PerEpisodeGenerators, RandomAgent, make_vec, rollout
from darla.common import InputError, rng_for
from darla.envs import EnvDomain, make

SEEDS = [11, 12, 13, 14, 15]


def run(domain, n_envs, workers=1, **options):
    envs = make_vec(domain, n_envs, workers=workers)
    try:
        return rollout(RandomAgent(3), envs, SEEDS, lambda numbers: own_generators(numbers, n_envs), **options)
    finally:
        envs.close()


def own_generators(numbers, rows):
    return PerEpisodeGenerators([rng_for(0, "actions", number) for number in numbers], rows)


@pytest.mark.parametrize(("n_envs", "workers"), [(1, 1), (2, 2), (8, 3)])
def test_an_episode_does_not_depend_on_what_runs_beside_it_or_where(columns, n_envs, workers):
    expected = run(columns, 3, record_images=True)
    episodes = run(columns, n_envs, workers, record_images=True)
    assert [episode.seed for episode in episodes] == SEEDS
    for one, other in zip(expected, episodes, strict=True):
        assert one.rewards == other.rewards
        assert (one.last_info["t"], one.truncated) == (other.last_info["t"], other.truncated)
        np.testing.assert_array_equal(one.images, other.images)


def test_recorded_images_are_those_before_each_step_and_the_last(columns):
    env = make(columns)
    for episode in run(columns, 2, record_images=True):
        assert len(episode.images) == episode.length + 1 == 13
        first, _ = env.reset(seed=episode.seed)
        np.testing.assert_array_equal(episode.images[0], first)
        for image in episode.images[1:]:
            np.testing.assert_array_equal(image, env.step(0)[0])


def test_images_are_kept_only_where_they_are_recorded(columns):
    assert all(episode.images == [] for episode in run(columns, 2))


def test_rewards_are_added_without_rounding():
    for episode in run(EnvDomain("fractions", ENV_ID, ({"size": SIZE, "reward": "0.3"},)), 4):
        assert set(episode.rewards) == {0.0, 0.3}
        # Not sum(), which compensates for rounding from Python 3.12 on.
        assert episode.total == functools.reduce(operator.add, episode.rewards)


def test_progress_counts_every_episode_once(columns):
    counts = []
    run(columns, 2, progress=counts.append)
    assert counts == [2, 2, 1]


def test_an_episode_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr("darla.agents.episodes._MAX_STEPS", 30)
    endless = EnvDomain("endless", ENV_ID, ({"size": SIZE, "ends": "never"},))
    with pytest.raises(InputError, match="seed 11 did not end within 30 steps"):
        run(endless, 2)
