"""A model and a metric of another package, which darla finds by their entry points."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from darla import vision
from darla.cli.main import main
from darla.common import Artefact, InputError
from darla.common.files import read_json
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.vision import MODELS, SeeConfig

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


SMALLEST = """from darla.vision import VAE

class Mine(VAE):
    def penalty(self, posterior, latents, generator):
        return 2 * posterior.kl(), {"kl": posterior.kl()}

class Half(VAE):
    pass
"""


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch) -> Path:
    """A folder with a module of models, in which commands are given."""
    name = "my_models_for_darla"
    (tmp_path / f"{name}.py").write_text(SMALLEST)
    monkeypatch.chdir(tmp_path)
    # What an import of a module beside the script leaves behind is removed after the test.
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_model_of_four_lines_is_trained_and_scored_by_its_import_path(own_folder: Path, capsys) -> None:
    frames = collect(CollectConfig(task="sprites", frames=60), own_folder / "frames").folder
    model = "my_models_for_darla:Mine"
    options = "--vae.latent-dim 4 --training.steps 2 --training.batch-size 8"
    assert main(["see", str(frames), "--model", model, *options.split(), "--out", "run"]) == 0
    assert "importing my_models_for_darla for model" in capsys.readouterr().err
    assert main(["metrics", "run", "--data", str(frames), "--names", "mig", "--out", "scores"]) == 0
    assert model in MODELS
    assert model not in list(MODELS)
    loaded = vision.load(own_folder / "run")
    assert type(loaded).__name__ == "Mine"
    again = vision.train_encoder(
        SeeConfig().change(model=model, latent_dim=4, training__steps=2, training__batch_size=8),
        FrameSet.open(frames),
        own_folder / "again",
        seed=0,
    )
    assert again.digest == Artefact.load(own_folder / "run").digest


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("my_models_for_darla:Half", "its class lacks penalty"),
        ("my_models_for_darla:mine", "did you mean 'Mine'?"),
        ("my_models_for_darla:VAE.nothing", "unknown model in VAE: 'nothing'"),
        ("my_models_for_darla:__name__", "must be a class derived from darla.vision.VisionModel"),
        ("no_such_module:Mine", "there is no module 'no_such_module'"),
        ("subprocess:run", "is a module of Python itself"),
        ("my models:Mine", "an import path is written as package.module:name"),
    ],
)
def test_an_import_path_that_names_no_model_is_refused(own_folder: Path, model: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        MODELS[model]


def test_a_module_that_fails_is_named_with_the_line_that_failed(own_folder: Path) -> None:
    (own_folder / "broken_models.py").write_text("x = 1\ny = 1 / 0\n")
    with pytest.raises(InputError, match=r"ZeroDivisionError: division by zero \(.*broken_models\.py, line 2\)"):
        MODELS["broken_models:Mine"]
