"""What is registered of a model: label, weight, presets, and what it needs beyond images."""

import numpy as np
import pytest
from squares import Frames

from darla.common import InputError
from darla.vision import MODELS, SeeConfig, Supervision, train_encoder
from darla.vision.models import registry
from darla.vision.models.registry import model_info, own_models
from darla.vision.presets import DARLA, ENCODERS, PAPER


def test_every_model_has_a_label_and_a_weight_of_its_configuration_and_a_preset():
    assert [info.name for info in own_models()] == sorted(MODELS)
    for info in own_models():
        assert info.label
        assert not info.weight or isinstance(getattr(MODELS[info.name].Config(), info.weight), int | float)
        assert info.presets.keys() <= ENCODERS.keys()
        assert all(ENCODERS[preset].model == info.name for preset in info.presets)


def test_the_two_forms_of_darla_differ_in_loss_and_corruption_alone():
    assert (DARLA.vae.loss, PAPER.vae.loss) == ("features", "perceptual")
    assert PAPER.change(loss="features", hue_prob=1.0) == DARLA


def test_another_model_keeps_networks_and_reconstruction_term_of_darla():
    config = DARLA.change(latent_dim=7).with_model("factor_vae")
    assert (config.vae.loss, config.vae.latent_dim, config.dae.hue_prob) == ("features", 7, 1.0)
    assert SeeConfig().with_model("darla_vae").vae.loss == "features"
    same = DARLA.with_model("beta_vae").vae
    assert (same.loss, same.beta_warmup_fraction) == ("features", 0.25)
    assert SeeConfig().with_model("dae_features").vae.latent_dim == 128


def test_what_a_model_needs_beside_images_is_shown():
    needs = {name: str(model_info(name).needs) for name in MODELS}
    assert {name: kinds for name, kinds in needs.items() if kinds != "none"} == {"icf": "actions"}
    assert str(Supervision(labels=True, domain_ids=True)) == "labels, domain ids"


def test_supervision_that_the_frames_lack_is_refused_before_training(tiny, tmp_path, monkeypatch):
    needy = registry.ModelInfo("beta_vae", "needy", needs=Supervision(labels=True, pairs=True))
    monkeypatch.setitem(registry._INFO, MODELS["beta_vae"], needy)
    frames = Frames(32)
    with pytest.raises(InputError, match="'beta_vae' needs labels, which these frames do not have"):
        train_encoder(tiny, frames, tmp_path / "run", 0)
    frames.contexts = {"size": np.zeros(32)}
    with pytest.raises(InputError, match="'beta_vae' needs pairs"):
        train_encoder(tiny, frames, tmp_path / "run", 0)
    assert not (tmp_path / "run").exists()
