"""Spearman's rank correlation over few items, with an interval and a test that assume no distribution."""

from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from darla.common import InputError, rng_for
from darla.evaluation.aggregates import MAX_EXCHANGES, valid_confidence
from darla.evaluation.bootstrap import FEW_SEEDS, interval_ends, row_counts

FEWEST = 4
"""Items below which there is no rank correlation: three can be ordered in six ways only."""


@dataclass(frozen=True)
class RankCorrelation:
    """How far two rankings of the same items agree."""

    rho: float
    """Spearman's coefficient."""
    low: float
    """Lower end of its interval over other items."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided permutation p-value of no relation: over every order of seven items or fewer, over 20,000 random
    orders of more."""
    items: int
    """Number of items."""

    @property
    def preliminary(self) -> bool:
        """Whether there are so few items that the interval is unreliable."""
        return self.items < FEW_SEEDS


def rank_correlation(
    first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, resamples: int = 5_000, seed: int = 0
) -> RankCorrelation | None:
    """Correlate the ranks of two numbers that each item has.

    Args:
        first: (n,).
        second: (n,).
        confidence: nominal coverage of the interval. It is a plain percentile interval over resampled items: ties make
            resampled ranks vary more than ranks do, which makes up for what the expanded interval corrects in a mean
            (`docs/statistics.md`). Resamples in which one side is constant have no rank correlation and are left out.
        resamples: bootstrap resamples.
        seed: seed of resampling and permutation.

    Returns:
        None where there are fewer than `FEWEST` items, or one side is constant and cannot be ranked.

    Raises:
        InputError: the two have different lengths, or a number is not finite.
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise InputError(f"a correlation needs two numbers for each item, not {one.shape} and {two.shape}")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise InputError("numbers to correlate must be finite")
    if one.size < FEWEST or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None
    rho = float(_spearman(one[None], two[None])[0])
    counts = row_counts(np.arange(one.size), resamples, rng_for(seed, "correlation"))
    drawn = np.repeat(np.tile(np.arange(one.size), resamples), counts.astype(np.int64).ravel())
    rows = drawn.reshape(resamples, one.size)
    resampled = _spearman(one[rows], two[rows])
    low, high = interval_ends(resampled[np.isfinite(resampled)], (1 - valid_confidence(confidence)) / 2)
    # Ranks are permuted against each other; the observed order is the first of the permutations.
    ranks = np.stack([rankdata(each) - (one.size + 1) / 2 for each in (one, two)])
    strength = np.abs(_orders(ranks[0], rng_for(seed, "permutation")) @ ranks[1])
    p_value = float(np.mean(strength >= strength[0] * (1 - 1e-9)))
    return RankCorrelation(rho, float(low), float(high), p_value, one.size)


def _orders(ranks: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the ranks in every order, or in many random ones, the observed order first."""
    if factorial(ranks.size) <= MAX_EXCHANGES:
        return np.array(list(permutations(ranks)))
    drawn = rng.permuted(np.tile(ranks, (MAX_EXCHANGES, 1)), axis=1)
    drawn[0] = ranks
    return drawn


def _spearman(one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the coefficient of each row, (R, n) to (R,); NaN where a side is constant."""
    a, b = (rankdata(side, axis=1) - (side.shape[1] + 1) / 2 for side in (one, two))
    squares = np.square(a).sum(axis=1) * np.square(b).sum(axis=1)
    with np.errstate(invalid="ignore"):
        coefficient: NDArray[np.float64] = (a * b).sum(axis=1) / np.sqrt(squares)
    return np.clip(coefficient, -1.0, 1.0)
