"""Ada-GVAE and its relatives: which latents a pair shares, and what their common posterior is."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from darla.common import InputError
from darla.vision import SeeConfig
from darla.vision.encoders.load import build_model
from darla.vision.models.ada_vae import average, batch_of, pair_of, product
from darla.vision.models.base import Posterior
from darla.vision.training.loop import build_seeded

SHAPE = (16, 16, 3)


def build(model: str, **changes):
    config = SeeConfig().change(model=model, latent_dim=4, **changes)
    return build_seeded(lambda: build_model(config, SHAPE), 0)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def posteriors(pairs: int = 3, latents: int = 4) -> tuple[Posterior, Posterior]:
    rng = torch.Generator().manual_seed(1)
    return tuple(
        Posterior(torch.randn(pairs, latents, generator=rng), torch.randn(pairs, latents, generator=rng))
        for _ in range(2)
    )


def as_normal(posterior: Posterior) -> Normal:
    return Normal(posterior.mean, (0.5 * posterior.log_variance).exp())


def test_the_divergence_is_that_of_two_normals():
    first, second = posteriors()
    torch.testing.assert_close(first.kl_to(second), kl_divergence(as_normal(first), as_normal(second)))


def test_pairs_come_apart_and_back_in_order():
    first, second = posteriors()
    both = batch_of(first, second)
    torch.testing.assert_close(both.mean[0::2], first.mean)
    again = pair_of(both)
    torch.testing.assert_close(again[1].log_variance, second.log_variance)


def test_the_average_has_the_mean_of_means_and_of_variances():
    first, second = (
        Posterior(torch.tensor([[1.0]]), torch.tensor([[0.0]])),
        Posterior(torch.tensor([[3.0]]), torch.tensor([[math.log(5.0)]])),
    )
    common = average(first, second)
    torch.testing.assert_close(common.mean, torch.tensor([[2.0]]))
    torch.testing.assert_close(common.log_variance.exp(), torch.tensor([[3.0]]))  # (1 + 5) / 2; not of deviations


def test_the_product_is_the_normalized_product_of_densities():
    first, second = posteriors(1, 1)
    common = product(first, second)
    z = torch.linspace(-30, 30, 60_001, dtype=torch.float64)[:, None]
    density = (as_normal(first).log_prob(z) + as_normal(second).log_prob(z)).exp()[:, 0]
    density /= density.sum()
    mean = float((density * z[:, 0]).sum())
    assert float(common.mean) == pytest.approx(mean, abs=1e-4)
    variance = float((density * (z[:, 0] - mean) ** 2).sum())
    assert float(common.log_variance.exp()) == pytest.approx(variance, rel=1e-4)


def test_equal_posteriors_average_to_themselves_and_multiply_to_half_the_variance():
    first, _ = posteriors()
    torch.testing.assert_close(average(first, first).log_variance, first.log_variance)
    common = product(first, first)
    torch.testing.assert_close(common.mean, first.mean)
    torch.testing.assert_close(common.log_variance, first.log_variance - math.log(2))


def test_latents_below_half_way_between_least_and_largest_divergence_are_shared():
    model = build("ada_gvae")
    zeros = torch.zeros(1, 4)
    moved = torch.tensor([[0.0, 1.0, 1.3, 2.0]])  # deltas 0, 0.5, 0.845, 2: half way is 1
    shared = model.shared(Posterior(moved, zeros), Posterior(zeros, zeros))
    assert shared.tolist() == [[True, True, True, False]]


def test_of_two_equal_images_nothing_is_shared():
    first, _ = posteriors()
    assert not build("ada_gvae").shared(first, first).any()


@pytest.mark.parametrize("name", ["ada_gvae", "ada_ml_vae", "gvae", "ml_vae"])
def test_equal_images_make_a_beta_vae_of_an_averaging_model(name, images):
    small = {"content_dim": 2} if "ada" not in name else {}
    model, vae = build(name, beta=3.0, **small), build("beta_vae", beta=3.0)
    vae.load_state_dict(model.state_dict())
    twice = images[:4].repeat_interleave(2, dim=0)
    ours, theirs = model.loss(twice, generator()), vae.loss(twice, generator())
    if name == "ml_vae":  # evidence for the content counts twice
        assert ours["kl"] > theirs["kl"]
    else:
        torch.testing.assert_close(ours["loss"], theirs["loss"])


def test_shared_latents_are_equal_in_both_images_and_the_others_their_own(images):
    model = build("ada_gvae").eval()
    own, inferred = pair_of(model.encode(images)), pair_of(model.infer(images, None))
    shared = model.shared(*own)
    assert shared.any()
    assert not shared.all(dim=1).any()  # the latent that differs most is never below the threshold
    assert torch.equal(inferred[0].mean[shared], inferred[1].mean[shared])
    for mine, common in zip(own, inferred, strict=True):
        assert torch.equal(common.mean[~shared], mine.mean[~shared])
        assert torch.equal(common.log_variance[~shared], mine.log_variance[~shared])


def test_the_order_of_a_pair_matters_only_without_the_symmetric_divergence():
    first, second = posteriors(200)
    symmetric, directed = build("ada_gvae", symmetric=True), build("ada_gvae")
    assert torch.equal(symmetric.shared(first, second), symmetric.shared(second, first))
    assert not torch.equal(directed.shared(first, second), directed.shared(second, first))


def test_the_content_of_a_pair_is_common_and_its_style_is_not(images):
    model = build("gvae", content_dim=3).eval()
    own, (first, second) = model.encode(images), pair_of(model.infer(images, None))
    assert torch.equal(first.mean[:, :3], second.mean[:, :3])
    torch.testing.assert_close(first.mean[:, :3], 0.5 * (own.mean[0::2, :3] + own.mean[1::2, :3]))
    assert torch.equal(first.mean[:, 3], own.mean[0::2, 3])


def test_all_latents_content_is_one_posterior_for_both_images(images):
    first, second = pair_of(build("gvae", content_dim=4).eval().infer(images, None))
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.log_variance, second.log_variance)


@pytest.mark.parametrize("content", [0, 5])
def test_content_that_is_no_part_of_the_latents_is_refused(content):
    with pytest.raises(InputError, match=f"content_dim is {content}"):
        build("gvae", content_dim=content)


def test_encoding_needs_no_pair(images):
    model = build("ada_gvae").eval()
    with torch.no_grad():
        np.testing.assert_allclose(model.encode(images[:1]).mean, model.encode(images).mean[:1], rtol=1e-4, atol=1e-5)
