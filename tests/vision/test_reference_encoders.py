"""Encoders that DARLA is compared with: an autoencoder, one that was never trained, and the DAE's features."""

import numpy as np
import pytest
import torch
from squares import SHAPE

from darla import vision
from darla.common import InputError, seed_for
from darla.common.files import read_json
from darla.vision import DAE, SeeConfig, encode_images
from darla.vision.encoders.encode import fit_normalizer
from darla.vision.encoders.load import build_model, load_dae
from darla.vision.training.loop import build_seeded

DAE_FEATURES = {"model": "dae_features", "latent_dim": 8, "training__steps": 0}


def autoencoder(tiny, **changes):
    return tiny.change(model="autoencoder", **changes)


def dae_features(tiny, **changes):
    return tiny.change(loss="features").change(**{**DAE_FEATURES, **changes})


@pytest.fixture(scope="module")
def random_encoder(tiny, frames, tmp_path_factory):
    return vision.train_encoder(
        autoencoder(tiny, training__steps=0), frames, tmp_path_factory.mktemp("random") / "run", 5
    )


@pytest.fixture(scope="module")
def features(tiny, frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    config = dae_features(tiny, statistics_frames=len(frames))
    dae = vision.train_dae(config, frames, folder / "dae", 0)
    return dae, vision.train_encoder(config, frames, folder / "run", 0, dae=dae.folder)


def test_an_autoencoder_minimizes_its_reconstruction_and_nothing_else(tiny, images):
    model = build_model(autoencoder(tiny), SHAPE)
    terms = model.loss(images)
    assert terms["loss"] == terms["pixel"]
    assert terms["loss"] == model.loss(images)["loss"]  # there is no noise
    torch.testing.assert_close(model.encode(images).sample(), model.encode(images).mean)


def test_an_encoder_that_was_never_trained_has_the_weights_it_was_drawn_with(random_encoder, tiny):
    model = vision.load(random_encoder.folder)
    again = vision.load(random_encoder.folder).state_dict()
    config = SeeConfig.from_dict(random_encoder.config["see"])
    drawn = build_seeded(lambda: build_model(config, SHAPE), seed_for(5, "weights"))
    same = {name for name, value in drawn.state_dict().items() if torch.equal(value, again[name])}
    assert same == {name for name, _ in model.named_parameters()}
    assert not (random_encoder.folder / "history.csv").exists()


def test_codes_without_a_prior_have_unit_variance_however_small_they_are(random_encoder, frames):
    model = vision.load(random_encoder.folder)
    raw = encode_images(model, frames.images)
    assert raw.std(axis=0).max() < 0.05  # less than the codes of a VAE's unused latent
    codes = encode_images(model, frames.images, normalize=True)
    np.testing.assert_allclose(codes.std(axis=0), 1.0, atol=0.2)


def test_a_code_that_never_moves_is_not_scaled_up(tiny, frames):
    model = build_model(autoencoder(tiny), SHAPE)
    codes = np.random.default_rng(0).normal(size=(500, 4)) * np.array([1e-9, 100.0, 100.0, 100.0])
    fit_normalizer(model, codes.astype(np.float32))
    assert model.codes_std[0] > 1.0
    np.testing.assert_allclose(model.codes_std[1:], 100.0, rtol=0.15)


def test_features_of_the_dae_are_whitened_over_the_unlabeled_frames(features, frames):
    model = vision.load(features[1].folder)
    codes = encode_images(model, frames.images, normalize=True)
    assert codes.shape == (len(frames), 8)
    covariance = np.cov(codes.T)
    strong = covariance.diagonal() > 0.5
    assert strong.sum() >= 4
    np.testing.assert_allclose(covariance[strong][:, strong], np.eye(int(strong.sum())), atol=0.25)


def test_features_of_the_dae_are_drawn_as_the_dae_repairs(features, images):
    model, dae = vision.load(features[1].folder), load_dae(features[0])
    torch.testing.assert_close(model.decode(model.encode(images).mean), dae(images), atol=1e-3, rtol=1e-3)


def test_standardized_features_are_the_bottleneck_itself_up_to_scale(tiny, frames, features, tmp_path, images):
    config = dae_features(tiny, normalization="std")
    made = vision.train_encoder(config, frames, tmp_path / "run", 0, dae=features[0].folder)
    model, dae = vision.load(made.folder), load_dae(features[0])
    bottleneck, codes = dae.features(images, "bottleneck"), model.encode(images).mean
    scale = (codes / (bottleneck - model.feature_space.mean)).median(0).values
    torch.testing.assert_close(codes, (bottleneck - model.feature_space.mean) * scale, atol=1e-4, rtol=1e-3)


def test_reference_encoders_are_described_like_any_other(random_encoder, features):
    for artefact in (random_encoder, features[1]):
        probes = read_json(artefact.folder / "probes.json")
        assert probes["kl"]["total"] == 0.0
        assert probes["reconstruction"]["mean_squared_error"] > 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vae__width": 2}, "unknown option 'vae__width'"),
        ({"target_nats": 50.0}, "target_nats 50.0 would be ignored"),
        ({"loss": "perceptual"}, "unknown option 'loss'"),
        ({"layer": "conv3"}, "reads the bottleneck, not layer 'conv3'"),
    ],
)
def test_an_option_that_dae_features_would_ignore_is_refused(tiny, changes, message):
    with pytest.raises(InputError, match=message):
        dae_features(tiny, **changes)


def test_features_of_another_width_are_refused(tiny):
    with pytest.raises(InputError, match="latent_dim is 5, but the bottleneck of the DAE has 8"):
        build_model(dae_features(tiny, latent_dim=5), SHAPE)


def test_dae_features_have_nothing_to_train(tiny, frames, tmp_path, features):
    with pytest.raises(InputError, match="no parameters to train; training takes 0 steps"):
        vision.train_encoder(dae_features(tiny, training__steps=3), frames, tmp_path / "run", 0, dae=features[0].folder)


def test_a_denoiser_is_shared_with_darla(tiny, features, frames, tmp_path):
    """The features that DARLA's loss compares, and those that are codes here, are of one DAE."""
    darla = vision.train_encoder(tiny.change(loss="features"), frames, tmp_path / "run", 0, dae=features[0].folder)
    assert darla.card["inputs"]["dae"] == features[1].card["inputs"]["dae"]
    assert isinstance(vision.load(features[1].folder).feature_space.dae, DAE)
