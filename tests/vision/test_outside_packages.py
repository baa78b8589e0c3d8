"""A model and a metric of another package, which darla finds by their entry points."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from darla.common.files import read_json
from darla.envs.frames.collect import CollectConfig, collect

MODEL = '''
from dataclasses import dataclass
from darla.vision import VAE, LatentModelConfig, register_model

@dataclass(frozen=True)
class OutsideConfig(LatentModelConfig):
    """A VAE from elsewhere."""
    pressure: float = 2.0
    """Weight of the KL divergence."""

@register_model("outside_vae", label="OutsideVAE", symbol="p", weight="pressure")
class OutsideVAE(VAE):
    """L = reconstruction + pressure KL."""
    Config = OutsideConfig

    def penalty(self, posterior, latents, generator):
        kl = posterior.kl()
        return self.config.pressure * kl, {"kl": kl}
'''
METRIC = '''
from darla.vision.metrics import Requirements, Scores, metric

@metric("other", needs=Requirements(factors=False))
def outside_spread(sample):
    """Mean standard deviation of the latents."""
    return Scores(float(sample.codes.std(0).mean()))
'''
ENTRY_POINTS = """[darla.models]
outside_vae = outside.model
broken_vae = outside.nothing

[darla.metrics]
outside_spread = outside.spread
"""
USE = """
import sys
import numpy as np
from darla.common import InputError
from darla.vision import MODELS, load, metrics
from darla.vision.models.registry import model_info
model = load(sys.argv[1])
assert (type(model).__name__, model.config.pressure) == ("OutsideVAE", 3.0)
assert model_info("outside_vae").label == "OutsideVAE"
codes = np.random.default_rng(0).normal(size=(200, 3))
assert 0.9 < metrics.outside_spread(codes).score < 1.1
assert list(metrics.METRICS)[0] == "mig" and list(metrics.METRICS)[-1] == "outside_spread"
assert "outside_spread" in metrics.evaluate(codes) and "outside_spread" in metrics.__all__
try:
    MODELS["broken_vae"]
except InputError as error:
    print(error)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Environment variables with which a small package is installed beside darla."""
    package, info = tmp_path / "site" / "outside", tmp_path / "site" / "outside-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    for name, text in (("__init__", ""), ("model", MODEL), ("spread", METRIC)):
        (package / f"{name}.py").write_text(text)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    path = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def test_a_model_and_a_metric_of_another_package_are_used_like_our_own(tmp_path: Path, environment) -> None:
    frames = collect(CollectConfig(task="sprites", frames=60), tmp_path / "frames").folder
    options = "--model outside_vae --vae.pressure 3 --vae.latent-dim 4 --training.steps 2 --training.batch-size 8"
    see = [sys.executable, "-m", "darla", "see", str(frames), "--out", str(tmp_path / "run"), *options.split()]
    subprocess.run(see, env=environment, check=True, capture_output=True)
    record = read_json(tmp_path / "run" / "config.json")["config"]["see"]
    assert (record["model"], record["vae"]["pressure"]) == ("outside_vae", 3.0)
    program = [sys.executable, "-c", USE, str(tmp_path / "run")]
    used = subprocess.run(program, env=environment, check=True, capture_output=True, text=True)
    assert "model 'broken_vae' of outside cannot be loaded from outside.nothing" in used.stdout
