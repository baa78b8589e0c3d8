"""An algorithm of another package: one file and an entry point, from training to transfer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ALGORITHM = '''
from dataclasses import dataclass

from darla.agents import Algorithm, AlgorithmSettings, register_algorithm


@dataclass(frozen=True)
class SteadySettings(AlgorithmSettings):
    """Settings of actor-critic with plain SGD."""

    n_steps: int = 8
    """Steps of each environment between two updates."""
    learning_rate: float = 0.02
    """Step size."""
    net_arch: tuple[int, ...] = (16,)
    """Units of hidden layers."""

    def arguments(self):
        return {"n_steps": self.n_steps, "learning_rate": self.learning_rate}


@register_algorithm("steady")
class Steady(Algorithm):
    """Actor-critic with plain SGD."""

    settings = SteadySettings
    presets = {name: SteadySettings(n_envs=4) for name in ("latents", "pixels", "state")}

    def sb3_class(self):
        from stable_baselines3 import A2C
        from torch.optim import SGD

        class SteadyA2C(A2C):
            def __init__(self, *args, policy_kwargs, **kwargs):
                super().__init__(*args, policy_kwargs={**policy_kwargs, "optimizer_class": SGD}, **kwargs)

        return SteadyA2C
'''

PROGRAM = """
import json
import sys
from pathlib import Path

import torch

import darla
from toy_images import ENV_ID, SIZE, Columns
from darla.agents import ALGORITHMS, ActConfig, Agent
from darla.envs import EnvDomain
from darla.envs.domains.tasks import environment_task
from darla.zero_shot import TransferConfig

torch.set_num_threads(1)
out = Path(sys.argv[1])


def domain(name, **options):
    return EnvDomain(name, ENV_ID, ({"size": SIZE, **options},))


task = environment_task("columns", domain("unlabeled"), domain("source"), {"brief": domain("brief", length=5)})
assert "steady" in ALGORITHMS and "steady_algorithm" not in sys.modules
settings = ALGORITHMS["steady"].settings(n_envs=4, n_steps=16)
config = ActConfig("steady", 600, settings, checkpoint_interval=200, snapshots=2)
whole = darla.act(task, out / "whole", config)
Columns.steps_left = 450
try:
    darla.act(task, out / "stopped", config)
except KeyboardInterrupt:
    Columns.steps_left = float("inf")
    resumed = darla.act(task, out / "stopped", config)
agent = Agent.load(whole)
evaluation = TransferConfig(episodes=4, n_envs=2, snapshot_eval_episodes=0, strip_frames=0)
scores = darla.transfer(task, [whole], out / "transfer", evaluation)
print(json.dumps({
    "digests": [whole.digest, resumed.digest],
    "architecture": agent.description.architecture,
    "optimizer": type(agent.policy.optimizer).__name__,
    "act": whole.config["act"],
    "rows": len((scores.folder / "episodes.csv").read_text().splitlines()),
}))
"""


@pytest.fixture
def outside_package(tmp_path):
    """A folder with an installed distribution that offers the algorithm `steady`."""
    site = tmp_path / "site"
    info = site / "steady_algorithm-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "steady_algorithm.py").write_text(ALGORITHM)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: steady-algorithm\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[darla.algorithms]\nsteady = steady_algorithm\n")
    return site


def run(site, *arguments):
    folders = [str(site), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_algorithm_of_another_package_trains_resumes_loads_and_transfers(outside_package, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    result = json.loads(run(outside_package, program, tmp_path / "runs").splitlines()[-1])
    whole, resumed = result["digests"]
    assert whole == resumed
    assert result["architecture"] == {"net_arch": [16]}
    assert result["act"]["settings"] == {"n_envs": 4, "n_steps": 16, "learning_rate": 0.02, "net_arch": [16]}
    assert result["rows"] > 2 * 2 * 4  # two domains, the agent and the random agent, four episodes


def test_the_command_line_offers_its_settings(outside_package):
    text = run(outside_package, "-m", "darla", "act", "--algorithm", "steady", "--help")
    assert "--settings.n-steps" in text
    assert "--settings.clip-range" not in text
