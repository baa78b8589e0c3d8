import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from squares import Frames

from darla import vision
from darla.common import Artefact, InputError
from darla.common.files import load_tensors, read_json
from darla.vision.encoders.encode import encode_images
from darla.vision.encoders.splits import split


@pytest.fixture(scope="module")
def perceptual(tiny, frames, tmp_path_factory):
    config = tiny.change(loss="perceptual", layer="bottleneck", target_nats=100.0)
    return vision.train_encoder(config, frames, tmp_path_factory.mktemp("perceptual") / "run", seed=0)


def test_the_artefact_holds_weights_probes_images_and_history(perceptual):
    names = set(perceptual.card["files"])
    assert {"model.safetensors", "probes.json", "reconstructions.png", "traversals.png", "history.csv"} <= names
    assert {"dae/model.safetensors", "dae/features.safetensors", "dae/probes.json", "dae/reconstructions.png"} <= names
    assert not any("tensorboard" in name or "checkpoint" in name for name in names)
    assert set(perceptual.card["inputs"]) == {"frames", "dae"}
    assert list((perceptual.folder / "tensorboard").glob("events*"))


def test_the_encoder_is_self_contained(perceptual, tmp_path):
    import shutil

    alone = shutil.copytree(perceptual.folder, tmp_path / "copy")
    model, copy = vision.load(perceptual.folder), vision.load(alone)
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model.to_display(image), copy.to_display(image))
    dae = vision.load_dae(Artefact.load(alone / "dae", "dae"))
    assert torch.equal(model.to_display(image), dae(image))


def test_a_network_whose_units_die_in_training_is_reported(tiny, frames, tmp_path, capfd):
    steep = tiny.change(training__learning_rate=0.02, training__schedule="constant")
    report = read_json(vision.train_encoder(steep, frames, tmp_path / "steep", seed=0).folder / "probes.json")
    assert report["dead_units"] > 0.5
    assert "training has killed units" in capfd.readouterr().err
    report = read_json(vision.train_encoder(tiny, frames, tmp_path / "level", seed=0).folder / "probes.json")
    assert report["dead_units"] < 0.5
    assert "killed units" not in capfd.readouterr().err


def test_units_that_were_dead_before_training_are_not_blamed_on_it(tiny, frames, tmp_path, capfd):
    alike = copy.copy(frames)
    alike.images = np.zeros_like(frames.images)
    folder = vision.train_encoder(tiny, alike, tmp_path / "alike", seed=0).folder
    assert read_json(folder / "probes.json")["dead_units"] == 1.0
    assert "killed units" not in capfd.readouterr().err


def test_j_is_calibrated_with_the_statistics_stored_beside_the_dae(perceptual):
    stored = load_tensors(perceptual.folder / "dae" / "features.safetensors")
    tensors = perceptual.tensors()
    assert torch.equal(tensors["reconstruction.feature_space.mean"], stored["bottleneck.mean"])
    assert tensors["reconstruction.feature_space.weight"] != 1


def test_a_finished_artefact_is_returned_as_it_is(perceptual, tiny, frames):
    config = tiny.change(loss="perceptual", layer="bottleneck", target_nats=100.0)
    again = vision.train_encoder(config, frames, perceptual.folder, seed=0)
    assert again.card == perceptual.card


def test_another_configuration_or_seed_in_the_same_folder_is_refused(perceptual, tiny, frames):
    with pytest.raises(InputError, match="made with another configuration"):
        vision.train_encoder(tiny, frames, perceptual.folder, seed=0)
    config = tiny.change(loss="perceptual", layer="bottleneck", target_nats=100.0)
    with pytest.raises(InputError, match="seed was 0 and is now 1"):
        vision.train_encoder(config, frames, perceptual.folder, seed=1)


def test_a_dae_can_be_shared_between_encoders(perceptual, tiny, frames, tmp_path):
    dae = perceptual.folder / "dae"
    config = vision.SeeConfig().change(loss="mixed", pixel_weight=0.1, layer="conv3", latent_dim=4)
    config = config.change(training=tiny.training, statistics_frames=64)
    shared = vision.train_encoder(config, frames, tmp_path / "run", seed=0, dae=dae)
    assert shared.card["inputs"]["dae"] == Artefact.load(dae).digest
    assert not (shared.folder / "dae").exists()
    assert shared.config["see"]["dae"]["bottleneck"] == 8  # what it was trained with, not the default
    vision.load(shared.folder)
    with pytest.raises(InputError, match="trained with other settings"):
        vision.train_encoder(config.change(bottleneck=9), frames, tmp_path / "other", seed=0, dae=dae)
    with pytest.raises(InputError, match="would be ignored"):
        vision.train_encoder(tiny, frames, tmp_path / "pixel", seed=0, dae=dae)


@pytest.mark.parametrize("drawing", ["reconstruct", "traverse", "draw_sheets", "grid"])
def test_a_picture_that_cannot_be_drawn_costs_no_number(drawing, tiny, frames, tmp_path, monkeypatch, capfd):
    def fail(*_, **__):
        raise ValueError("no ink")

    for module in ("encoders.train_encoder", "encoders.train_dae", "training.monitor"):
        if drawing in vars(sys.modules[f"darla.vision.{module}"]):
            monkeypatch.setattr(f"darla.vision.{module}.{drawing}", fail)
    config = tiny.change(loss="perceptual", layer="bottleneck", target_nats=100.0)
    made = vision.train_encoder(config, frames, tmp_path / "run", seed=0)
    assert read_json(made.folder / "probes.json")["kl"]["total"] > 0
    assert "was left out, all else is complete (ValueError: no ink)" in capfd.readouterr().err
    vision.load(made.folder)


def test_probes_and_normalizer_never_train_on_held_out_frames(frames):
    rows, held_out = split(len(frames), 0.25, seed=0)
    assert len(held_out) == 64
    assert sorted(np.concatenate([rows, held_out])) == list(range(256))
    assert np.array_equal(split(256, 0.25, 0)[1], held_out)
    assert not np.array_equal(split(256, 0.25, 1)[1], held_out)


def test_frames_without_state_have_no_object_probes(tiny, tmp_path, frames):
    class Stateless:
        state: dict[str, np.ndarray] = {}  # noqa: RUF012
        digest = "stateless"

        def __len__(self):
            return len(frames)

        def __getitem__(self, rows):
            return frames[rows]

    artefact = vision.train_encoder(tiny, Stateless(), tmp_path / "run", seed=0)
    report = json.loads((artefact.folder / "probes.json").read_text())
    assert "kind" not in report
    assert "reconstruction" in report


def test_unknown_models_and_unusable_frames_are_refused(tiny, frames, tmp_path):
    with pytest.raises(InputError, match="did you mean 'beta_vae'"):
        vision.train_encoder(tiny.change(model="beta_vea"), frames, tmp_path / "a", seed=0)

    class Floats:
        state: dict[str, np.ndarray] = {}  # noqa: RUF012
        digest = "floats"

        def __len__(self):
            return 4

        def __getitem__(self, rows):
            return np.zeros((len(rows), 16, 16, 3), np.float32)

    with pytest.raises(InputError, match="must be uint8 images"):
        vision.train_encoder(tiny, Floats(), tmp_path / "b", seed=0)


def test_training_puts_what_varies_most_into_the_codes(tmp_path):
    painted = Frames(512)
    painted.state = {"bearing": painted.images[:, 0, 0, 0] / 255}  # how red the wall is
    config = vision.SeeConfig().change(
        latent_dim=6, vae__activation="elu", vae__likelihood="gaussian", vae__pixel_std=0.05,
        held_out=0.3, statistics_frames=64, training__warmup_fraction=0.05,
        training__steps=500, training__batch_size=32, training__learning_rate=3e-3,
    )  # fmt: skip
    artefact = vision.train_encoder(config, painted, tmp_path / "run", seed=0)
    report = json.loads((artefact.folder / "probes.json").read_text())
    assert report["bearing"]["nonlinear"] > 0.7
    assert report["kl"]["active_units"] >= 2
    codes = encode_images(vision.load(artefact.folder), painted.images, normalize=True)
    assert codes.std(axis=0).max() == pytest.approx(1, abs=0.3)


def test_importing_the_package_is_cheap():
    program = "import sys, darla.vision; print('torch' in sys.modules, len(darla.vision.__all__))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split()[0] == "False"


def test_every_public_name_can_be_imported():
    for name in vision.__all__:
        assert getattr(vision, name) is not None
    with pytest.raises(AttributeError):
        vision.no_such_name  # noqa: B018
