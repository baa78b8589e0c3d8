"""Samples without an excluded value have the density q(z) (1 - p(v|z)) / Z."""

import math

import pytest
import torch

from darla.vision.concepts.exclusion import sample_without
from darla.vision.models.base import Posterior

NORMAL = Posterior(torch.zeros(1, 1), torch.zeros(1, 1))


def drawn(probability, count=4000, seed=0):
    return sample_without(NORMAL, count, probability, torch.Generator().manual_seed(seed))


def test_what_is_never_shown_leaves_the_posterior_as_it_is():
    z = drawn(lambda z: torch.zeros(len(z)))
    assert z.shape == (4000, 1)
    assert z.mean().item() == pytest.approx(0, abs=0.05)
    assert z.std().item() == pytest.approx(1, abs=0.05)


def test_a_side_that_shows_it_is_left_out():
    z = drawn(lambda z: (z[:, 0] > 0).float())
    assert (z <= 0).all()
    assert z.mean().item() == pytest.approx(-math.sqrt(2 / math.pi), abs=0.03)  # half of a normal distribution


def test_the_density_is_that_of_the_posterior_times_what_is_left():
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    weight = torch.exp(-(grid**2) / 2) * (1 - torch.sigmoid(3 * grid))
    mean = (grid * weight).sum() / weight.sum()
    assert drawn(lambda z: torch.sigmoid(3 * z[:, 0])).mean().item() == pytest.approx(mean.item(), abs=0.03)


def test_a_value_in_the_middle_is_left_out_where_no_gaussian_could():
    z = drawn(lambda z: (z[:, 0].abs() < 0.5).float())
    assert z.abs().min() >= 0.5
    assert {bool(side) for side in (z[:, 0] > 0).tolist()} == {True, False}


def test_where_everything_shows_it_the_least_wrong_are_returned():
    z = drawn(lambda z: 1 - 1e-9 * torch.sigmoid(-z[:, 0]).double(), count=5)
    assert z.shape == (5, 1)
    assert z.mean() < -1.5, "the smallest of 160 samples"


def test_the_seed_decides():
    def half(z):
        return (z[:, 0] > 0).float()

    assert torch.equal(drawn(half, 20, seed=3), drawn(half, 20, seed=3))
    assert not torch.equal(drawn(half, 20, seed=3), drawn(half, 20, seed=4))
