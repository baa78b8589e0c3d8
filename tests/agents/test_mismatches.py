"""An agent, an encoder and an environment that do not fit are refused in one sentence."""

import numpy as np
import pytest
from gymnasium import spaces
from toy_images import ENV_ID
from toy_training import frames, short

from darla.agents import Agent, RandomAgent, train_agent
from darla.common import InputError
from darla.envs import EnvDomain


@pytest.fixture(scope="module")
def agent(columns, encoder_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents") / "agent"
    train_agent(short(env_steps=200, frame_stack=2), columns, encoder_folder, folder, seed=1)
    return Agent.load(folder, encoder_folder)


def image_space(size=48, channels=3):
    return spaces.Box(0, 255, (size, size, channels), np.uint8)


def test_an_agent_fits_the_environment_it_was_trained_in(agent):
    agent.check(image_space(), spaces.Discrete(3), "the source")


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (image_space(), spaces.Discrete(9), "3 discrete actions, but the target .* Discrete"),
        (image_space(), spaces.Box(-1, 1, (2,)), "3 discrete actions, but the target"),
        (image_space(64), spaces.Discrete(3), r"\(48, 48, 3\), but the target shows .*\(64, 64, 3\)"),
        (spaces.Box(0, 1, (48, 48, 3), np.float32), spaces.Discrete(3), "float32"),
        (spaces.Box(-1, 1, (4,)), spaces.Discrete(3), r"\(4,\)"),
        (spaces.Discrete(5), spaces.Discrete(3), "observations of shape"),
    ],
)
def test_another_environment_is_refused(agent, observations, actions, message):
    with pytest.raises(InputError, match=message):
        agent.check(observations, actions, "the target")


def test_images_of_another_kind_are_refused(agent):
    agent.reset(2)
    for wrong in (frames(2, 64), frames(2).astype(np.float32), frames(2)[0]):
        with pytest.raises(InputError, match="acts on uint8 images of shape"):
            agent.act(wrong, True, np.random.default_rng(0))


def test_a_frame_stack_needs_to_know_how_many_episodes_there_are(agent):
    agent.reset(2)
    with pytest.raises(InputError, match="reset"):
        agent.act(frames(3), True, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tpus", "unknown device 'tpus'"),
        ("meta", "unknown device 'meta'"),
        ("cuda", "PyTorch finds no GPU"),
        ("cuda:1", "PyTorch finds no GPU"),
    ],
)
def test_a_device_that_is_not_there_is_refused_and_nothing_is_written(device, message, columns, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match=message):
        train_agent(short(), columns, None, tmp_path / "agent", seed=1, device=device)
    assert not (tmp_path / "agent").exists()


def test_a_gpu_that_is_not_among_those_there_is_refused(columns, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(InputError, match="'cuda:1' was requested, but the GPUs of this machine are cuda:0"):
        train_agent(short(), columns, None, tmp_path / "agent", seed=1, device="cuda:1")
    with pytest.raises(InputError, match="'cuda:0' would be ignored: a policy on the state"):
        train_agent(short(observation="state"), columns, None, tmp_path / "agent", seed=1, device="cuda:0")


def test_an_encoder_of_another_resolution_is_refused_and_nothing_is_written(encoder_folder, tmp_path):
    larger = EnvDomain("larger", ENV_ID, ({"size": 64},))
    with pytest.raises(InputError, match=r"\(48, 48, 3\).*\(64, 64, 3\)"):
        train_agent(short(), larger, encoder_folder, tmp_path / "agent", seed=1)
    assert not (tmp_path / "agent").exists()


def test_images_too_small_for_a_policy_on_pixels_are_refused(tmp_path):
    small = EnvDomain("small", ENV_ID, ({"size": 24},))
    with pytest.raises(InputError, match="24x24 are too small"):
        train_agent(short(), small, None, tmp_path / "agent", seed=1)


def test_a_missing_or_other_artefact_is_no_encoder(columns, encoder_folder, tmp_path):
    with pytest.raises(InputError, match="no artefact"):
        train_agent(short(), columns, tmp_path / "nothing", tmp_path / "agent", seed=1)
    train_agent(short(env_steps=200), columns, None, tmp_path / "pixels", seed=1)
    with pytest.raises(InputError, match="an 'encoder' artefact is needed"):
        train_agent(short(), columns, tmp_path / "pixels", tmp_path / "agent", seed=1)
    with pytest.raises(InputError, match="would be ignored"):
        Agent.load(tmp_path / "pixels", encoder_folder)


def test_the_random_agent_has_the_same_face_and_its_own_stream():
    agent = RandomAgent(3)
    agent.reset(2000)
    actions = agent.act(np.zeros((2000, 48, 48, 3), np.uint8), False, np.random.default_rng(0))
    again = agent.act(np.zeros((2000, 48, 48, 3), np.uint8), False, np.random.default_rng(0))
    np.testing.assert_array_equal(actions, again)
    assert actions.dtype == np.int64
    np.testing.assert_allclose(np.bincount(actions) / 2000, 1 / 3, atol=0.05)


def test_sampled_actions_follow_the_policy_and_its_stream_alone(agent):
    agent.reset(400)
    shown = np.repeat(frames(1), 400, axis=0)
    np.random.seed(0)
    first = agent.act(shown, False, np.random.default_rng(5))
    agent.reset(400)
    np.random.seed(1)
    np.testing.assert_array_equal(agent.act(shown, False, np.random.default_rng(5)), first)
    assert len(set(first)) == 3
    agent.reset(400)
    assert len(set(agent.act(shown, True, np.random.default_rng(5)))) == 1
