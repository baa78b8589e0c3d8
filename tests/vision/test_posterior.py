import pytest
import torch
from torch.distributions import Normal, kl_divergence

from darla.vision import Posterior


def test_kl_of_the_prior_is_zero():
    assert Posterior(torch.zeros(5, 3), torch.zeros(5, 3)).kl() == 0


def test_kl_of_a_shifted_prior_is_half_the_squared_distance():
    mean = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    assert Posterior(mean, torch.zeros(2, 2)).kl() == pytest.approx((25 / 2 + 4 / 2) / 2)


def test_kl_is_that_of_torch_distributions_for_each_latent():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 7, 4, generator=generator)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(Posterior(mean, log_variance).kl_per_latent(), expected)


def test_duplicating_the_batch_leaves_kl_unchanged():
    mean, log_variance = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    twice = Posterior(mean.repeat(2, 1), log_variance.repeat(2, 1))
    torch.testing.assert_close(twice.kl(), Posterior(mean, log_variance).kl())


def test_samples_have_the_posterior_mean_and_standard_deviation():
    posterior = Posterior(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), 0.25).log())
    z = posterior.sample(torch.Generator().manual_seed(0))
    assert z.mean() == pytest.approx(2.0, abs=0.02)
    assert z.std() == pytest.approx(0.5, abs=0.01)


def test_samples_are_named_by_the_generator():
    posterior = Posterior(torch.zeros(3, 2), torch.zeros(3, 2))
    first, again, other = (posterior.sample(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
