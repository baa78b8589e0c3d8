"""What all models have in common: one configuration, one loop, one kind of artefact, and limits in which they meet."""

import json

import numpy as np
import pytest
import torch
from small_models import KNOWN, TRAINED, build, config, units

from darla import vision
from darla.common import InputError
from darla.vision import MODELS, LatentModel, SeeConfig, TrainingConfig
from darla.vision.encoders.encode import encode_images
from darla.vision.models.registry import model_info
from darla.vision.training.loop import train_model
from darla.vision.training.units import units_of

COMPARING = [name for name in TRAINED if issubclass(MODELS[name], LatentModel)]  # images with reconstructions
# What makes each model a VAE with beta = 1.
PLAIN = {
    "beta_vae": {"beta": 1.0},
    "factor_vae": {"gamma": 0.0},
    "dip_vae": {"lambda_od": 0.0, "lambda_d": 0.0},
    "info_vae": {"alpha": 0.0, "lambda_": 1.0},
}


def batch(model: str, count: int = 4):
    """Return what a model's loss takes: images, a generator and, where it needs more, that."""
    drawn = units(model)
    rows = np.arange(8 * count // drawn.size)
    images = build(model).to_input(KNOWN[drawn.images_of(rows)])
    known = drawn.supervision_of(rows, images.device)
    return (images, generator(), known) if known else (images, generator())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_without_its_own_penalty_a_model_is_a_vae(name, images):
    model, vae = build(name, **PLAIN[name]).eval(), build("beta_vae", beta=1.0).eval()
    vae.load_state_dict(model.state_dict(), strict=False)
    ours, theirs = model.loss(images, generator()), vae.loss(images, generator())
    torch.testing.assert_close(ours["loss"], theirs["loss"])


def test_an_annealed_vae_without_weight_is_its_reconstruction(images):
    terms = build("annealed_vae", gamma=0.0).loss(images, generator())
    torch.testing.assert_close(terms["loss"], terms["pixel"])


def test_an_annealed_vae_without_capacity_is_a_beta_vae(images):
    model, vae = build("annealed_vae", gamma=7.0, capacity=0.0), build("beta_vae", beta=7.0)
    vae.load_state_dict(model.state_dict())
    torch.testing.assert_close(model.loss(images, generator())["loss"], vae.loss(images, generator())["loss"])


def test_the_capacity_rises_in_a_straight_line_and_is_the_final_one_outside_training(images):
    model = build("annealed_vae", gamma=1.0, capacity=30.0, anneal_fraction=0.5)
    result = []
    for share in (0.0, 0.25, 0.5, 0.9):
        model.on_step(round(1000 * share), 1000)
        terms = model.loss(images, generator())
        result.append(float(terms["capacity"]))
        torch.testing.assert_close(terms["loss"], terms["pixel"] + (terms["kl"] - terms["capacity"]).abs())
    assert result == [0.0, 15.0, 30.0, 30.0]
    model.on_step(0, 1000)
    assert model.eval().loss(images, generator())["capacity"] == 30.0


@pytest.mark.parametrize("name", TRAINED)
def test_gradients_reach_every_parameter_and_terms_are_finite(name):
    model = build(name)
    model.set_dataset_size(1000)
    terms = model.loss(*batch(name))
    terms["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)
    assert all(torch.isfinite(term) for term in terms.values())
    assert all(term.dtype == torch.float32 and term.ndim == 0 for term in terms.values())


@pytest.mark.parametrize("name", TRAINED)
def test_the_code_is_the_mean_and_holds_no_noise(name, images):
    model = build(name).eval()
    stored = (images.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    assert np.array_equal(encode_images(model, stored), encode_images(model, stored))
    posterior = model.encode(images)
    assert posterior.mean.shape == (len(images), model.latent_dim)
    assert torch.isfinite(posterior.kl_per_latent()).all()


@pytest.mark.parametrize("name", TRAINED)
def test_every_model_makes_an_artefact_and_comes_back_from_it(name, tmp_path):
    frames = KNOWN
    wanted = config(
        name,
        training=TrainingConfig(steps=6, batch_size=16, log_every=3, checkpoint_every=3),
        dae_training=TrainingConfig(steps=3, batch_size=16),
    )
    artefact = vision.train_encoder(wanted, frames, tmp_path / "run", seed=0)
    assert SeeConfig.from_dict(json.loads(json.dumps(wanted.to_dict()))) == wanted
    model = vision.load(artefact.folder)
    assert type(model) is MODELS[name]
    codes = encode_images(model, frames.images, normalize=True)
    assert codes.shape == (96, model.latent_dim)
    assert np.isfinite(codes).all()


@pytest.mark.parametrize("name", ["factor_vae", "qlae", "beta_tc_vae", "annealed_vae", "dc_ign", "lusr", "ada_gvae"])
def test_an_interrupted_training_ends_with_the_same_bytes(name, tmp_path):
    frames = KNOWN
    units = units_of(model_info(name).needs, frames, np.arange(len(frames)), 0)

    def train(folder, steps):
        model = build(name)
        training = TrainingConfig(steps=8, batch_size=16, log_every=4, checkpoint_every=2, schedule="constant")
        if steps < 8:

            def stop(row):
                raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                train_model(model, frames, training, folder, 0, units=units, observe=stop)
        else:
            train_model(model, frames, training, folder, 0, units=units)
        return model.state_dict()

    whole = train(tmp_path / "whole", 8)
    train(tmp_path / "parts", 4)
    resumed = train(tmp_path / "parts", 8)
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


@pytest.mark.parametrize("name", sorted(set(COMPARING) - {"qlae"}))
def test_every_penalty_goes_with_the_perceptual_loss(name):
    terms = build(name, loss="features").loss(*batch(name))
    assert {"perceptual"} <= terms.keys()
    assert "pixel" not in terms


def test_a_model_takes_its_own_configuration_and_no_other():
    from darla.vision.models.dip_vae import DIPVAEConfig

    with pytest.raises(InputError, match="model 'factor_vae' takes FactorVAEConfig, not DIPVAEConfig"):
        SeeConfig(model="factor_vae", vae=DIPVAEConfig())
    with pytest.raises(InputError, match="did you mean 'factor_vae'"):
        SeeConfig().change(model="factorvae")
    kept = SeeConfig().change(latent_dim=7, vae__network="burgess").with_model("qlae")
    assert (kept.model, kept.vae.latent_dim, kept.vae.network) == ("qlae", 7, "burgess")


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        ("annealed_vae", {"gamma": -1.0}),
        ("annealed_vae", {"anneal_fraction": 2.0}),
        ("factor_vae", {"discriminator_depth": 0}),
        ("factor_vae", {"discriminator_rate": 0.0}),
        ("beta_tc_vae", {"estimator": "stratifed"}),
        ("dip_vae", {"kind": "iii"}),
        ("info_vae", {"alpha": 1.5}),
        ("info_vae", {"alpha": 0.0, "lambda_": 0.5}),
        ("qlae", {"n_values": 1}),
        ("qlae", {"softmax_temperature": 0.0}),
        ("darla_vae", {"loss": "pixel"}),
        ("beta_vae", {"decoder": "brodcast"}),
    ],
)
def test_invalid_values_are_refused(model, wrong):
    with pytest.raises(InputError):
        config(model, **wrong)
