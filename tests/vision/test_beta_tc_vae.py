import math

import pytest
import torch

from darla.common import InputError
from darla.vision import Posterior
from darla.vision.models.beta_tc_vae import ESTIMATORS, BetaTCVAE, BetaTCVAEConfig, decompose_kl, log_importance_weights


def posterior(count: int = 12, latents: int = 3, spread: float = 0.3) -> tuple[Posterior, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(count, latents, generator=generator)
    result = Posterior(mean, torch.full_like(mean, 2 * math.log(spread)))
    return result, result.sample(generator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_three_parts_telescope(estimator):
    result, latents = posterior()
    given = torch.distributions.Normal(result.mean, (0.5 * result.log_variance).exp()).log_prob(latents).sum(1)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(latents).sum(1)
    total = sum(decompose_kl(result, latents, 1000, estimator))
    torch.testing.assert_close(total, (given - prior).mean(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_latent_has_no_total_correlation(estimator):
    result, latents = posterior(latents=1)
    assert decompose_kl(result, latents, 500, estimator)[1].item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize(("batch", "images"), [(5, 100), (2, 10), (64, 36_000), (7, 7)])
def test_stratified_weights_sum_to_one_with_one_over_n_on_the_diagonal(batch, images):
    weights = log_importance_weights(batch, images, "stratified").exp()
    torch.testing.assert_close(weights.sum(1), torch.ones(batch))
    torch.testing.assert_close(weights.diagonal(), torch.full((batch,), 1 / images))


def test_the_whole_set_as_a_batch_gives_the_mixture_itself():
    result, latents = posterior(count=9)
    each = torch.distributions.Normal(result.mean[None], (0.5 * result.log_variance[None]).exp()).log_prob(
        latents[:, None]
    )
    joint = each.sum(2).exp().mean(1).log()
    product = each.exp().mean(1).log().sum(1)
    _, correlation, _ = decompose_kl(result, latents, 9, "weighted")
    # The weights are 1/N^2 there instead of 1/N: log N once in log q(z), and once for each latent in the product.
    exact = (joint - product).mean() + (3 - 1) * math.log(9)
    torch.testing.assert_close(correlation, exact, rtol=1e-4, atol=1e-4)


def test_independent_latents_are_less_correlated_than_copies():
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(200, 1, generator=generator)
    narrow = torch.full((200, 2), 2 * math.log(0.2))
    apart = Posterior(torch.randn(200, 2, generator=generator), narrow)
    copies = Posterior(one.expand(-1, 2).clone(), narrow)
    result = [decompose_kl(q, q.sample(generator), 200, "stratified")[1].item() for q in (apart, copies)]
    assert result[1] > result[0] + 0.5


def test_narrow_posteriors_stay_finite():
    result, _ = posterior()
    sharp = Posterior(result.mean, torch.full_like(result.mean, 2 * math.log(1e-4)))
    assert all(torch.isfinite(part) for part in decompose_kl(sharp, sharp.mean, 10_000, "stratified"))


def test_the_size_of_the_training_set_counts(images):
    torch.manual_seed(0)
    model = BetaTCVAE(BetaTCVAEConfig(latent_dim=4), None, (16, 16, 3))
    result = []
    for count in (100, 10_000):
        model.set_dataset_size(count)
        result.append(model.loss(images, torch.Generator().manual_seed(0))["mutual_information"].item())
    assert result[1] - result[0] == pytest.approx(math.log(100), rel=1e-4)
    with pytest.raises(InputError, match="cannot be estimated"):
        log_importance_weights(10, 5, "weighted")
