"""The encoder that a policy stands on is the same before and after, whatever learns on it."""

import numpy as np
import pytest
import torch
from toy_training import SHORT, BatchNormalized, frames, short

from darla.agents import FrozenEncoder, LatentVecEnv, make_vec, train_agent
from darla.agents.algorithms.build import build
from darla.common import InputError
from darla.vision import encode_images
from darla.vision import load as load_model


@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "mfec"])
def test_learning_leaves_the_encoder_as_it_was(algorithm, columns):
    encoder = FrozenEncoder(BatchNormalized())
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    fingerprint = encoder.fingerprint()
    env = LatentVecEnv(make_vec(columns, 4, seed=0), encoder)
    build(algorithm, SHORT[algorithm], env, seed=0).learn(400)
    for name, value in encoder.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert encoder.fingerprint() == fingerprint


def test_an_encoder_put_into_training_mode_by_somebody_does_not_drift(images):
    encoder = FrozenEncoder(BatchNormalized())
    expected = encoder.encode(images)
    encoder.model.train()
    np.testing.assert_array_equal(encoder.encode(images), expected)
    assert encoder.model.normalization.num_batches_tracked == 0


def test_training_leaves_every_byte_of_the_encoder_artefact(columns, encoder_folder, tmp_path):
    before = {path.name: path.read_bytes() for path in encoder_folder.iterdir() if path.is_file()}
    train_agent(short(env_steps=300), columns, encoder_folder, tmp_path / "agent", seed=1)
    assert {path.name: path.read_bytes() for path in encoder_folder.iterdir() if path.is_file()} == before


def test_policies_hold_no_weight_of_the_encoder(columns, encoder_folder):
    encoder = FrozenEncoder.load(encoder_folder)
    model = build("ppo", SHORT["ppo"], LatentVecEnv(make_vec(columns, 4, seed=0), encoder), seed=0)
    theirs = {value.data_ptr() for value in encoder.model.parameters()}
    assert not theirs & {value.data_ptr() for value in model.policy.parameters()}
    assert all(not value.requires_grad for value in encoder.model.parameters())


def test_codes_are_the_normalized_posterior_means_of_vision(encoder_folder):
    shown = frames(20)
    expected = encode_images(load_model(encoder_folder), shown, normalize=True)
    exact = FrozenEncoder.load(encoder_folder, "float32").encode(shown)
    assert exact.dtype == np.float32
    np.testing.assert_allclose(exact, expected, atol=1e-5)
    quick = FrozenEncoder.load(encoder_folder, "bfloat16").encode(shown)
    assert np.abs(quick - expected).mean() < 0.1 * expected.std()


def test_codes_do_not_depend_on_what_else_is_in_the_batch(encoder_folder):
    shown = frames(24)
    encoder = FrozenEncoder.load(encoder_folder)
    together = encoder.encode(shown)
    apart = np.concatenate([encoder.encode(shown[:1]), encoder.encode(shown[1:9]), encoder.encode(shown[9:])])
    np.testing.assert_allclose(apart, together, atol=2e-2 if encoder.precision == "bfloat16" else 1e-5)


def test_a_code_that_is_not_finite_stops_everything(images):
    encoder = FrozenEncoder(BatchNormalized())
    encoder.model.codes_std.zero_()
    with pytest.raises(InputError, match="not finite"):
        encoder.encode(images)
