"""Algorithms of sb3-contrib, SAC on continuous actions, and SB3 classes of one's own, from training to transfer."""

import json
import pickle
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from toy_images import ENV_ID, SIZE, Columns
from toy_training import frames

import darla
from darla.agents import ALGORITHMS, ActConfig, Agent, FrozenEncoder, PPOSettings, RandomAgent, make_vec, rollout
from darla.cli.main import main
from darla.common import InputError, rng_for
from darla.envs import EnvDomain
from darla.envs.domains.tasks import environment_task
from darla.zero_shot import TransferConfig

contrib = pytest.mark.skipif(find_spec("sb3_contrib") is None, reason="sb3-contrib is not installed (extra contrib)")
OWN = '''
from stable_baselines3 import DDPG, PPO


class MyPPO(PPO):
    """PPO with an argument more."""

    def __init__(self, *args, bonus: float = 1, **kwargs):
        super().__init__(*args, **kwargs)
        self.bonus = bonus


class Picky(PPO):
    def __init__(self, *args, limit: int = 3, **kwargs):
        raise ValueError(f"limit is {limit}")


class MyDDPG(DDPG):
    pass


class Other:
    pass
'''
ON_POLICY = {"n_envs": 4, "n_steps": 16, "batch_size": 32}
OFF_POLICY = {"n_envs": 4, "gradient_steps": 1, "learning_starts": 50, "batch_size": 16, "buffer_size": 400}
CASES = [
    pytest.param("qrdqn", "discrete", OFF_POLICY, marks=contrib),
    pytest.param("trpo", "discrete", ON_POLICY, marks=contrib),
    pytest.param("recurrent_ppo", "discrete", ON_POLICY, marks=contrib),
    pytest.param("recurrent_ppo", "continuous", ON_POLICY, marks=contrib),
    pytest.param("ppo", "continuous", ON_POLICY),
    pytest.param("sac", "continuous", OFF_POLICY),
    pytest.param("my_algorithms:MyPPO", "discrete", ON_POLICY),
    pytest.param("my_algorithms:MyDDPG", "continuous", OFF_POLICY),
]


@pytest.fixture(autouse=True)
def own_module(tmp_path_factory, monkeypatch):
    """A folder with a module of algorithms, in which commands are given."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_algorithms.py").write_text(OWN)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return folder


def task(kind="discrete"):
    def domain(name, **options):
        return EnvDomain(name, ENV_ID, ({"size": SIZE, "continuous": kind == "continuous", **options},))

    return environment_task("columns", domain("unlabeled"), domain("source"), {"brief": domain("brief", length=5)})


def config(name, changes, **more):
    settings = replace(ALGORITHMS[name].preset("latents"), **changes)
    return ActConfig(name, settings=settings, **{"env_steps": 400, "checkpoint_interval": 150, "snapshots": 2, **more})


@pytest.mark.parametrize(("name", "kind", "changes"), CASES)
def test_it_trains_resumes_loads_acts_as_sb3_does_and_transfers(name, kind, changes, encoder_folder, tmp_path):
    whole = darla.act(task(kind), tmp_path / "whole", config(name, changes), encoder=encoder_folder)
    Columns.steps_left = 330
    try:
        with pytest.raises(KeyboardInterrupt):
            darla.act(task(kind), tmp_path / "stopped", config(name, changes), encoder=encoder_folder)
    finally:
        Columns.steps_left = float("inf")
    resumed = darla.act(task(kind), tmp_path / "stopped", config(name, changes), encoder=encoder_folder)
    assert resumed.digest == whole.digest
    check_against_sb3(Agent.load(whole), kind)
    evaluation = TransferConfig(episodes=3, n_envs=2, snapshot_eval_episodes=2, strip_frames=2)
    scores = darla.transfer(task(kind), [whole], tmp_path / "transfer", evaluation)
    rows = (scores.folder / "episodes.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 3 * 3  # the agent and the random agent; source, validation and target
    assert len(list((scores.folder / "strips").iterdir())) == 1


def check_against_sb3(agent, kind):
    """Compare a loaded agent with the predictions of its policy, which are SB3's or sb3-contrib's own code."""
    envs = make_vec(task(kind).source, 3, seed=3)
    images = envs.reset()
    agent.reset(3)
    state, begins = None, np.ones(3, dtype=bool)
    assert isinstance(agent.encoder, FrozenEncoder)
    for step in range(16):  # episodes have 12 steps
        expected, state = agent.policy.predict(agent.encoder.encode(images), state, begins, deterministic=True)
        actions = agent.act(images, True, np.random.default_rng(step))
        np.testing.assert_allclose(actions, expected, atol=1e-6)
        assert actions.dtype == (np.int64 if kind == "discrete" else np.float32)
        images, _, begins, _ = envs.step(actions)
        agent.restart([int(row) for row in np.flatnonzero(begins)])


@contrib
def test_what_a_recurrent_policy_does_depends_on_what_it_has_seen(encoder_folder, tmp_path):
    folder = darla.act(task(), tmp_path / "agent", config("recurrent_ppo", ON_POLICY), encoder=encoder_folder).folder
    agent = Agent.load(folder)
    shown = frames(4)
    with pytest.raises(InputError, match=r"needs reset\(n\)"):
        agent.act(shown, True, np.random.default_rng(0))

    def hidden(*steps):
        agent.reset(4)
        for images in steps:
            agent.act(images, True, np.random.default_rng(0))
        return agent._memory.hidden.clone()

    remembered, fresh = hidden(shown, shown[::-1], shown), hidden(shown)
    assert not np.allclose(remembered, fresh)
    agent.reset(4)
    agent.act(shown[::-1], True, np.random.default_rng(0))
    agent.restart([1, 3])
    agent.act(shown, True, np.random.default_rng(0))
    # Rows that were restarted are as if they had seen one image; the others are not.
    np.testing.assert_allclose(agent._memory.hidden[:, [1, 3]], fresh[:, [1, 3]], atol=1e-6)
    assert not np.allclose(agent._memory.hidden[:, [0, 2]], fresh[:, [0, 2]])


def test_continuous_actions_are_drawn_within_their_bounds_and_from_their_own_stream(tmp_path, encoder_folder):
    folder = darla.act(task("continuous"), tmp_path / "agent", config("sac", OFF_POLICY), encoder=encoder_folder).folder
    agent = Agent.load(folder)
    envs = make_vec(task("continuous").source, 4)

    def episodes(actor):
        return rollout(actor, envs, list(range(4)), lambda numbers: rng_for(0, numbers.start))

    for actor in (agent, RandomAgent(envs.action_space)):
        assert [episode.rewards for episode in episodes(actor)] == [episode.rewards for episode in episodes(actor)]
        actor.reset(500)
        actions = actor.act(np.repeat(frames(1), 500, axis=0), False, np.random.default_rng(0))
        assert actions.shape == (500, 2)
        assert np.abs(actions).max() <= 1
        assert actions.std(axis=0).min() > 0.2
    text = (folder / "policy.json").read_text()
    assert json.loads(text)["action_bounds"] == [[-1.0, -1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("dqn", "continuous", "cannot choose from continuous actions of 2 numbers; algorithms that can: 'a2c', 'ppo'"),
        ("sac", "discrete", "cannot choose from 3 discrete actions; algorithms that can: 'a2c', 'dqn', 'mfec', 'ppo'"),
    ],
)
def test_an_algorithm_that_cannot_take_the_actions_is_refused_with_those_that_can(name, kind, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        darla.act(task(kind), tmp_path / "agent", ActConfig(name))
    assert not (tmp_path / "agent").exists()


def test_an_agent_of_other_bounds_is_refused(tmp_path):
    folder = darla.act(task("continuous"), tmp_path / "agent", config("ppo", ON_POLICY, env_steps=64)).folder
    agent = Agent.load(folder)
    wide = replace(agent.description, action_bounds=((-2.0, -1.0), (2.0, 1.0)))
    space = make_vec(task("continuous").source, 1)
    agent.check(space.observation_space, space.action_space, "the source")
    with pytest.raises(InputError, match="chooses from continuous actions of 2 numbers, but the source"):
        Agent(wide, agent.policy).check(space.observation_space, space.action_space, "the source")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("my_algorithms:MyPP", "did you mean 'MyPPO'?"),
        ("my_algorithms:Other", "must be a class derived from OnPolicyAlgorithm or OffPolicyAlgorithm"),
        ("my_algorithm:MyPPO", "there is no module 'my_algorithm'"),
    ],
)
def test_a_path_that_names_no_algorithm_is_refused(name, sentence):
    with pytest.raises(InputError, match=sentence):
        ActConfig(name)


def test_a_class_that_refuses_its_arguments_is_named(tmp_path):
    with pytest.raises(InputError, match=r"'my_algorithms:Picky' cannot be built .*ValueError.*limit is 3"):
        darla.act(task(), tmp_path / "agent", ActConfig("my_algorithms:Picky"))
    assert not (tmp_path / "agent").exists()


def test_settings_of_an_imported_class_are_its_arguments_and_travel_to_other_processes():
    settings = ALGORITHMS["my_algorithms:MyPPO"].settings(bonus=2, n_steps=8)
    assert (settings.bonus, settings.gamma, settings.clip_range) == (2.0, 0.99, 0.2)
    assert settings.rollout_steps == 64
    assert pickle.loads(pickle.dumps(settings)) == settings
    with pytest.raises(InputError, match="gamma is 'high', but must be a number"):
        ALGORITHMS["my_algorithms:MyPPO"].settings(gamma="high")
    with pytest.raises(InputError, match="takes MyPPOSettings, not PPOSettings"):
        ActConfig("my_algorithms:MyPPO", settings=PPOSettings())


def test_the_command_line_trains_a_class_of_ones_own(own_module, capsys):
    domains = {"env_id": ENV_ID, "variants": [{"size": SIZE}]}
    described = {"name": "columns", "unlabeled": domains, "source": domains, "targets": {"same": domains}}
    (own_module / "columns.json").write_text(json.dumps(described))
    options = "--env-steps 100 --settings.n-steps 16 --settings.n-envs 4 --settings.bonus 3 --settings.batch-size 32"
    words = ["act", "columns.json", "--algorithm", "my_algorithms:MyPPO", *options.split(), "--out", "agent"]
    assert main(words) == 0, capsys.readouterr().err
    record = json.loads((own_module / "agent/config.json").read_text())["config"]["act"]
    assert record["algorithm"] == "my_algorithms:MyPPO"
    assert record["settings"]["bonus"] == 3.0


def test_the_command_line_trains_sac_where_actions_are_continuous(own_module, capsys):
    domains = {"env_id": ENV_ID, "variants": [{"size": SIZE, "continuous": True}]}
    described = {"name": "columns", "unlabeled": domains, "source": domains, "targets": {"same": domains}}
    (own_module / "columns.json").write_text(json.dumps(described))
    options = "--env-steps 100 --settings.n-envs 4 --settings.learning-starts 50 --settings.batch-size 16 --snapshots 1"
    words = ["act", "columns.json", "--algorithm", "sac", *options.split(), "--settings.buffer-size", "400"]
    assert main([*words, "--out", "agent"]) == 0, capsys.readouterr().err
    assert Agent.load("agent").description.action_bounds is not None


@pytest.mark.skipif(find_spec("sb3_contrib") is not None, reason="sb3-contrib is installed")
def test_what_is_missing_for_contrib_is_named(tmp_path):
    with pytest.raises(InputError, match=r"QRDQN needs the package sb3_contrib; install it with: pip install 'darla"):
        darla.act(task(), tmp_path / "agent", ActConfig("qrdqn"))
