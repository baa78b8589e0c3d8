"""A task that needs memory is solved with an LSTM, in training and wherever the agent is evaluated, and not without."""

from importlib.util import find_spec

import numpy as np
import pytest
import toy_cue
from torch import nn

import darla
from darla.agents import ALGORITHMS, ActConfig, PPOSettings
from darla.envs import EnvDomain
from darla.envs.domains.tasks import environment_task
from darla.envs.frames.collect import CollectConfig, collect
from darla.evaluation.episode_records import read_episodes
from darla.vision import frozen
from darla.zero_shot import TransferConfig


@pytest.mark.slow
@pytest.mark.skipif(find_spec("sb3_contrib") is None, reason="sb3-contrib is not installed (extra contrib)")
def test_what_the_first_image_said_is_remembered_to_the_last(tmp_path):
    domain = EnvDomain("cue", toy_cue.ENV_ID)
    task = environment_task(
        "cue", domain, domain, {"darker": EnvDomain("darker", toy_cue.ENV_ID, ({"brightness": 220},))}
    )
    frames = collect(CollectConfig(frames=64, sampling="random_policy"), tmp_path / "frames", domain=domain)
    halves = nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten())
    encoder = darla.see(frames.folder, tmp_path / "encoder", frozen(halves))
    common = {"n_envs": 8, "n_steps": 64, "batch_size": 128, "n_epochs": 8, "learning_rate": 3e-3, "net_arch": (16,)}
    settings = {
        "recurrent_ppo": ALGORITHMS["recurrent_ppo"].settings(lstm_hidden_size=16, **common),
        "ppo": PPOSettings(**common),
    }
    agents = [
        (name, darla.act(task, tmp_path / name, ActConfig(name, 6_000, chosen, snapshots=1), encoder=encoder))
        for name, chosen in settings.items()
    ]
    config = TransferConfig(episodes=100, n_envs=10, deterministic=True, snapshot_eval_episodes=0, strip_frames=0)
    scores = darla.transfer(task, agents, tmp_path / "transfer", config)
    rows = read_episodes(scores.folder / "episodes.csv")
    mean = {name: np.mean([row.episode.return_ for row in rows if row.method == name]) for name in settings}
    assert mean["recurrent_ppo"] > 0.95
    assert mean["ppo"] < 0.65
