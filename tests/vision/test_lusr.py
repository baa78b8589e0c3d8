"""LUSR: the domain code is shuffled within its domain, and the cycle trains the encoder alone."""

import pytest
import torch
from squares import KnownFrames

from darla.common import InputError
from darla.vision import SeeConfig
from darla.vision.encoders.load import build_model
from darla.vision.models.lusr import shuffle_within
from darla.vision.training.loop import build_seeded

SHAPE = (16, 16, 3)


def build(**changes):
    config = SeeConfig().change(model="lusr", latent_dim=4, domain_dim=3, domains=2, **changes)
    return build_seeded(lambda: build_model(config, SHAPE), 0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_codes_are_shuffled_within_their_domain():
    codes = torch.arange(24.0)[:, None]
    shuffled = shuffle_within(codes, 3, generator())
    for domain in range(3):
        assert sorted(shuffled[domain::3, 0].tolist()) == codes[domain::3, 0].tolist()
    assert not torch.equal(shuffled, codes)
    offsets = [(shuffled[domain::3, 0] - domain).tolist() for domain in range(3)]
    assert offsets[0] != offsets[1]  # each domain in an order of its own


def test_with_one_image_of_each_domain_shuffling_does_nothing():
    codes = torch.randn(3, 5, generator=generator())
    assert torch.equal(shuffle_within(codes, 3, generator()), codes)


def test_with_one_image_of_each_domain_the_forward_term_is_a_vaes(images):
    model = build(beta=5.0, cycle_weight=0.0)
    pair = images[:2]
    terms = model.loss(pair, generator())
    posterior, codes = model.encode_all(pair)
    z = posterior.sample(generator())
    rec, _ = model.reconstruction(model.decoder(torch.cat([z, codes], dim=1)), pair)
    torch.testing.assert_close(terms["loss"], rec + 5 * posterior.kl())


def test_the_cycle_trains_the_encoder_and_not_the_decoder(images):
    model = build()
    _, codes = model.encode_all(images)
    model.cycle(codes, generator()).backward()
    assert all(parameter.grad is None for parameter in model.decoder.parameters())
    assert model.encoder.head.weight.grad.abs().sum() > 0


def test_a_decoder_that_ignores_the_domain_closes_the_cycle(images):
    model = build()
    with torch.no_grad():
        first = next(layer for layer in model.decoder.modules() if isinstance(layer, torch.nn.Linear))
        first.weight[:, 4:] = 0.0
        model.encoder.head.bias[4:8] = -60.0  # no noise
        model.encoder.head.weight[4:8] = 0.0
    with torch.no_grad():
        _, codes = model.encode_all(images)
        assert float(model.cycle(codes, generator())) < 1e-6
        assert float(build().cycle(codes, generator())) > 1e-3


def test_the_weights_are_the_authors_up_to_one_factor(images):
    """Their loss: mean squared errors of both images + 2 x 10 KL / (pixels) + L1, which is ours times 4 / pixels."""
    model = build()
    terms = model.loss(images, generator())
    pixels = 16 * 16 * 3
    constant = model.reconstruction.likelihood.loss(
        torch.full_like(images, 30.0), torch.ones_like(images)
    )  # of the density; its error is 0 up to a sigmoid
    squared = 2 * (terms["pixel"] - constant)  # mean over both decodings, summed over pixels
    theirs = 2 * squared / pixels + 20 * terms["kl"] / pixels + terms["cycle"]
    torch.testing.assert_close(4 / pixels * (terms["loss"] - constant), theirs, rtol=1e-4, atol=1e-5)


def test_policies_read_what_domains_share(images):
    model = build().eval()
    assert model.encode(images).mean.shape == (len(images), 4)
    assert model.domain_code(images).shape == (len(images), 3)
    assert model.decode(torch.zeros(2, 4)).shape == (2, 3, 16, 16)


def test_the_mean_look_follows_the_batches_and_only_in_training(images):
    model = build()
    before = model.domain_mean.clone()
    model.eval().loss(images, generator())
    assert torch.equal(model.domain_mean, before)
    codes = model.domain_code(images).detach().mean(0)
    model.train().loss(images, generator())
    torch.testing.assert_close(model.domain_mean, before + 0.01 * (codes - before))


def test_the_frames_say_how_many_domains_there_are():
    frames = KnownFrames(8)
    assert SeeConfig().change(model="lusr").vae.for_frames(frames).domains == 2
    with pytest.raises(InputError, match="3 domains"):
        SeeConfig().change(model="lusr", domains=3).vae.for_frames(frames)
    frames.domain_ids = frames.domain_ids * 0
    with pytest.raises(InputError, match="two or more"):
        SeeConfig().change(model="lusr").vae.for_frames(frames)
