"""A network of one's own as the encoder of an agent: from frames to scores, drift and report, like ours."""

import sys

import pytest
from short_rooms import hasty_agent, short_task

import darla
from darla.agents import ActConfig, Agent, PPOSettings
from darla.analysis.latent_drift import latent_drift
from darla.common import ArtefactError
from darla.envs.frames.collect import CollectConfig, collect
from darla.evaluation.episode_records import read_episodes
from darla.vision import frozen
from darla.zero_shot import TransferConfig

CONFIG = TransferConfig(episodes=2, n_envs=2, snapshot_eval_episodes=0, strip_frames=2, resamples=50)
NETS = """
from torch import nn


def pooled() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "my_frozen_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_frozen_nets", raising=False)
    return tmp_path


def test_a_network_of_ones_own_sees_for_an_agent_from_frames_to_report(own_module, monkeypatch):
    frames = collect(CollectConfig(frames=40, sampling="random_policy"), "frames", domain=short_task().unlabeled)
    encoder = darla.see(frames, "encoder", "my_frozen_nets:pooled")
    agent = hasty_agent(own_module / "agent", 0, encoder=encoder)
    loaded = Agent.load(agent)
    assert (loaded.encoder.precision, loaded.encoder.latent_dim) == ("float32", 16)
    scores = darla.transfer(short_task(), [("own network", agent)], "transfer", CONFIG, workers=2)
    played = [row for row in read_episodes(scores.folder / "episodes.csv") if row.method == "own network"]
    assert {row.domain for row in played} == {"source", "validation", "shown", "new"}
    drifts = latent_drift(encoder, "new_room", states=4)
    assert all(drift.relative > 0 for drift in drifts.values())
    page = darla.report("transfer", "report")
    assert "frozen network my_frozen_nets:pooled" in (page.folder / "report.html").read_text()
    # The policy's encoder is loaded wherever the agent is, and there it is noticed that it has changed.
    (own_module / "my_frozen_nets.py").write_text(NETS.replace("ReLU", "Tanh"))
    monkeypatch.delitem(sys.modules, "my_frozen_nets")
    with pytest.raises(ArtefactError, match="is not the network that it was made with"):
        Agent.load(agent)


def test_it_is_fine_tuned_as_ours_are(own_module):
    frames = collect(CollectConfig(frames=40, sampling="random_policy"), "frames", domain=short_task().unlabeled)
    encoder = darla.see(frames, "encoder", frozen("my_frozen_nets:pooled"))
    settings = PPOSettings(n_envs=2, n_steps=32, batch_size=32, n_epochs=1)
    config = ActConfig(env_steps=64, settings=settings, snapshots=1, fine_tune=True)
    agent = Agent.load(darla.act(short_task(), "agent", config, encoder=encoder))
    assert agent.encoder is None
    assert agent.description.vision["vae"]["source"] == "my_frozen_nets:pooled"
