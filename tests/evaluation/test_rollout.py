"""Evaluation episodes: published seeds, each counted once, the same rows however they are played."""

from dataclasses import replace

import numpy as np
import pytest
from countdown import ENV_ID, Countdown, Reader

from darla.agents import PerEpisodeGenerators, RandomAgent
from darla.common import InputError, rng_for, seed_for
from darla.envs import SEEK_AVOID, Domain, EnvDomain, tasks
from darla.evaluation.episode_records import Episode
from darla.evaluation.rollout import VecEvaluator
from darla.evaluation.transfer_config import EvaluationProtocol

TOY = EnvDomain("toy", ENV_ID)
PLAN = EvaluationProtocol(episodes=13, n_envs=4)


def play(agent, plan=PLAN, domain=TOY, n_envs=None) -> list[Episode]:
    with VecEvaluator(domain, n_envs or plan.n_envs) as evaluator:
        return evaluator.evaluate(agent, plan)


def test_every_episode_is_reset_with_its_published_seed():
    Countdown.seeds.clear()
    played = play(RandomAgent(3))
    published = [seed_for(2017, "toy", number) for number in range(13)]
    assert [episode.seed for episode in played] == published == PLAN.seeds("toy")
    assert [episode.number for episode in played] == list(range(13))
    assert len(Countdown.seeds) == 13


def test_all_agents_meet_the_same_episodes():
    able, random = play(Reader()), play(RandomAgent(3))
    assert [e.seed for e in able] == [e.seed for e in random]
    assert [e.length for e in able] == [e.length for e in random]
    assert sum(e.return_ for e in able) > sum(e.return_ for e in random)


def test_other_domains_and_other_evaluation_seeds_have_other_episodes():
    seeds = {*PLAN.seeds("toy"), *PLAN.seeds("other"), *replace(PLAN, evaluation_seed=1).seeds("toy")}
    assert len(seeds) == 39


@pytest.mark.parametrize("n_envs", [1, 3, 8, 20])
def test_rows_do_not_depend_on_how_many_are_played_together(n_envs):
    assert play(Reader(0.5), n_envs=n_envs) == play(Reader(0.5))


def test_short_episodes_are_counted_no_more_often_than_long_ones():
    together = play(RandomAgent(3), EvaluationProtocol(episodes=64, n_envs=16))
    alone = [e.length for e in play(RandomAgent(3), EvaluationProtocol(episodes=64, n_envs=1))]
    assert [e.length for e in together] == alone
    assert len(set(alone)) == 10


def test_the_agent_sees_all_environments_in_one_batch_of_one_size():
    agent = Reader()
    played = play(agent)
    assert {size for size, _ in agent.calls} == {4}
    assert agent.resets == [4, 4, 4, 4]
    longest = [max(e.length for e in played[first : first + 4]) for first in range(0, 13, 4)]
    assert len(agent.calls) == sum(longest)


def test_actions_are_drawn_from_a_stream_of_the_episodes_own():
    alone = [play(Reader(0.3), replace(PLAN, n_envs=1))[number].return_ for number in range(13)]
    assert [e.return_ for e in play(Reader(0.3))] == alone
    assert [e.return_ for e in play(Reader(0.3), replace(PLAN, evaluation_seed=3))] != alone


@pytest.mark.parametrize("deterministic", [False, True])
def test_actions_are_sampled_or_deterministic_as_the_protocol_says(deterministic):
    agent = Reader()
    play(agent, replace(PLAN, deterministic=deterministic))
    assert {value for _, value in agent.calls} == {deterministic}


def test_a_stream_draws_each_row_from_its_episode():
    def streams():
        return PerEpisodeGenerators([rng_for(0, "a"), rng_for(0, "b")], rows=3)

    single = rng_for(0, "b").gumbel(size=5)
    np.testing.assert_array_equal(streams().gumbel(size=(3, 5))[1], single)
    assert streams().random(3)[0] == rng_for(0, "a").random()
    assert streams().integers(9, size=3, dtype=np.int64)[1] == rng_for(0, "b").integers(9)
    with pytest.raises(ValueError, match="as many rows"):
        streams().random(2)


def test_what_an_environment_does_not_say_is_not_made_up():
    for episode in play(Reader(0.5)):
        assert (episode.collected_good, episode.collected_bad) == (None, None)
        assert episode.success == ((episode.return_ + episode.length) / 2 >= 3)
    silent = EnvDomain("toy", ENV_ID, ({"says": None},))
    assert {episode.success for episode in play(Reader(), domain=silent)} == {None}


def test_a_time_limit_is_told_from_an_end():
    assert not any(episode.truncated for episode in play(Reader()))
    assert all(e.truncated for e in play(Reader(), domain=EnvDomain("toy", ENV_ID, ({"ends": "truncated"},))))


def test_an_episode_without_an_end_is_refused(monkeypatch):
    monkeypatch.setattr("darla.agents.episodes._MAX_STEPS", 30)
    with pytest.raises(InputError, match="time limit"):
        play(Reader(), domain=EnvDomain("toy", ENV_ID, ({"ends": "never"},)))


@pytest.mark.parametrize("change", [{"episodes": 0}, {"n_envs": 0}, {"evaluation_seed": -1}])
def test_plans_that_mean_nothing_are_refused(change):
    with pytest.raises(InputError, match=next(iter(change))):
        replace(PLAN, **change)


def test_seek_avoid_tells_what_was_collected():
    played = play(RandomAgent(3), EvaluationProtocol(episodes=4, n_envs=4), tasks.get("conjunction").source)
    for episode in played:
        assert episode.return_ == episode.collected_good - episode.collected_bad
        assert (episode.length, episode.truncated) == (150, True)
        assert episode.success == (episode.return_ >= 5)


def test_a_room_beside_another_does_not_change_its_episodes():
    plan = EvaluationProtocol(episodes=2, n_envs=2)
    green = Domain("room", ({"wall_hue": 0.33},), world=SEEK_AVOID)
    alone = play(RandomAgent(3), plan, green)
    red = Domain("other", ({"wall_hue": 0.0},), world=SEEK_AVOID)
    with VecEvaluator(red, 2) as other, VecEvaluator(green, 2) as evaluator:
        other.evaluate(RandomAgent(3), plan)
        assert evaluator.evaluate(RandomAgent(3), plan) == alone
