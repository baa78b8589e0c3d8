"""JMVAE and TrELBO: their losses from their definitions, in limiting cases, and beside multivae."""

import copy

import pytest
import torch
from torch import Tensor, nn

from darla.common import InputError
from darla.vision.concepts.divergence import kl_between
from darla.vision.concepts.jmvae import JMVAE, JMVAEConfig
from darla.vision.concepts.trelbo import TrELBO, TrELBOConfig
from darla.vision.models.autoencoder import AutoEncoder, AutoEncoderConfig
from darla.vision.models.beta_vae import BetaVAE, BetaVAEConfig

SHAPE = (16, 16, 3)
SYMBOLS = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1], [0, 1, 0, 0, 1]])


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def pictures() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(3))


def vision() -> BetaVAE:
    torch.manual_seed(0)
    return BetaVAE(BetaVAEConfig(latent_dim=3), None, SHAPE)


def jmvae(**config: float) -> JMVAE:
    model = JMVAE(JMVAEConfig(**config), vision(), 5)  # type: ignore[arg-type]
    torch.manual_seed(1)
    for parameter in model.symbol_encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def trelbo(**config: object) -> TrELBO:
    return TrELBO(TrELBOConfig(**config), vision(), 5)  # type: ignore[arg-type]


def test_jmvae_is_the_joint_bound_and_two_divergences() -> None:
    model = jmvae(alpha=0.3, beta=2.0, symbol_weight=7.0)
    images = pictures()
    terms = model.objective(images, SYMBOLS, noise())
    joint = model.joint_encoder(images, SYMBOLS)
    expected = terms["pixel"] + 7 * terms["symbol"] + 2 * joint.kl()
    expected += 0.3 * kl_between(joint, model.vision.encode(images))
    expected += 0.3 * kl_between(joint, model.symbol_encoder(SYMBOLS))
    torch.testing.assert_close(terms["loss"], expected)
    without = jmvae(alpha=0.0, symbol_weight=0.0).objective(images, SYMBOLS, noise())
    torch.testing.assert_close(without["loss"], without["pixel"] + without["kl"])


def test_trelbo_is_three_bounds_and_each_weight_removes_its_own() -> None:
    images = pictures()
    whole = trelbo().objective(images, SYMBOLS, noise())
    torch.testing.assert_close(whole["loss"], whole["both"] + whole["image"] + whole["symbol"])
    both = trelbo(image_weight=0.0, symbol_bound_weight=0.0).objective(images, SYMBOLS, noise())
    torch.testing.assert_close(both["loss"], whole["both"])
    assert whole["symbol"] > 0 < whole["image"]


@pytest.mark.parametrize("stop", [True, False])
def test_the_symbol_alone_trains_its_decoder_only_where_the_gradient_is_not_stopped(stop: bool) -> None:
    model = trelbo(stop_gradient=stop)
    model.objective(pictures(), SYMBOLS, noise())["symbol"].backward()
    assert all((each.grad is None) == stop for each in model.symbol_decoder.parameters())
    assert all(each.grad is not None for each in model.symbol_encoder.parameters())


def test_the_entropy_of_a_single_posterior_has_a_gradient() -> None:
    """multivae's TELBO takes the log-variance of the joint posterior there, and so has none (findings/)."""
    model = trelbo(symbol_weight=0.0, image_weight=0.0)
    optimizer = torch.optim.Adam(model.symbol_encoder.parameters(), lr=0.02)
    for _ in range(300):
        loss = model.objective(pictures(), SYMBOLS, noise())["symbol"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert model.symbol_encoder(SYMBOLS).kl() < 1e-3  # nothing to say: the best posterior is the prior


def test_a_joint_encoder_begins_near_the_trained_one_and_does_not_share_it() -> None:
    model = jmvae()
    images = pictures()
    joint, seen = model.joint_encoder(images, SYMBOLS), model.vision.encode(images)
    assert (joint.mean - seen.mean).abs().max() < 0.5
    shared = {id(each) for each in model.vision.parameters()} & {id(each) for each in model.joint_encoder.parameters()}
    assert shared == set()


def test_only_a_vae_can_be_trained_further() -> None:
    with pytest.raises(InputError, match="need a VAE, but this is a AutoEncoder"):
        JMVAE(JMVAEConfig(), AutoEncoder(AutoEncoderConfig(latent_dim=3), None, SHAPE), 5)  # type: ignore[arg-type]


def test_the_loss_is_that_of_multivae_with_the_same_weights_and_noise() -> None:
    pytest.importorskip("multivae", reason="pip install --no-deps multivae==1.0.3 pythae==0.1.2")
    from jmvae_of_multivae import to_multivae

    ours = jmvae(alpha=0.3, beta=2.0, symbol_weight=7.0)
    images = pictures().round()  # multivae's Bernoulli takes pixels of 0 and 1 alone
    theirs, data = to_multivae(ours, images, SYMBOLS)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        loss = theirs(data, epoch=1).loss
        torch.manual_seed(5)
        noise_of_both = torch.random.default_generator
        expected = ours.objective(images, SYMBOLS, noise_of_both)["loss"]
    assert loss.item() > 100
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-7)
    loss.backward()
    gradients = {name: parameter.grad for name, parameter in ours.named_parameters()}
    twin = copy.deepcopy(ours)
    twin.zero_grad()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        twin.objective(images, SYMBOLS, torch.random.default_generator)["loss"].backward()
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], atol=1e-4, rtol=1e-4)
