"""Rank correlation: the library's coefficient, an exact test, and an interval that covers."""

from itertools import permutations
from math import asin, pi

import numpy as np
import pytest
from scipy.stats import spearmanr

from darla.common import InputError
from darla.evaluation.rank_correlation import rank_correlation

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("tied", [False, True])
def test_the_coefficient_is_the_librarys(tied):
    one, two = RNG.normal(size=14), RNG.normal(size=14)
    if tied:
        one, two = np.round(one), np.round(two)
    result = rank_correlation(one, two)
    assert result is not None
    assert result.rho == pytest.approx(spearmanr(one, two).statistic)
    assert result.low <= result.rho <= result.high
    assert not result.preliminary


def test_the_p_value_is_that_of_all_permutations():
    one, two = np.arange(6.0), np.array([1.0, 0.0, 2.0, 4.0, 3.0, 5.0])
    result = rank_correlation(one, two)
    assert result is not None
    every = np.array([spearmanr(one, two[list(order)]).statistic for order in permutations(range(6))])
    assert result.p_value == pytest.approx(np.mean(np.abs(every) >= abs(result.rho) - 1e-9))
    assert result.preliminary


def test_few_items_are_tried_in_every_order():
    for items, orders in ((4, 24), (5, 120), (7, 5040)):
        # Of all orders only the perfect one and its reverse are as far from no relation.
        assert rank_correlation(range(items), range(items)).p_value == 2 / orders


def test_an_order_is_what_counts():
    one = RNG.normal(size=12)
    perfect = rank_correlation(one, np.exp(one))
    assert perfect is not None
    assert (perfect.rho, perfect.low, perfect.high) == (1.0, 1.0, 1.0)
    assert rank_correlation(one, -(one**3)).rho == -1.0


def test_without_an_order_there_is_no_correlation():
    assert rank_correlation([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) is None
    assert rank_correlation([1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]) is None


def test_numbers_that_do_not_belong_together_are_refused():
    with pytest.raises(InputError, match="two numbers for each item"):
        rank_correlation([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="finite"):
        rank_correlation([1.0, np.nan, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0])


@pytest.mark.slow
def test_intervals_of_twelve_encoders_cover_within_four_points():
    truth, held = 6 / pi * asin(0.3), 0
    for number in range(600):
        pair = RNG.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=12)
        result = rank_correlation(*pair.T, resamples=1_000, seed=number)
        held += result.low <= truth <= result.high
    assert 0.91 < held / 600 < 0.99
