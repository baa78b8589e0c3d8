"""The algorithms learn, from codes and from pixels, and say so in the learning curve and on TensorBoard."""

import csv

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from toy_images import ENV_ID, SIZE
from toy_training import short

from darla.agents import A2CSettings, ActConfig, Agent, DQNSettings, PPOSettings, RandomAgent, make_vec, train_agent
from darla.agents.training.snapshot_selection import returns_of
from darla.common import InputError, TrainingDivergedError
from darla.envs import EnvDomain

LEARNING = {
    "ppo": (2048, PPOSettings(n_envs=8, n_steps=32, batch_size=64, n_epochs=6, learning_rate=3e-3)),
    "a2c": (4096, A2CSettings(n_envs=8, n_steps=8, learning_rate=5e-3)),
    "dqn": (3000, DQNSettings(gradient_steps=4, learning_rate=2e-3, learning_starts=200, target_update_interval=200)),
}


def mean_return(agent, domain):
    return float(np.mean(returns_of(agent, make_vec(domain, 8), seeds=list(range(100, 116)), seed=0)))


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn"])
def test_policies_on_codes_learn_to_name_the_bright_column(algorithm, columns, encoder_folder, tmp_path):
    steps, settings = LEARNING[algorithm]
    config = ActConfig(algorithm, steps, settings, checkpoint_interval=1000, log_window=400)
    train_agent(config, columns, encoder_folder, tmp_path / "agent", seed=0)
    random = mean_return(RandomAgent(3), columns)
    learnt = mean_return(Agent.load(tmp_path / "agent"), columns)
    assert random < 6 < 9 < learnt <= 12


def test_policies_on_pixels_learn_it_too(columns, tmp_path):
    settings = PPOSettings(n_envs=8, n_steps=32, batch_size=64, net_arch=())
    config = ActConfig("ppo", 1500, settings, checkpoint_interval=1000)
    train_agent(config, columns, None, tmp_path / "agent", seed=0)
    assert mean_return(Agent.load(tmp_path / "agent"), columns) > 9


@pytest.fixture(scope="module")
def run(columns, encoder_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "agent"
    train_agent(short(env_steps=1000, log_window=300), columns, encoder_folder, folder, seed=1)
    return folder


def test_the_learning_curve_holds_the_training_episodes(run):
    with (run / "learning_curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = [int(row["env_steps"]) for row in rows]
    assert steps == sorted(set(steps))
    assert steps[-1] >= 1000
    assert all(float(row["mean_length"]) == 12 for row in rows)
    assert all(0 <= float(row["mean_return"]) <= 12 for row in rows)
    # Episodes that a new segment cuts short are not counted; at most one in each of four environments.
    episodes = sum(int(row["episodes"]) for row in rows)
    assert 1000 // 12 - 4 * 4 <= episodes <= steps[-1] // 12


def test_tensorboard_holds_the_numbers_of_sb3_under_their_own_names(run):
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {
        "rollout/ep_rew_mean",
        "rollout/ep_len_mean",
        "time/fps",
        "train/loss",
        "train/entropy_loss",
    } <= tags
    steps = [event.step for event in events.Scalars("rollout/ep_rew_mean")]
    assert steps == sorted(set(steps))


def test_snapshots_are_evenly_spaced_and_end_with_the_run(run):
    steps = Agent.load(run).description.snapshot_steps
    assert len(steps) == 3
    assert steps[-1] >= 1000
    assert np.ptp(np.diff([0, *steps])) <= 2 * 64


@pytest.mark.parametrize(
    ("reward", "sentence"),
    [("nan", "returned the reward nan"), ("1e39", "reward that is not finite")],  # the latter overflows float32
)
def test_a_reward_that_is_not_a_number_stops_training(reward, sentence, tmp_path):
    domain = EnvDomain("odd", ENV_ID, ({"size": SIZE, "reward": reward},))
    with pytest.raises(InputError, match=sentence):
        train_agent(short(), domain, None, tmp_path / "agent", seed=1)


def test_weights_that_are_not_numbers_stop_training(columns, encoder_folder, tmp_path):
    wild = PPOSettings(n_envs=4, n_steps=16, batch_size=32, learning_rate=1e30)
    with pytest.raises(TrainingDivergedError, match=r"training diverged .* learning rate"):
        train_agent(short(settings=wild), columns, encoder_folder, tmp_path / "agent", seed=1)
    assert not (tmp_path / "agent/card.json").exists()


def test_a_schedule_runs_over_the_whole_training_and_not_over_a_segment(columns, encoder_folder, tmp_path):
    settings = PPOSettings(n_envs=4, n_steps=16, batch_size=32, learning_rate=1e-3, anneal_lr=True)
    train_agent(short(settings=settings, env_steps=960), columns, encoder_folder, tmp_path / "agent", seed=1)
    events = EventAccumulator(str(tmp_path / "agent/tensorboard"))
    events.Reload()
    rates = [(event.step, event.value) for event in events.Scalars("train/learning_rate")]
    for step, rate in rates:
        assert rate == pytest.approx(1e-3 * (1 - (step - 64) / 960), abs=1e-3 * 64 / 960 + 1e-9)
    assert rates[-1][1] < 2e-4


@pytest.mark.gpu
@pytest.mark.parametrize("on_codes", [False, True])
def test_what_a_gpu_has_trained_acts_on_a_cpu(on_codes, columns, encoder_folder, images, tmp_path):
    encoder = encoder_folder if on_codes else None
    folder = train_agent(short(env_steps=300), columns, encoder, tmp_path / "agent", seed=1, device="cuda").folder
    agent = Agent.load(folder, encoder)
    agent.reset(len(images))
    assert agent.act(images, True, np.random.default_rng(0)).shape == (len(images),)
