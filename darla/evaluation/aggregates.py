"""Statistics of transfer, computed from a matrix of scores: policy seeds by targets.

Scores come as a matrix (S, D): one row for each policy seed, one column for each target domain. Every
statistic also takes weights of the rows. A bootstrap resample is then a row of counts, and no score is ever
copied: ten thousand resamples of ten seeds in five targets take milliseconds (`darla.evaluation.bootstrap`).

References:
    Agarwal et al. 2021, Deep RL at the edge of the statistical precipice (IQM, optimality gap, probability
    of improvement, performance profiles); Wilson 1927, Probable inference (the interval of a proportion);
    Holm 1979, A simple sequentially rejective multiple test procedure; Fisher 1935, The design of
    experiments (permutation test).
"""

from dataclasses import dataclass
from itertools import combinations, product
from math import comb, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darla.common import InputError, rng_for

FloatArray = NDArray[np.float64]
_CELLS_AT_ONCE = 4_000_000
"""Bound on the temporary arrays of one bootstrap block, in numbers."""
MAX_CONFIDENCE = 0.999_999
"""Closer to 1 no number of resamples that fits in memory says anything, and quantiles become infinite."""
MAX_EXCHANGES = 20_000
"""Exchanges of labels that a permutation test tries at most."""
TESTABLE_RUNS = 6
"""Independent runs from which on a paired permutation test can fall below 0.05: 2 / 2^6 is 0.03."""


@dataclass(frozen=True)
class Proportion:
    """A success rate and its Wilson interval over episodes."""

    value: float
    low: float
    high: float
    confidence: float
    scope: str = "within-policy"
    """What the interval is about: other episodes of this policy, never another training run."""


def mean(scores: ArrayLike, weights: FloatArray | None = None) -> FloatArray:
    """Return the mean over seeds and targets.

    Args:
        scores: (S, D), or (S,) for one target.
        weights: (R, S), the weight of each row in each of R resamples; every row once if None.

    Returns:
        (R,), or a scalar array if there are no weights.
    """
    scores, weights, scalar = prepare(scores, weights)
    return _shaped(weights @ scores.mean(axis=1) / weights.sum(axis=1), scalar)


def iqm(scores: ArrayLike, weights: FloatArray | None = None) -> FloatArray:
    """Return the interquartile mean over all seeds and targets.

    The lowest and the highest quarter of the scores are left out, rounded down to whole scores on each side: the 25 %
    trimmed mean of Agarwal et al. 2021. See `mean` for the arguments.
    """
    scores, weights, scalar = prepare(scores, weights)
    seeds, targets = scores.shape
    order = np.argsort(scores, axis=None, kind="stable")
    values, rows = scores.ravel()[order], np.repeat(np.arange(seeds), targets)[order]
    results = []
    for block in _blocks(weights, seeds * targets):
        weight = block[:, rows]
        upper = np.cumsum(weight, axis=1)
        total = upper[:, -1:]
        cut = np.floor(total / 4)
        kept = np.clip(upper, cut, total - cut)
        kept -= np.clip(upper - weight, cut, total - cut)
        results.append(kept @ values / (total - 2 * cut)[:, 0])
    return _shaped(np.concatenate(results), scalar)


def worst_target(scores: ArrayLike, weights: FloatArray | None = None) -> FloatArray:
    """Return the mean over seeds in the target where that mean is lowest. See `mean` for the arguments."""
    scores, weights, scalar = prepare(scores, weights)
    means = weights @ scores / weights.sum(axis=1, keepdims=True)
    return _shaped(means.min(axis=1), scalar)


def optimality_gap(scores: ArrayLike, weights: FloatArray | None = None, *, target: float = 1.0) -> FloatArray:
    """Return by how much scores fall short of `target` on average; those above it count as equal to it.

    See `mean` for the other arguments. Scores are usually normalized, so that 1 is the reference agent.
    """
    scores, weights, scalar = prepare(scores, weights)
    short = (target - np.minimum(scores, target)).mean(axis=1)
    return _shaped(weights @ short / weights.sum(axis=1), scalar)


def probability_of_improvement(
    first: ArrayLike, second: ArrayLike, weights: tuple[FloatArray, FloatArray] | None = None
) -> FloatArray:
    """Return the mean over targets of P(a run of `first` scores above a run of `second`); a tie counts 1/2.

    Args:
        first: (S1, D).
        second: (S2, D), the same targets in the same order.
        weights: the rows' weights of both, (R, S1) and (R, S2).
    """
    one, weights_one, scalar = prepare(first, None if weights is None else weights[0])
    two, weights_two, _ = prepare(second, None if weights is None else weights[1])
    require_same_targets(one, two)
    above = one[:, None, :] > two[None, :, :]
    equal = one[:, None, :] == two[None, :, :]
    wins = (above + 0.5 * equal).mean(axis=2)
    total = weights_one.sum(axis=1) * weights_two.sum(axis=1)
    return _shaped(((weights_one @ wins) * weights_two).sum(axis=1) / total, scalar)


def performance_profile(scores: ArrayLike, thresholds: ArrayLike, weights: FloatArray | None = None) -> FloatArray:
    """Return the share of all seeds and targets whose score lies above each threshold.

    The score distribution of Agarwal et al. 2021: the method with the higher curve is better at that level. Where
    curves cross, no single number ranks the methods.

    Args:
        scores: (S, D), or (S,) for one target.
        thresholds: (T,).
        weights: (R, S), the weight of each row in each of R resamples; every row once if None.

    Returns:
        (R, T), or (T,) if there are no weights.
    """
    scores, weights, scalar = prepare(scores, weights)
    above = (scores[:, :, None] > np.asarray(thresholds, dtype=np.float64)).mean(axis=1)
    profile: FloatArray = weights @ above / weights.sum(axis=1, keepdims=True)
    return profile[0] if scalar else profile


def wilson(successes: int, episodes: int, confidence: float = 0.95) -> Proportion:
    """Return the share of successful episodes of one policy with its Wilson interval.

    Raises:
        InputError: there are no episodes, or more successes than episodes.
    """
    if not 0 <= successes <= episodes or episodes == 0:
        raise InputError(
            f"a proportion needs 0 <= successes <= episodes and episodes > 0, not {successes} of {episodes}"
        )
    z = NormalDist().inv_cdf((1 + valid_confidence(confidence)) / 2)
    share, spread = successes / episodes, z * z / episodes
    center = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / episodes + spread / (4 * episodes)) / (1 + spread)
    # Without the bounds rounding leaves ends like -1e-17.
    return Proportion(share, max(0.0, center - half), min(1.0, center + half), confidence)


def permutation_test(first: ArrayLike, second: ArrayLike, *, paired: bool, seed: int = 0) -> float:
    """Return the two-sided p-value of no difference between two sets of independent runs.

    Under that hypothesis labels are exchangeable: the sign of each difference if the runs are paired, the method of
    each run if not. Up to 20,000 exchanges are all tried; if there are more, 20,000 are drawn. Three runs against three
    cannot give a p-value below 0.25 paired and 0.1 unpaired, whatever they score.

    Args:
        first: (n,), one number for each independent run.
        second: (m,), the same of the other method; m = n if paired.
        paired: whether run i of both belong together.
        seed: seed of the exchanges, where they are drawn.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    rng = rng_for(seed, "permutation")
    if paired:
        signs = _signs(one.size, rng)
        observed, exchanged = abs(float((one - two).mean())), np.abs(signs @ (one - two)) / one.size
    else:
        pooled = np.concatenate([one, two])
        chosen = _memberships(pooled.size, one.size, rng)
        sums = chosen @ pooled
        observed = abs(float(one.mean() - two.mean()))
        exchanged = np.abs(sums / one.size - (pooled.sum() - sums) / two.size)
    # A tolerance, since the observed labels themselves are summed in another order.
    return float(np.mean(exchanged >= observed - 1e-9 * max(1.0, observed)))


def holm(p_values: ArrayLike) -> FloatArray:
    """Return Holm's adjusted p-values, which control the family-wise error rate."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((p.size - np.arange(p.size)) * p[order]))
    return adjusted


def prepare(scores: ArrayLike, weights: FloatArray | None) -> tuple[FloatArray, FloatArray, bool]:
    """Return scores as a checked (S, D) matrix, weights (R, S), and whether the caller gave no weights.

    Raises:
        InputError: scores of another rank, none at all, or one that is not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    scores = scores[:, None] if scores.ndim == 1 else scores
    if scores.ndim != 2 or scores.size == 0:
        raise InputError(f"scores must have the shape (seeds, targets), not {np.asarray(scores).shape}")
    if not np.isfinite(scores).all():
        raise InputError("scores must be finite: a seed was not evaluated in every target, or a return overflowed")
    if weights is None:
        return scores, np.ones((1, len(scores))), True
    return scores, weights, False


def _signs(runs: int, rng: np.random.Generator) -> FloatArray:
    """Return every assignment of signs to `runs` differences, or many random ones, the observed first."""
    if 2**runs <= MAX_EXCHANGES:
        return np.array(list(product((1.0, -1.0), repeat=runs)))
    drawn = rng.choice((1.0, -1.0), size=(MAX_EXCHANGES, runs))
    drawn[0] = 1.0
    return drawn


def _memberships(runs: int, chosen: int, rng: np.random.Generator) -> FloatArray:
    """Return every choice of `chosen` out of `runs` as rows of 0 and 1, or as many random ones likewise."""
    if comb(runs, chosen) <= MAX_EXCHANGES:
        members = np.array(list(combinations(range(runs), chosen)))
    else:
        members = np.argsort(rng.random((MAX_EXCHANGES, runs)), axis=1)[:, :chosen]
        members[0] = np.arange(chosen)
    rows = np.zeros((len(members), runs))
    np.put_along_axis(rows, members, 1.0, axis=1)
    return rows


def _shaped(resampled: FloatArray, scalar: bool) -> FloatArray:
    return resampled.reshape(()) if scalar else resampled


def _blocks(weights: FloatArray, cells: int) -> list[FloatArray]:
    rows = max(1, _CELLS_AT_ONCE // cells)
    return [weights[start : start + rows] for start in range(0, len(weights), rows)]


def require_same_targets(one: FloatArray, two: FloatArray) -> None:
    """Raise InputError unless both matrices have as many columns."""
    if one.shape[1] != two.shape[1]:
        raise InputError(f"both methods need the same targets, not {one.shape[1]} and {two.shape[1]} of them")


def valid_confidence(confidence: float) -> float:
    """Return `confidence` if it lies between 0 and `MAX_CONFIDENCE`, else raise InputError."""
    if not 0 < confidence <= MAX_CONFIDENCE:
        raise InputError(f"confidence must lie between 0 and {MAX_CONFIDENCE}, not {confidence!r}")
    return confidence
