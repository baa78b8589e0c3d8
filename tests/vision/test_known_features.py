"""J(x) of the training images, computed once for a whole training."""

import numpy as np
import pytest
import torch
from small_models import KNOWN, build

from darla.vision import FeatureSpace
from darla.vision.training import known_features
from darla.vision.training.config import TrainingConfig
from darla.vision.training.loop import train_model
from darla.vision.training.units import Units

SINGLE = Units(np.arange(len(KNOWN))[:, None])
PAIRS = Units(np.arange(len(KNOWN)).reshape(-1, 2))


def train(name: str, out, units: Units = SINGLE, steps: int = 12, observe=None):
    """Return the history of a training, and how many images J was computed of during it."""
    model = build(name, loss="features")
    (space,) = (module for module in model.modules() if isinstance(module, FeatureSpace))
    computed = []
    space.dae.encoder.register_forward_hook(lambda _, inputs, __: computed.append(len(inputs[0])))
    config = TrainingConfig(
        steps=steps, batch_size=32, log_every=1, checkpoint_every=5, precision="float32", device="cpu"
    )
    result = train_model(model, KNOWN, config, out, 0, units=units, observe=observe)
    return result.history, sum(computed)


@pytest.mark.parametrize(("name", "units"), [("beta_vae", SINGLE), ("factor_vae", SINGLE), ("ada_gvae", PAIRS)])
def test_features_are_computed_once_and_training_stays_the_same(name, units, tmp_path, monkeypatch):
    history, computed = train(name, tmp_path / "once", units)
    assert computed == len(KNOWN)
    monkeypatch.setattr(known_features, "MAX_BYTES", 0)
    every_step, more = train(name, tmp_path / "each time", units)
    assert more == 12 * 32
    for row, other in zip(history, every_step, strict=True):
        assert row == pytest.approx(other, rel=1e-4)


def test_a_training_that_sees_each_image_less_than_twice_computes_what_it_needs(tmp_path):
    _, computed = train("beta_vae", tmp_path, steps=5)
    assert computed == 5 * 32 < 2 * len(KNOWN)


def test_an_interrupted_training_resumes_with_the_same_numbers(tmp_path):
    class Interrupted(Exception):
        pass

    def interrupt(row):
        if row["step"] == 7:
            raise Interrupted
        return {}

    whole, _ = train("beta_vae", tmp_path / "whole")
    with pytest.raises(Interrupted):
        train("beta_vae", tmp_path / "parts", observe=interrupt)
    resumed, _ = train("beta_vae", tmp_path / "parts")
    assert resumed == whole


def test_other_images_are_not_looked_up():
    space = build("beta_vae", loss="features").reconstruction.feature_space
    images, others = torch.rand(2, 4, 3, 16, 16)
    space.know(images, lambda: space(images) + 1)
    features = space(images)
    assert space.distance(features + 1, images) == 0
    torch.testing.assert_close(space.distance(features, others), space.distance(features, others.clone()))
    space.know(None)
    assert space.distance(features, images) == 0
