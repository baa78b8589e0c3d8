"""Vision on a GPU, as far as a pretended one shows it: nothing is left on the CPU, and a step does not wait."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from pretended_gpu import MixedDevices, PretendedGPU
from small_models import KNOWN, SHAPE, TRAINED, build, config, units

from darla import vision
from darla.common import InputError
from darla.vision import MODELS, TrainingConfig, encode_images, train_model
from darla.vision.models.dae import DAE, DAEConfig
from darla.vision.models.feature_space import FeatureSpace, PerceptualConfig
from darla.vision.training.devices import choose_device
from darla.vision.training.loop import build_seeded

LOSSES = {
    "perceptual": {"loss": "perceptual"},
    "features": {"loss": "features"},
    "mixed": {"loss": "mixed", "pixel_weight": 0.5},
}


def on_gpu(**changes) -> TrainingConfig:
    """Return a training of two steps on the GPU."""
    changed = {"steps": 2, "batch_size": 8, "log_every": 1, "checkpoint_every": 1} | changes
    return TrainingConfig(device="cuda", **changed)


def train(model: torch.nn.Module, name: str, training: TrainingConfig, out: Path, **options) -> None:
    train_model(model, KNOWN, training, out, 0, units=units(name), **options)


def takes_losses(name: str) -> bool:
    return "loss" in config(name).vae.__dataclass_fields__


def test_a_tensor_of_the_gpu_meets_none_of_the_cpu():
    with PretendedGPU() as gpu:
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        assert there.device == gpu.device != here.device
        with pytest.raises(MixedDevices):
            there + here
        with pytest.raises(MixedDevices):
            there.numpy()
        assert not gpu.counts["waits"]
        assert (there + there).sum().item() == 6
        assert gpu.counts["waits"] == 1


@pytest.mark.parametrize("name", TRAINED)
def test_every_model_trains_and_encodes(name, tmp_path):
    with PretendedGPU() as gpu:
        model = build(name)
        train(model, name, on_gpu(gradient_clip=1.0), tmp_path)
        assert all(gpu.has(each) for each in [*model.parameters(), *model.buffers()])
        assert np.isfinite(encode_images(model, KNOWN[:5], normalize=True)).all()


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", [name for name in TRAINED if takes_losses(name) and name != "darla_vae"])
def test_every_model_trains_with_every_reconstruction_term(name, loss, tmp_path):
    with PretendedGPU():
        train(build(name, **LOSSES[loss]), name, on_gpu(), tmp_path)


@pytest.mark.parametrize("name", TRAINED)
def test_a_step_waits_for_nothing_and_copies_its_batch_alone(name, tmp_path):
    counted = []
    for steps in (3, 6):
        with PretendedGPU() as gpu:
            training = on_gpu(steps=steps, log_every=100, checkpoint_every=100)
            train(build(name), name, training, tmp_path / f"{steps}")
        # A training ends with a checkpoint, which has to wait; what it holds grows with the parameters trained so far.
        waits = {line: count for line, count in gpu.waits.items() if not line.startswith("darla/common/files.py")}
        counted.append((waits, gpu.counts["copies up"]))
    (waits, copies), (more_waits, more_copies) = counted
    assert more_waits == waits
    known = units(name)
    assert more_copies - copies == 3 * (1 + len(known.per_unit) + len(known.per_image))


@pytest.mark.parametrize("name", ["beta_vae", "factor_vae", "qlae", "info_gan"])
def test_an_interrupted_training_resumes(name, tmp_path):
    class Interrupted(Exception):
        pass

    def interrupt(row):
        if row["step"] == 3:
            raise Interrupted
        return {}

    with PretendedGPU() as gpu:
        whole = build(name)
        train(whole, name, on_gpu(steps=4), tmp_path / "whole")
        with pytest.raises(Interrupted):
            train(build(name), name, on_gpu(steps=4), tmp_path / "halves", observe=interrupt)
        resumed = build(name)
        train(resumed, name, on_gpu(steps=4), tmp_path / "halves")
        assert all(gpu.has(each) for each in resumed.parameters())
    for parameter, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(parameter, other)


def test_a_gradient_that_overflows_float16_does_not_end_a_training(tmp_path):
    norms = []

    def note(row):
        norms.append(row.get("gradient_norm"))
        return {}

    with PretendedGPU(bfloat16=False):
        # The scaler begins at 65,536, which the gradient of a sum over pixels does not survive.
        train(build("beta_vae"), "beta_vae", on_gpu(steps=6, checkpoint_every=2), tmp_path, observe=note)
        train(build("beta_vae"), "beta_vae", on_gpu(steps=8, checkpoint_every=2), tmp_path, observe=note)
    assert norms[0] is None, "no step overflowed"
    assert all(norm is None or np.isfinite(norm) for norm in norms)
    assert (tmp_path / "history.csv").read_text().count("\n") == 9


@pytest.mark.parametrize("changes", [{"model": "darla_vae"}, {"model": "autoencoder", "training__steps": 0}])
def test_the_whole_stage(changes, tmp_path):
    short = {"training": on_gpu(), "dae_training": on_gpu(), "statistics_frames": 32}
    with PretendedGPU():
        see = config(changes.pop("model"), **short).change(**changes)
        artefact = vision.train_encoder(see, KNOWN, tmp_path / "encoder", 0)
        assert vision.load(artefact.folder, "cuda").device.type == "cuda"
    assert np.isfinite(encode_images(vision.load(artefact.folder), KNOWN[:5])).all()


def test_the_feature_space_is_where_its_dae_is():
    with PretendedGPU() as gpu:
        dae = DAE(DAEConfig(bottleneck=8), SHAPE).to("cuda")
        space = FeatureSpace(dae, PerceptualConfig())
        assert all(gpu.has(each) for each in space.buffers())
        images = dae.to_input(KNOWN[:4])
        assert gpu.has(space.distance(space(images), images))


def test_drawing_weights_leaves_the_generators_of_gpus_alone():
    with PretendedGPU() as gpu:
        before = torch.get_rng_state()
        first, second = (build_seeded(lambda: torch.nn.Linear(2, 2), 0) for _ in range(2))
        assert torch.equal(first.weight, second.weight)
        assert torch.equal(torch.get_rng_state(), before)
        assert not gpu.counts["global generator seeded"]


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "auto"])
def test_processes_of_torchrun_get_a_gpu_each(name, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    # Inside, so that the number is restored before what it replaced.
    with PretendedGPU(), mock.patch.object(torch.cuda, "device_count", return_value=2):
        assert choose_device(name).index == (0 if name == "cuda:0" else 1)


def test_a_device_that_is_not_there_is_refused(tmp_path):
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="PyTorch finds no GPU"):
            vision.load(tmp_path, "cuda")
    with PretendedGPU(), pytest.raises(InputError, match="the GPUs of this machine are cuda:0"):
        choose_device("cuda:1")


def test_every_model_is_covered():
    assert set(TRAINED) == {name for name, model in MODELS.items() if model.is_trained}
