"""The whole second stage in SeekAvoid itself, with the small room and its renderer."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from toy_training import short, write_encoder

from darla.agents import Agent, make_vec, train_agent
from darla.common import is_complete
from darla.envs.domains import tasks

PROGRAM = """
import sys
from toy_training import short
from darla.agents import train_agent
from darla.envs.domains import tasks

encoder, out = sys.argv[1:]
train_agent(short("ppo", env_steps=1500), tasks.get("conjunction").source, encoder, out, seed=4)
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoders") / "rooms", seed=0, size=64)


def test_an_agent_trained_in_the_source_acts_in_a_target(encoder, tmp_path):
    task = tasks.get("conjunction")
    train_agent(short(env_steps=256), task.source, encoder, tmp_path / "agent", seed=1)
    agent = Agent.load(tmp_path / "agent")
    (target,) = task.targets.values()
    env = make_vec(target, 2, seed=0)
    try:
        agent.check(env.observation_space, env.action_space, "the target")
        images = env.reset()
        agent.reset(2)
        for _ in range(5):
            actions = agent.act(images, False, np.random.default_rng(0))
            images, _, _, infos = env.step(actions)
        assert {"context", "state"} <= infos[0].keys()
    finally:
        env.close()


def test_workers_draw_the_same_rooms(encoder, tmp_path):
    source = tasks.get("conjunction").source
    config = short(env_steps=200)
    alone = train_agent(config, source, encoder, tmp_path / "alone", seed=1)
    shared = train_agent(config, source, encoder, tmp_path / "shared", seed=1, workers=2)
    assert alone.digest == shared.digest


@pytest.mark.slow
def test_a_training_killed_at_random_moments_resumes_to_the_same_bytes(encoder, tmp_path):
    here = str(Path(__file__).parent)
    paths = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    out = tmp_path / "killed"
    rng = random.Random(0)
    kills = 0
    while not is_complete(out):
        seen = _stamp(out)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(encoder), str(out)],
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.DEVNULL,
        )
        # Wait for the training itself, not for its imports, then strike somewhere in the segment that follows.
        while process.poll() is None and _stamp(out) == seen:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.0, 0.5))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 2
    source = tasks.get("conjunction").source
    whole = train_agent(short("ppo", env_steps=1500), source, encoder, tmp_path / "whole", seed=4)
    killed = train_agent(short("ppo", env_steps=1500), source, encoder, out, seed=4)
    assert killed.card["files"] == whole.card["files"]


def _stamp(out: Path) -> int:
    """Return when the last checkpoint was written; 0 before the first one and after the last."""
    try:
        return (out / "checkpoint/state.json").stat().st_mtime_ns
    except FileNotFoundError:
        return 0
