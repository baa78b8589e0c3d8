import json

import numpy as np
import pytest
import torch

from darla import vision
from darla.common import InputError
from darla.vision import BetaVAE, BetaVAEConfig
from darla.vision.encoders.encode import MIN_DEVIATION, fit_normalizer

SHAPE = (16, 16, 3)


@pytest.fixture
def model() -> BetaVAE:
    torch.manual_seed(0)
    return BetaVAE(BetaVAEConfig(latent_dim=4), None, SHAPE)


@pytest.fixture(scope="module")
def artefact(tiny, frames, tmp_path_factory):
    return vision.train_encoder(tiny, frames, tmp_path_factory.mktemp("encoder") / "run", seed=0)


def test_codes_are_posterior_means(model, frames):
    codes = vision.encode_images(model, frames.images[:20])
    assert codes.dtype == np.float32
    assert codes.shape == (20, 4)
    expected = model.encode(model.to_input(frames.images[:20])).mean
    np.testing.assert_allclose(codes, expected.detach().numpy(), atol=1e-6)


def test_codes_do_not_depend_on_the_batch_size(model, frames):
    whole, small = (vision.encode_images(model, frames.images[:50], batch_size=size) for size in (512, 7))
    np.testing.assert_allclose(whole, small, atol=1e-6)


def test_to_input_scales_and_moves_channels_first_without_copying_the_layout(model):
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[0, 2, 5] = (255, 51, 0)
    x = model.to_input(image)
    assert x[0, :, 2, 5].tolist() == pytest.approx([1.0, 0.2, 0.0])
    assert x.is_contiguous(memory_format=torch.channels_last)


def test_normalized_codes_have_zero_mean_and_unit_deviation(model, frames):
    with torch.no_grad():
        model.encoder.head.weight.mul_(3000)  # no latent of this untrained model counts as dead
    fit_normalizer(model, vision.encode_images(model, frames.images))
    codes = vision.encode_images(model, frames.images, normalize=True)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(codes.std(axis=0), 1, atol=1e-3)


def test_dead_latents_stay_small(model):
    codes = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32) * [1, 1, 1e-4, 0]
    fit_normalizer(model, codes)
    assert model.codes_std.tolist()[2:] == pytest.approx([MIN_DEVIATION, MIN_DEVIATION])


def test_encoding_leaves_the_mode_as_it_was(model, frames):
    model.train()
    vision.encode_images(model, frames.images[:2])
    assert model.training


def test_no_images_give_no_codes(model):
    assert vision.encode_images(model, np.empty((0, 16, 16, 3), np.uint8)).shape == (0, 4)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 16, 16, 3), np.float32), "must be uint8, not float32"),
        (np.zeros((2, 32, 32, 3), np.uint8), r"must have the shape \(N, 16, 16, 3\), not \(2, 32, 32, 3\)"),
        (np.zeros((2, 3, 16, 16), np.uint8), "must have the shape"),
        (np.zeros((16, 16, 3), np.uint8), "must have the shape"),
        (torch.zeros(2, 16, 16, 3), "must be uint8, not float32"),
        (np.array(3, np.uint8), r"must have the shape \(N, 16, 16, 3\), not \(\)"),
        (np.zeros((0, 8, 8, 3), np.uint8), "must have the shape"),
        (torch.zeros(2, 16, 16, 3, dtype=torch.uint8, device="meta"), "one dense array"),
        (torch.zeros(2, 16, 16, 3, dtype=torch.uint8).to_sparse(), "one dense array"),
        (torch.nested.nested_tensor([torch.zeros(2, 16, 16, 3, dtype=torch.uint8)]), "one dense array"),
    ],
)
def test_other_images_than_the_model_was_made_for_are_refused(model, images, message):
    with pytest.raises(InputError, match=message):
        vision.encode_images(model, images)


def test_a_loaded_model_is_frozen_and_in_eval_mode(artefact):
    model = vision.load(artefact.folder)
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())
    assert model.latent_dim == 4
    assert model.image_shape == SHAPE


def test_a_loaded_model_carries_its_normalizer(artefact, frames):
    model = vision.load(artefact.folder)
    assert model.codes_std.min() >= MIN_DEVIATION
    codes = vision.encode_images(model, frames.images)
    expected = (codes - model.codes_mean.numpy()) / model.codes_std.numpy()
    np.testing.assert_allclose(vision.encode_images(model, frames.images, normalize=True), expected, atol=1e-5)


def test_encoding_changes_no_byte_of_the_model(artefact, frames):
    model = vision.load(artefact.folder)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    vision.encode_images(model, frames.images, normalize=True)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_altered_and_unfinished_artefacts_are_refused(artefact, tmp_path):
    import shutil

    copy = shutil.copytree(artefact.folder, tmp_path / "copy")
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(InputError, match="hash differs"):
        vision.load(copy)
    (copy / "card.json").unlink()
    with pytest.raises(InputError, match="not a finished artefact"):
        vision.load(copy)
    with pytest.raises(InputError, match="no such folder"):
        vision.load(tmp_path / "nowhere")


def test_missing_unknown_and_misshapen_tensors_are_refused(model, tmp_path):
    from darla.vision.encoders.load import load_weights

    tensors = dict(model.state_dict())
    load_weights(model, tensors, tmp_path)
    with pytest.raises(InputError, match=r"lacks the tensor 'encoder\.head\.bias'"):
        load_weights(model, {name: value for name, value in tensors.items() if name != "encoder.head.bias"}, tmp_path)
    with pytest.raises(InputError, match="tensor 'surplus' that its model does not have"):
        load_weights(model, tensors | {"surplus": torch.zeros(1)}, tmp_path)
    with pytest.raises(InputError, match="has shape"):
        load_weights(model, tensors | {"encoder.head.bias": torch.zeros(3)}, tmp_path)


def test_the_probes_file_reports_reconstruction_and_kl(artefact):
    report = json.loads((artefact.folder / "probes.json").read_text())
    assert len(report["kl"]["per_latent"]) == 4
    assert report["kl"]["total"] == pytest.approx(sum(report["kl"]["per_latent"]))
    assert 0 < report["reconstruction"]["mean_squared_error"] < 1
