"""Policies on the ground truth: they train and play on the state behind the images, and on nothing else."""

import numpy as np
import pytest
from toy_training import SHORT, short

from darla.agents import Agent, make_vec, train_agent
from darla.agents.vec_env.state import StateVecEnv
from darla.common import InputError
from darla.envs import EnvDomain, make
from darla.envs.state_vector import state_vector
from darla.evaluation.rollout import VecEvaluator
from darla.evaluation.transfer_config import EvaluationProtocol

STEPS = 9


@pytest.fixture(scope="module")
def room():
    return EnvDomain("room", "darla/SeekAvoid-v0", ({"steps": STEPS},))


@pytest.fixture(scope="module")
def knowing(room, tmp_path_factory):
    config = short(env_steps=130, checkpoint_interval=64, observation="state", settings=SHORT["ppo"])
    return train_agent(config, room, None, tmp_path_factory.mktemp("knowing") / "agent", 0)


def test_states_are_those_of_the_environments_through_the_end_of_an_episode(room):
    vec, env = StateVecEnv(make_vec(room, 2, 5)), make_vec(room, 2, 5)
    vec.seed(7), env.seed(7)
    states = vec.reset()
    env.reset()
    state_infos = env.reset_infos
    for step in range(STEPS + 2):
        assert np.array_equal(states, [state_vector(info, vec.size) for info in state_infos])
        actions = np.array([step % 3, 2])
        states, _, dones, changed = vec.step(actions)
        *_, infos = env.step(actions)
        state_infos = env.reset_infos if dones.any() else infos
        assert dones.all() == (step == STEPS - 1)
        if dones.any():
            assert np.array_equal(changed[0]["terminal_observation"], state_vector(infos[0], vec.size))
    vec.close(), env.close()


def test_an_agent_acts_on_what_the_environment_tells_and_not_on_the_image(knowing, room):
    agent = Agent.load(knowing.folder)
    env = make(room)
    image, info = env.reset(seed=1)
    logits = [agent.act(shown[None], True, np.random.default_rng(0), [info]) for shown in (image, np.zeros_like(image))]
    assert np.array_equal(*logits)
    with pytest.raises(InputError, match="needs the infos"):
        agent.act(image[None], True, np.random.default_rng(0))
    env.close()


def test_an_agent_on_the_ground_truth_plays_whole_episodes(knowing, room):
    with VecEvaluator(room, 2) as evaluator:
        agent = Agent.load(knowing.folder)
        evaluator.check_compatible(agent)
        played = evaluator.evaluate(agent, EvaluationProtocol(3, 2))
    assert [episode.length for episode in played] == [STEPS] * 3


def test_the_artefact_says_what_the_policy_was_told(knowing):
    assert knowing.config["observation"] == "state"
    assert knowing.config["act"]["observation"] == "state"
    described = Agent.load(knowing.folder).description
    assert (described.observation, described.encoder, described.precision) == ("state", None, None)


def test_an_environment_without_ground_truth_is_refused(columns, tmp_path):
    with pytest.raises(InputError, match="does not give its ground truth"):
        train_agent(short(observation="state"), columns, None, tmp_path / "agent", 0)
    assert not (tmp_path / "agent").exists()


def test_an_encoder_would_be_ignored(columns, encoder_folder, tmp_path):
    with pytest.raises(InputError, match="the encoder would be ignored"):
        train_agent(short(observation="state"), columns, encoder_folder, tmp_path / "agent", 0)
