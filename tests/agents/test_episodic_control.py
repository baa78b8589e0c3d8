"""Episodic control learns, enters the returns it should, and does so again."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.evaluation import evaluate_policy
from toy_images import ENV_ID
from toy_training import SHORT, short

from darla.agents import ActConfig, Agent, MFECSettings, RandomAgent, make_vec, train_agent
from darla.agents.algorithms.build import build
from darla.agents.algorithms.episodic_control.algorithm import EpisodicControl, OngoingEpisode
from darla.agents.algorithms.episodic_control.policy import RandomProjection
from darla.agents.policy_io import PolicyDescription
from darla.agents.training.snapshot_selection import returns_of
from darla.common import InputError
from darla.envs import EnvDomain


class Walk(gymnasium.Env):
    """Five places in a row; action 1 goes right, 0 stays. A step that ends in the last place earns 1."""

    observation_space = spaces.Box(-10, 10, (1,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, length=6, ends="truncated", first=0):
        self.length, self.ends, self.first = length, ends, first

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time = self.first, 0
        return np.array([self.place], np.float32), {}

    def step(self, action):
        self.place, self.time = min(self.place + int(action), 4), self.time + 1
        over = self.time == self.length
        reward = float(self.place == 4)
        observed = np.array([self.place], np.float32)
        return observed, reward, over and self.ends == "terminated", over and self.ends == "truncated", {}


def walker(env, **changes):
    settings = {"gamma": 0.5, "policy_kwargs": {"capacity": 50, "neighbors": 1}, "seed": 0, "device": "cpu"}
    return EpisodicControl("MlpPolicy", env, **{**settings, **changes})


def test_returns_are_discounted_from_the_end_and_begin_with_what_follows():
    assert OngoingEpisode(rewards=[1.0, 0.0, 2.0]).returns(0.5) == [1.5, 1.0, 2.0]
    assert OngoingEpisode(rewards=[1.0, 0.0], final_value=4.0).returns(0.5) == [2.0, 2.0]


@pytest.mark.parametrize(
    ("ends", "bootstrap", "rest"), [("terminated", True, 0.0), ("truncated", False, 0.0), ("truncated", True, 1.0)]
)
def test_only_a_time_limit_is_not_the_end_and_only_if_asked(ends, bootstrap, rest):
    model = walker(Walk(length=1, ends=ends, first=4), exploration_initial_eps=0.0, bootstrap=bootstrap)
    for _ in range(20):  # a step of reward 1 in the last place; with what follows, 1 + 1/2 + 1/4 + ...
        model.learn(1, reset_num_timesteps=False)
    worth = float(model.policy.memory(torch.tensor([[4.0]])).max())
    assert worth == pytest.approx(1.0 + rest, abs=1e-4)


def test_the_walk_is_learnt_from_chance_alone():
    model = walker(Walk(), exploration_fraction=0.5, exploration_final_eps=0.0, bootstrap=False)
    model.learn(600)
    # Right at once: 1 for each of the steps 4 to 6.
    assert evaluate_policy(model, Walk(), n_eval_episodes=1)[0] == 3.0
    values = model.policy.memory(torch.tensor([[0.0]]))[0]
    assert float(values[1]) == pytest.approx(0.5**3 + 0.5**4 + 0.5**5)


def test_cart_pole_is_learnt():
    model = EpisodicControl(
        "MlpPolicy",
        "CartPole-v1",
        gamma=0.99,
        exploration_fraction=0.3,
        policy_kwargs={"capacity": 5000, "neighbors": 11},
        seed=0,
        device="cpu",
    )
    untrained = evaluate_policy(model, gymnasium.make("CartPole-v1"), n_eval_episodes=10)[0]
    model.learn(6000)
    trained = evaluate_policy(model, gymnasium.make("CartPole-v1"), n_eval_episodes=10)[0]
    assert untrained < 30 < 80 < trained


@pytest.mark.parametrize("on_latents", [True, False], ids=["codes", "pixels"])
def test_it_learns_to_name_the_bright_column(on_latents, columns, encoder_folder, tmp_path):
    settings = MFECSettings(gamma=0.5, neighbors=11, capacity=2000, projection=None if on_latents else 64)
    config = ActConfig("mfec", 1500, settings, checkpoint_interval=500)
    train_agent(config, columns, encoder_folder if on_latents else None, tmp_path / "agent", seed=0)
    agent = Agent.load(tmp_path / "agent")
    random, learnt = (
        float(np.mean(returns_of(actor, make_vec(columns, 8), seeds=list(range(16)), seed=0)))
        for actor in (RandomAgent(3), agent)
    )
    assert random < 6 < 10 < learnt


def test_the_same_seed_gives_the_same_table_and_another_seed_another_projection(columns):
    def trained(seed):
        model = build("mfec", SHORT["mfec"], make_vec(columns, 4, seed=1), seed)
        return model.learn(300).policy.state_dict()

    first, again, other = trained(0), trained(0), trained(1)
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["features_extractor.matrix"], other["features_extractor.matrix"])
    assert float(first["features_extractor.matrix"].std()) == pytest.approx(SHORT["mfec"].projection ** -0.5, rel=0.05)


def test_an_image_has_the_same_state_alone_and_among_others():
    space = spaces.Box(0.0, 1.0, (3, 64, 64), np.float32)
    projection = RandomProjection(space, 64)
    projection.draw(torch.Generator().manual_seed(0))
    images = torch.rand(96, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    together = projection(images)
    assert together.dtype == torch.float32
    for count in (1, 2, 3, 8, 17):
        assert torch.equal(torch.cat([projection(part) for part in images.split(count)]), together), count
    loaded = RandomProjection(space, 64)
    loaded.load_state_dict(projection.state_dict())
    assert torch.equal(loaded(images), together)


def test_episodes_enter_the_table_alike_from_one_environment_and_from_several():
    def table(n_envs):
        domain = EnvDomain("columns", ENV_ID)
        model = build("mfec", MFECSettings(n_envs=n_envs, projection=8), make_vec(domain, n_envs, seed=5), seed=0)
        env = model.env
        env.seed(5)
        model._last_obs, model._last_episode_starts = env.reset(), np.ones(n_envs, bool)
        for step in range(12):  # one episode each, which actions given in advance
            actions = np.full(n_envs, step % 3)
            seen, rewards, dones, infos = env.step(actions)
            model._store_transition(None, actions, seen, rewards, dones, infos)
        model._logger = _Silent()
        model.train(1)
        return model.policy.memory

    one, several = table(1), table(3)
    assert sum(one.sizes) == 12
    assert sum(several.sizes) == 36
    for action in range(3):
        states = one.keys[action, : one.sizes[action]]
        torch.testing.assert_close(several(states)[:, action], one.values[action, : one.sizes[action]])


class _Silent:
    def record(self, *args, **kwargs):
        pass


def test_a_batch_is_decided_as_its_parts_are(columns):
    model = build("mfec", SHORT["mfec"], make_vec(columns, 4, seed=0), seed=0)
    model.learn(400)
    seen = np.concatenate([model.env.reset(), model.env.step(np.zeros(4, int))[0]])
    together, _ = model.predict(seen, deterministic=True)
    np.testing.assert_array_equal(together, [model.predict(one, deterministic=True)[0] for one in seen])


def test_exploration_is_random_in_each_environment_by_itself_and_ends_where_it_should(columns):
    model = build("mfec", SHORT["mfec"], make_vec(columns, 4, seed=0), seed=0)
    model.learn(400)
    assert model.exploration_rate == SHORT["mfec"].exploration_final_eps
    seen = np.repeat(model.env.reset()[:1], 4000, axis=0)
    greedy = model.predict(seen[:1], deterministic=True)[0][0]
    model.exploration_rate = 0.3
    share = float(np.mean(model.predict(seen)[0] != greedy))
    assert share == pytest.approx(0.3 * 2 / 3, abs=0.03)


def test_an_agent_told_to_act_stochastically_explores_at_the_rate_that_training_ended_with(columns, tmp_path):
    settings = MFECSettings(n_envs=4, neighbors=3, capacity=300, projection=8, exploration_final_eps=0.3)
    train_agent(short("mfec", settings=settings), columns, None, tmp_path / "agent", seed=0)
    agent = Agent.load(tmp_path / "agent")
    agent.reset(1)
    image = make_vec(columns, 1, seed=0).reset()
    rng = np.random.default_rng(0)
    greedy = agent.act(image, True, rng)[0]
    drawn = agent.act(np.repeat(image, 3000, axis=0), False, rng)
    assert float(np.mean(drawn != greedy)) == pytest.approx(0.3 * 2 / 3, abs=0.03)


def test_an_abandoned_episode_is_not_entered():
    model = walker(Walk(length=6))
    model.learn(4)
    model.learn(6)  # resets the environment, and with it the episode
    assert model._n_updates == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"neighbors": 50, "capacity": 20}, "capacity 20 must hold its 50 neighbors"),
        ({"gamma": 1.5}, "gamma must be between 0 and 1"),
        ({"exploration_final_eps": -0.1}, "exploration_final_eps must be between 0 and 1"),
        ({"projection": 0}, "projection must be positive"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        MFECSettings(**changes)


def test_what_episodic_control_would_ignore_or_cannot_hold_is_refused(columns, tmp_path):
    with pytest.raises(InputError, match="fine_tune would be ignored"):
        ActConfig("mfec", fine_tune=True)
    with pytest.raises(InputError, match="needs a projection"):
        train_agent(short("mfec", settings=MFECSettings()), columns, None, tmp_path / "agent", seed=0)
    assert not (tmp_path / "agent").exists()


@pytest.mark.parametrize(
    ("algorithm", "architecture", "message"),
    [
        ("dqn", {"capacity": 10, "neighbors": 2, "projection": None}, "'dqn' has the fields net_arch, not capacity"),
        ("mfec", {"net_arch": []}, "'mfec' has the fields capacity, neighbors, projection, not net_arch"),
        ("mfec", {}, "not none"),
        ("mfec", {"capacity": 10, "neighbors": 20, "projection": None}, "at least its 20 neighbors"),
        ("mfec", {"capacity": 1 << 40, "neighbors": 2, "projection": None}, "at most 1073741824 numbers"),
        ("mfec", {"capacity": 10, "neighbors": 2, "projection": 1 << 17}, "whole numbers"),
        ("mfec", {"capacity": 10.0, "neighbors": 2, "projection": None}, "whole numbers"),
        ("mfec", {"capacity": 10, "neighbors": 2}, "projection"),
        ("mfec", [10, 2, None], "architecture must be a JSON object"),
    ],
)
def test_a_description_with_an_architecture_of_another_algorithm_is_refused(algorithm, architecture, message):
    record = {
        "algorithm": algorithm,
        "observation": "latents",
        "architecture": architecture,
        "image_shape": [48, 48, 3],
        "n_actions": 3,
        "frame_stack": 1,
        "latent_dim": 6,
        "encoder": None,
        "precision": "float32",
        "exploration": 0.1,
        "env_steps": 1,
        "snapshot_steps": [1],
        "vision": None,
    }
    with pytest.raises(InputError, match=message):
        PolicyDescription.from_dict(record)
