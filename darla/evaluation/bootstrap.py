"""Intervals that resample policy seeds as whole rows over the targets.

A policy that failed to learn fails in every target, so the entries of a row are correlated. An interval that resamples
seeds for each target separately is too narrow, however many seeds are added. Here a resample draws whole rows: a
*cluster bootstrap* over seeds. Where several policies share an encoder it is nested: encoders are drawn first, then
policies within each encoder.

A percentile interval of n rows is too narrow for two reasons: the resampled variance is (n - 1) / n of the unbiased
one, and a normal quantile is used in place of Student's. The *expanded* percentile interval corrects for both by its
choice of percentiles (`tail_share`). It stays within the range of the statistic and needs no standard error, so it
works for ratios and shares as well as for means. Its measured coverage is in `docs/statistics.md`.

The intervals are about other training runs, given the published evaluation episodes.

References:
    Davison and Hinkley 1997, Bootstrap methods and their application, section 3.8 (nested resampling).
    Hesterberg 2015, What teachers should know about the bootstrap, The American Statistician 69 (expanded percentile
    intervals).
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from darla.common import InputError, rng_for
from darla.evaluation.aggregates import (
    FloatArray,
    mean,
    permutation_test,
    prepare,
    probability_of_improvement,
    require_same_targets,
    valid_confidence,
)
from darla.evaluation.score_types import Estimate

Statistic = Callable[[FloatArray, FloatArray], FloatArray]
"""(scores (S, D), weights (R, S)) -> values (R,)."""

FEW_SEEDS = 10
"""Below this many independent seeds an interval covers less often than it says (see `few_seeds`)."""


@dataclass(frozen=True)
class BootstrapEstimate(Estimate):
    """A number, the interval from resampling seeds, and what was resampled."""

    confidence: float
    """Nominal coverage, such as 0.95."""
    seeds: int
    """Policy seeds that were resampled: rows."""
    encoders: int
    """Encoders that they were trained on; equal to `seeds` where no two policies share one."""
    resamples: int
    """Bootstrap resamples."""

    @property
    def few_seeds(self) -> bool:
        """Whether there are so few independent seeds that the interval is narrower than it should be.

        With seeds that either learn or fail, nominal 95 % intervals of the mean covered it 66 % of the time
        at three seeds, 85 % at five, 95 % at ten and 96 % at twenty (`docs/statistics.md`).
        """
        return min(self.seeds, self.encoders) < FEW_SEEDS

    @property
    def estimate(self) -> Estimate:
        """The number and its interval alone."""
        return Estimate(self.value, self.low, self.high)


@dataclass(frozen=True)
class Comparison:
    """One method against another over the same targets and the same evaluation episodes."""

    difference: BootstrapEstimate
    """Mean of the first less mean of the second."""
    ratio: BootstrapEstimate
    """Mean of the first over mean of the second."""
    improvement: BootstrapEstimate
    """Probability that a random run of the first beats a random run of the second in a random target."""
    p_value: float
    """Two-sided permutation p-value of no difference; see `permutation_test`."""
    paired: bool
    """Whether the rows were resampled together, because they share their seeds."""


def bootstrap(
    scores: ArrayLike,
    statistic: Statistic = mean,
    *,
    encoders: Sequence[Hashable] | None = None,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> BootstrapEstimate:
    """Estimate a statistic with an expanded percentile interval from resampled rows.

    Args:
        scores: (S, D), or (S,) for one target.
        statistic: one of this module's, or any function of (scores, weights).
        encoders: for each row the encoder that its policy was trained on; None if each has one of its own.
            Encoders are drawn first, then as many policies of each drawn encoder as it has.
        resamples: bootstrap resamples.
        confidence: nominal coverage.
        seed: seed of the resampling.

    Raises:
        InputError: a score is missing or not finite, or a setting is out of range.
    """
    scores, ones, _ = prepare(scores, None)
    counts = row_counts(_labels(encoders, len(scores)), resamples, rng_for(seed, "bootstrap"))
    value = float(statistic(scores, ones)[0])
    return _estimate(value, statistic(scores, counts), encoders, len(scores), confidence)


def bootstrap_curve(
    scores: ArrayLike,
    curve: Statistic,
    *,
    encoders: Sequence[Hashable] | None = None,
    resamples: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[FloatArray, FloatArray | None, FloatArray | None]:
    """Estimate a curve, such as a performance profile, with an interval at each of its points.

    Args:
        scores: (S, D), or (S,) for one target.
        curve: (scores (S, D), weights (R, S)) -> (R, T), the curve at T points.
        encoders: see `bootstrap`, as for the rest.
        resamples: bootstrap resamples.
        confidence: nominal coverage at each point, not of the whole curve at once.
        seed: seed of the resampling.

    Returns:
        The curve, its lower and its upper bounds, (T,) each; no bounds where one seed leaves nothing to resample.
    """
    scores, ones, _ = prepare(scores, None)
    value = curve(scores, ones)[0]
    if len(scores) == 1:
        return value, None, None
    resampled = curve(scores, row_counts(_labels(encoders, len(scores)), resamples, rng_for(seed, "bootstrap")))
    low, high = interval_ends(resampled, tail_share(confidence, _units(encoders, len(scores))))
    return value, low, high


def compare(
    first: ArrayLike,
    second: ArrayLike,
    *,
    paired: bool,
    encoders: tuple[Sequence[Hashable] | None, Sequence[Hashable] | None] = (None, None),
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two methods in the same targets.

    Args:
        first: (S1, D).
        second: (S2, D), the same targets in the same order.
        paired: draw row i of both together; they must have as many rows, the i-th of the same seed.
        encoders: for the rows of each the encoder that the policy was trained on; see `bootstrap`. If paired, rows
            that share an encoder in the first stay together.
        resamples: bootstrap resamples.
        confidence: nominal coverage.
        seed: seed of the resampling.

    Raises:
        InputError: the matrices do not fit together, or hold a score that is not finite.
    """
    one, ones_one, _ = prepare(first, None)
    two, ones_two, _ = prepare(second, None)
    require_same_targets(one, two)
    if paired and len(one) != len(two):
        raise InputError(f"a paired comparison needs as many rows on both sides, not {len(one)} and {len(two)}")
    rng = rng_for(seed, "comparison")
    labels_one = _labels(encoders[0], len(one))
    labels_two = labels_one if paired else _labels(encoders[1], len(two))
    counts_one = row_counts(labels_one, resamples, rng)
    counts_two = counts_one if paired else row_counts(labels_two, resamples, rng)
    means_one, means_two = mean(one, counts_one), mean(two, counts_two)
    value_one, value_two = float(mean(one)), float(mean(two))
    wins_resampled = probability_of_improvement(one, two, (counts_one, counts_two))
    wins = float(probability_of_improvement(one, two, (ones_one, ones_two))[0])

    # The side with fewer independent units limits the interval.
    fewest = 0 if labels_one.max() <= labels_two.max() else 1
    rows, labels = (len(one), len(two))[fewest], encoders[fewest]

    def estimate(value: float, resampled: FloatArray) -> BootstrapEstimate:
        return _estimate(value, resampled, labels, rows, confidence)

    return Comparison(
        difference=estimate(value_one - value_two, means_one - means_two),
        ratio=estimate(float(_ratio(value_one, value_two)), _ratio(means_one, means_two)),
        improvement=estimate(wins, wins_resampled),
        p_value=permutation_test(
            _cluster_means(one, labels_one), _cluster_means(two, labels_two), paired=paired, seed=seed
        ),
        paired=paired,
    )


def row_counts(labels: NDArray[np.int64], resamples: int, rng: np.random.Generator) -> FloatArray:
    """Draw how often each row appears in each resample.

    Args:
        labels: (S,), the encoder of each row as a number from 0 on.
        resamples: number of resamples R.
        rng: generator.

    Returns:
        (R, S) counts. Encoders with unequal numbers of policies make resamples of unequal size.
    """
    if resamples < 1:
        raise InputError(f"a bootstrap needs at least one resample, not {resamples}")
    members = [np.flatnonzero(labels == encoder) for encoder in range(int(labels.max()) + 1)]
    drawn = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    counts = np.empty((resamples, labels.size))
    for encoder, rows in enumerate(members):
        if rows.size == 1:  # nothing to draw within
            counts[:, rows] = drawn[:, encoder, None]
            continue
        draws = drawn[:, encoder] * rows.size
        counts[:, rows] = rng.multinomial(draws, np.full(rows.size, 1 / rows.size))
    return counts


def tail_share(confidence: float, units: int) -> float:
    """Return the share of resamples that an expanded percentile interval leaves out at each end.

    Phi(sqrt(n / (n - 1)) t), with t the quantile of Student's distribution with n - 1 degrees of freedom that nominal
    coverage asks for (Hesterberg 2015): 0.0086 at ten units for 95 %, and 0.025 in the limit.

    Args:
        confidence: nominal coverage.
        units: n, how many independent units were resampled; at least 2.
    """
    t = stdtrit(units - 1, (1 - valid_confidence(confidence)) / 2)
    return float(ndtr(sqrt(units / (units - 1)) * t))


def interval_ends(resampled: FloatArray, tail: float) -> tuple[FloatArray, FloatArray]:
    """Return the values that leave out the share `tail` of the resamples below and above.

    Args:
        resampled: (R, ...), resamples first.
        tail: below 1/2.
    """
    # Order statistics rather than interpolated ones: a ratio may be infinite in some resamples.
    ordered, count = np.sort(resampled, axis=0), len(resampled)
    return ordered[int(tail * count)], ordered[min(count, ceil((1 - tail) * count)) - 1]


def _estimate(
    value: float, resampled: FloatArray, encoders: Sequence[Hashable] | None, seeds: int, confidence: float
) -> BootstrapEstimate:
    valid_confidence(confidence)
    low: float | None = None
    high: float | None = None
    if seeds > 1:
        low, high = map(float, interval_ends(resampled, tail_share(confidence, _units(encoders, seeds))))
    independent = seeds if encoders is None else len(set(encoders))
    return BootstrapEstimate(value, low, high, confidence, seeds, independent, resampled.size)


def _units(encoders: Sequence[Hashable] | None, seeds: int) -> int:
    """Return how many independent units a resample draws: encoders, or policies where all share one encoder."""
    independent = seeds if encoders is None else len(set(encoders))
    return independent if independent > 1 else seeds


def _ratio(one: Any, two: Any) -> FloatArray:
    """Return one / two; infinite where a baseline at or below 0 is beaten from above 0, else 0 there."""
    one, two = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    positive = two > 0
    ratio = np.divide(one, two, out=np.zeros_like(one), where=positive)
    return np.where(positive, ratio, np.where(one > 0, inf, 0.0))


def _cluster_means(scores: FloatArray, labels: NDArray[np.int64]) -> FloatArray:
    """Return for each encoder the mean over its policies and all targets: numbers that are independent."""
    rows = scores.mean(axis=1)
    return np.bincount(labels, weights=rows) / np.bincount(labels)


def _labels(encoders: Sequence[Hashable] | None, seeds: int) -> NDArray[np.int64]:
    if encoders is None:
        return np.arange(seeds)
    if len(encoders) != seeds:
        raise InputError(f"{len(encoders)} encoders were named for {seeds} rows of scores")
    numbers = {encoder: number for number, encoder in enumerate(dict.fromkeys(encoders))}
    return np.array([numbers[encoder] for encoder in encoders], dtype=np.int64)
