"""Importance by permutation, read from leaves: what the forest says when it reads every row again."""

import numpy as np
import pytest

from darla.vision.metrics import Sample
from darla.vision.metrics.core.forest import Forest
from darla.vision.metrics.core.permutation_importance import PermutationImportance


def sample(kind):
    """Return codes in which every latent tells something of every factor, one latent is still and one is coarse."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=700) for size in (2, 9)], axis=1).astype(float)
    if kind == "continuous":
        factors[:, 1] += rng.random(700)
    if kind == "class unseen":
        factors[:600, 1] = np.minimum(factors[:600, 1], 7)
    codes = factors @ rng.standard_normal((2, 6)) + rng.standard_normal((700, 6))
    codes[:, 2], codes[:, 3] = 0.0, np.round(codes[:, 3])
    return Sample(codes[:600], factors[:600], test_codes=codes[600:], test_factors=factors[600:])


@pytest.mark.parametrize("kind", ["classes", "continuous", "class unseen"])
@pytest.mark.parametrize("k", [0, 1])
def test_errors_are_those_of_reading_every_row_again(kind, k):
    forest = Forest(sample(kind), k)
    read = PermutationImportance(forest)

    def errors(places):
        return np.square(forest.predict(places) - forest.test_targets).sum(axis=1)

    np.testing.assert_allclose(read.errors(), errors(forest.test_ranks), rtol=0, atol=1e-12)
    rng = np.random.default_rng(1)
    orders = [rng.permutation(100) for _ in range(3)]
    for latent in range(6):
        dealt = [forest.test_ranks.copy() for _ in orders]
        for places, order in zip(dealt, orders, strict=True):
            places[:, latent] = places[order, latent]
        expected = [errors(places) for places in dealt]
        np.testing.assert_allclose(read.errors_without(latent, orders), expected, rtol=0, atol=1e-12)


def test_a_latent_that_no_tree_asks_for_changes_nothing_at_all():
    forest = Forest(sample("classes"), 0)
    read = PermutationImportance(forest)
    assert not forest.used[2]
    again = read.errors_without(2, [np.arange(100)[::-1]])
    np.testing.assert_array_equal(again, read.errors()[None])
