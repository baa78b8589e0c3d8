"""DIP-VAE and InfoVAE: penalties on what the codes of a batch look like together."""

import pytest
import torch

from darla.vision import Posterior
from darla.vision.models.dip_vae import DIPVAE, DIPVAEConfig, code_covariance
from darla.vision.models.info_vae import maximum_mean_discrepancy

SHAPE = (16, 16, 3)


def white(count: int = 64, latents: int = 4) -> torch.Tensor:
    """Means with exactly the identity as their covariance."""
    drawn = torch.randn(count, latents, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = drawn - drawn.mean(0)
    basis, _ = torch.linalg.qr(drawn)
    return (basis * count**0.5).float()


def penalties(kind: str, mean: torch.Tensor, log_variance: torch.Tensor) -> tuple[float, float]:
    model = DIPVAE(DIPVAEConfig(latent_dim=mean.shape[1], kind=kind), None, SHAPE)
    _, parts = model.penalty(Posterior(mean, log_variance), mean, None)
    return parts["off_diagonal"].item(), parts["diagonal"].item()


def test_whitened_means_cost_nothing_in_the_first_kind():
    mean = white()
    assert penalties("i", mean, torch.zeros_like(mean)) == pytest.approx((0.0, 0.0), abs=1e-5)


def test_the_prior_itself_costs_nothing_in_the_second_kind():
    mean = torch.zeros(64, 4)
    assert penalties("ii", mean, torch.zeros_like(mean)) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert penalties("i", mean, torch.zeros_like(mean)) == pytest.approx((0.0, 4.0))


def test_the_kinds_differ_on_the_diagonal_alone_and_by_the_mean_variance():
    mean, log_variance = white() @ torch.randn(4, 4), torch.randn(64, 4)
    result = Posterior(mean, log_variance)
    difference = code_covariance(result, "ii") - code_covariance(result, "i")
    torch.testing.assert_close(difference, log_variance.exp().mean(0).diag(), atol=1e-4, rtol=1e-4)


def test_the_covariance_is_that_of_the_batch():
    mean = white() @ torch.randn(4, 4) + 3
    torch.testing.assert_close(
        code_covariance(Posterior(mean, torch.zeros_like(mean)), "i"),
        torch.cov(mean.T, correction=0),
        atol=1e-4,
        rtol=1e-4,
    )


def test_both_triangles_count():
    mean = white(latents=2)
    tied = torch.stack([mean[:, 0], 0.6 * mean[:, 0] + 0.8 * mean[:, 1]], 1)
    assert penalties("i", tied, torch.zeros_like(tied))[0] == pytest.approx(2 * 0.6**2, rel=1e-4)


def test_the_discrepancy_of_a_sample_with_itself_is_zero_and_it_is_symmetric():
    one, other = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))
    assert maximum_mean_discrepancy(one, one).item() == pytest.approx(0.0, abs=1e-6)
    torch.testing.assert_close(maximum_mean_discrepancy(one, other), maximum_mean_discrepancy(other, one))
    assert maximum_mean_discrepancy(one, other + 2) > maximum_mean_discrepancy(one, other) > 0
