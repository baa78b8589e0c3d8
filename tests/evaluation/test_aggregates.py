"""The aggregates have their published and analytic values; the intervals resample what they say."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import ecdf, mannwhitneyu, norm, trim_mean
from scipy.stats import permutation_test as scipy_test
from scipy.stats import t as student_t

from darla.common import InputError, rng_for
from darla.common.errors import ArtefactError
from darla.evaluation.aggregates import (
    holm,
    iqm,
    mean,
    optimality_gap,
    performance_profile,
    permutation_test,
    probability_of_improvement,
    wilson,
    worst_target,
)
from darla.evaluation.bootstrap import bootstrap, bootstrap_curve, compare, interval_ends, row_counts, tail_share
from darla.evaluation.score_types import Estimate

RNG = np.random.default_rng(7)
STATISTICS = [mean, iqm, worst_target, optimality_gap]


def test_iqm_of_the_first_eight_numbers_is_the_mean_of_the_middle_four():
    assert float(iqm([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 100.0]])) == pytest.approx((3 + 4 + 5 + 6) / 4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (3, 4), (5, 3), (10, 7)])
def test_iqm_is_the_trimmed_mean_of_the_literature(shape):
    scores = RNG.normal(size=shape)
    assert float(iqm(scores)) == pytest.approx(trim_mean(scores, proportiontocut=0.25, axis=None))


def test_worst_target_is_the_lowest_mean_over_seeds_and_not_the_lowest_score():
    assert float(worst_target([[0.0, 3.0], [10.0, 4.0]])) == 3.5


def test_optimality_gap_gives_no_credit_above_the_target():
    assert float(optimality_gap([[0.5, 1.5], [1.0, 0.2]])) == pytest.approx((0.5 + 0.0 + 0.0 + 0.8) / 4)
    assert float(optimality_gap([[5.0]], target=10.0)) == 5.0


def test_probability_of_improvement_is_the_mann_whitney_statistic_averaged_over_targets():
    first, second = (
        RNG.integers(0, 5, size=(6, 3)).astype(float),
        RNG.integers(0, 5, size=(4, 3)).astype(float),
    )
    u = [mannwhitneyu(first[:, d], second[:, d]).statistic / (6 * 4) for d in range(3)]
    assert float(probability_of_improvement(first, second)) == pytest.approx(np.mean(u))


def test_methods_that_always_tie_improve_on_each_other_half_of_the_time():
    assert float(probability_of_improvement(np.ones((3, 2)), np.ones((5, 2)))) == 0.5


@pytest.mark.parametrize("statistic", STATISTICS)
def test_weights_count_rows_as_if_they_were_copied(statistic):
    scores = RNG.normal(size=(5, 3))
    counts = np.array([[1, 1, 1, 1, 1], [0, 3, 1, 0, 1], [5, 0, 0, 0, 0], [2, 0, 2, 1, 0]], dtype=float)
    copied = [float(statistic(np.repeat(scores, row.astype(int), axis=0))) for row in counts]
    np.testing.assert_allclose(statistic(scores, counts), copied)


def test_scores_with_a_hole_are_refused():
    with pytest.raises(InputError, match="finite"):
        mean([[1.0, np.nan]])
    with pytest.raises(InputError, match="shape"):
        mean(np.zeros((2, 2, 2)))


@pytest.mark.parametrize(
    ("successes", "episodes", "low", "high"),
    # Newcombe 1998, Two-sided confidence intervals for the single proportion, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_has_its_published_values(successes, episodes, low, high):
    interval = wilson(successes, episodes)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
    assert interval.scope == "within-policy"


def test_wilson_needs_episodes():
    with pytest.raises(InputError, match="episodes > 0"):
        wilson(0, 0)


def test_holm_adjusts_as_in_the_textbook_and_keeps_the_order():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_bootstrap_of_three_seeds_is_the_exact_enumeration():
    scores = np.array([1.0, 4.0, 10.0])
    means = np.sort([np.mean(draw) for draw in product(scores, repeat=3)])
    estimate = bootstrap(scores, resamples=200_000, confidence=0.5)
    # 27 equally likely resamples, of which the interval leaves 15.9 % out at each end: it ends at the fifth of each.
    assert tail_share(0.5, 3) == pytest.approx(norm.cdf(math.sqrt(1.5) * student_t.ppf(0.25, 2)))
    assert 4 / 27 < tail_share(0.5, 3) < 5 / 27
    assert (estimate.low, estimate.high) == pytest.approx((means[4], means[22]))
    assert estimate.value == 5.0


def test_three_seeds_have_no_wider_interval_than_what_they_can_be_resampled_to():
    assert (bootstrap([1.0, 4.0, 10.0]).low, bootstrap([1.0, 4.0, 10.0]).high) == (1.0, 10.0)


def test_tails_become_nominal_with_many_seeds_and_never_wider():
    tails = [tail_share(0.95, seeds) for seeds in (2, 3, 5, 10, 20, 100, 10**6)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx(0.025, rel=1e-4)
    assert tails[3] == pytest.approx(norm.cdf(math.sqrt(10 / 9) * student_t.ppf(0.025, 9)))


@pytest.mark.parametrize("statistic", [mean, iqm])
def test_intervals_are_the_percentiles_that_the_library_finds(statistic):
    scores = RNG.normal(size=(12, 1))
    ours = bootstrap(scores, statistic, resamples=50_000)

    def library(sample: np.ndarray, axis: int) -> np.ndarray:
        return trim_mean(sample, 0.25 if statistic is iqm else 0.0, axis=axis)

    known = scipy_bootstrap(
        (scores[:, 0],),
        library,
        method="percentile",
        confidence_level=1 - 2 * tail_share(0.95, 12),
        n_resamples=50_000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((known.low, known.high), abs=0.03)


def test_paired_differences_have_the_interval_that_the_library_finds():
    second = RNG.normal(size=(12, 3))
    first = second + RNG.normal(0.5, 0.4, size=(12, 1))
    ours = compare(first, second, paired=True, resamples=50_000).difference
    known = scipy_bootstrap(
        (first.mean(axis=1), second.mean(axis=1)),
        lambda one, two, axis: one.mean(axis=axis) - two.mean(axis=axis),
        paired=True,
        method="percentile",
        confidence_level=1 - 2 * tail_share(0.95, 12),
        n_resamples=50_000,
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((known.low, known.high), abs=0.02)


def test_policies_on_one_encoder_alone_are_resampled_as_themselves():
    scores = RNG.normal(size=(5, 2))
    shared = bootstrap(scores, encoders=["a"] * 5)
    assert (shared.low, shared.high) != (None, None)
    assert shared.low < shared.value < shared.high
    assert shared.few_seeds


def test_performance_profile_is_the_survival_function_of_the_scores():
    scores = RNG.normal(size=(5, 3))
    thresholds = np.concatenate([np.linspace(-3, 3, 21), scores.ravel()])
    known = ecdf(scores.ravel()).sf.evaluate(thresholds)
    np.testing.assert_allclose(performance_profile(scores, thresholds), known)


def test_profiles_are_resampled_by_whole_rows():
    scores = np.repeat((np.arange(12) % 3 > 0).astype(float)[:, None], 6, axis=1)
    value, low, high = bootstrap_curve(scores, lambda rows, weights: performance_profile(rows, [0.5], weights))
    whole = bootstrap(scores, resamples=2_000)
    assert value == pytest.approx([whole.value])
    assert (low, high) == (pytest.approx([whole.low]), pytest.approx([whole.high]))
    _, low, high = bootstrap_curve(scores[:1], lambda rows, weights: performance_profile(rows, [0.5], weights))
    assert low is high is None


def test_bootstrap_spread_is_the_analytic_standard_error():
    scores = RNG.normal(size=(40, 1))
    resampled = mean(scores, row_counts(np.arange(40), 50_000, rng_for(0, "test")))
    assert resampled.std() == pytest.approx(scores.std() / math.sqrt(40), rel=0.02)


def test_nested_resampling_spreads_as_between_and_within_encoders():
    encoders = np.repeat(np.arange(6), 4)
    scores = (RNG.normal(size=6)[encoders] * 3 + RNG.normal(size=24))[:, None]
    resampled = mean(scores, row_counts(encoders, 100_000, rng_for(0, "test")))
    groups = scores.reshape(6, 4)
    expected = groups.mean(axis=1).var() / 6 + groups.var(axis=1).mean() / 24
    assert resampled.var() == pytest.approx(expected, rel=0.03)


def test_policies_that_share_an_encoder_move_together():
    encoders = np.array([0, 0, 1, 1])
    counts = row_counts(encoders, 1_000, rng_for(0, "test"))
    assert set(counts[:, :2].sum(axis=1)) == {0.0, 2.0, 4.0}


def test_sharing_encoders_widens_the_interval():
    scores = np.repeat(RNG.normal(size=10), 3)[:, None] + 0.01 * RNG.normal(size=(30, 1))
    shared = bootstrap(scores, encoders=np.repeat(np.arange(10), 3).tolist())
    alone = bootstrap(scores)
    assert shared.high - shared.low > 1.5 * (alone.high - alone.low)
    assert (shared.seeds, shared.encoders) == (30, 10)


def test_resampling_whole_rows_is_wider_than_resampling_targets_apart_when_failures_are_shared():
    scores = np.repeat((np.arange(12) % 3 > 0).astype(float)[:, None], 6, axis=1)
    rows = bootstrap(scores)
    apart = rng_for(0, "apart").choice(12, size=(4_000, 12, 6))
    stratified = np.take_along_axis(scores[None], apart, axis=1).mean(axis=(1, 2))
    low, high = np.quantile(stratified, [0.025, 0.975])
    assert rows.high - rows.low > 2 * (high - low)


def test_the_same_seed_gives_the_same_interval_and_another_does_not():
    scores = RNG.normal(size=(8, 3))
    first, again, other = (
        bootstrap(scores, iqm, seed=3),
        bootstrap(scores, iqm, seed=3),
        bootstrap(scores, iqm, seed=4),
    )
    assert first == again
    assert first.value == other.value
    assert (first.low, first.high) != (other.low, other.high)


def test_few_seeds_and_few_encoders_are_flagged():
    assert bootstrap(RNG.normal(size=(9, 2))).few_seeds
    assert not bootstrap(RNG.normal(size=(10, 2))).few_seeds
    assert bootstrap(RNG.normal(size=(12, 2)), encoders=["a", "b", "c"] * 4).few_seeds


def test_one_seed_has_no_interval():
    estimate = bootstrap([[3.0, 5.0]])
    assert (estimate.value, estimate.low, estimate.high) == (4.0, None, None)
    assert estimate.estimate.to_json()["low"] is None


def test_large_tables_are_resampled_in_blocks_with_the_same_result(monkeypatch):
    scores = RNG.normal(size=(9, 4))
    whole = bootstrap(scores, iqm)
    monkeypatch.setattr("darla.evaluation.aggregates._CELLS_AT_ONCE", 1_000)
    assert bootstrap(scores, iqm) == whole


def test_pairing_removes_what_the_seeds_share():
    shared = RNG.normal(size=(12, 1)) * 5
    second = shared + 0.1 * RNG.normal(size=(12, 3))
    first = second + 1 + 0.1 * RNG.normal(size=(12, 3))
    paired, unpaired = compare(first, second, paired=True), compare(first, second, paired=False)
    assert paired.difference.low > 0.8
    assert unpaired.difference.low < 0 < unpaired.difference.high
    assert paired.difference.value == pytest.approx(unpaired.difference.value)
    assert paired.p_value < 0.01 < unpaired.p_value


def test_three_seeds_can_prove_little():
    assert permutation_test([9.0, 9.0, 9.0], [0.0, 0.0, 0.0], paired=True) == 2 / 2**3
    assert permutation_test([9.0, 9.0, 9.0], [0.0, 0.0, 0.0], paired=False) == 2 / math.comb(6, 3)


def test_permutation_p_values_agree_with_the_library_where_all_exchanges_are_tried_and_where_they_are_drawn():
    first, second = RNG.normal(0.9, 1, size=8), RNG.normal(size=8)
    for size, tolerance in ((8, 1e-9), (8 * 3, 0.01)):
        one, two = np.resize(first, size), np.resize(second, size) + np.arange(size) / 50
        for paired, kind in ((True, "samples"), (False, "independent")):
            known = scipy_test(
                (one, two),
                lambda a, b: np.mean(a) - np.mean(b),
                permutation_type=kind,
                n_resamples=20_000,
                rng=1,
            )
            assert permutation_test(one, two, paired=paired) == pytest.approx(known.pvalue, abs=tolerance)


def test_policies_of_one_encoder_count_once_in_a_permutation_test():
    scores = np.arange(6.0)[:, None] + 10
    comparison = compare(scores, np.zeros((6, 1)), paired=True, encoders=(["a", "a", "b", "b", "c", "c"], None))
    assert comparison.p_value == 2 / 2**3


def test_ratio_of_means_has_its_value_and_covers_it():
    first, second = RNG.normal(10, 1, size=(20, 2)), RNG.normal(4, 0.5, size=(20, 2))
    ratio = compare(first, second, paired=False).ratio
    assert ratio.value == pytest.approx(first.mean() / second.mean())
    assert 2.2 < ratio.low < ratio.value < ratio.high < 2.9


def test_ratio_to_a_baseline_that_may_score_nothing_is_unbounded_and_never_nan():
    comparison = compare([[10.0], [11.0], [12.0]], [[-0.5], [0.5], [1.0]], paired=False)
    assert comparison.ratio.high == math.inf
    assert comparison.ratio.low > 5
    stored = comparison.ratio.estimate.to_json()
    assert stored["high"] is None
    assert stored["unbounded"] == ["high"]
    assert Estimate.from_json(stored, "scores.json", "ratio") == comparison.ratio.estimate
    with pytest.raises(ArtefactError, match=r"scores\.json is damaged: ratio\.low is 'x'"):
        Estimate.from_json({**stored, "low": "x"}, "scores.json", "ratio")
    nothing = compare([[0.0], [0.0]], [[0.0], [0.0]], paired=True).ratio
    assert nothing.value == 0.0


def test_a_comparison_is_flagged_by_its_smaller_side():
    comparison = compare(RNG.normal(size=(20, 2)), RNG.normal(size=(3, 2)), paired=False)
    assert comparison.difference.seeds == 3
    assert comparison.difference.few_seeds


def test_comparisons_of_what_does_not_fit_are_refused():
    with pytest.raises(InputError, match="as many rows"):
        compare(np.zeros((3, 2)), np.zeros((4, 2)), paired=True)
    with pytest.raises(InputError, match="same targets"):
        compare(np.zeros((3, 2)), np.zeros((3, 1)), paired=False)
    with pytest.raises(InputError, match="2 encoders were named for 3 rows"):
        bootstrap(np.zeros((3, 2)), encoders=["a", "b"])
    with pytest.raises(InputError, match="confidence"):
        bootstrap(np.zeros((3, 2)), confidence=95)


def _coverage(seeds: int, replications: int) -> float:
    """Share of intervals that hold the true mean, for seeds that learn (0.8) or fail (0.1) everywhere."""
    rng, covered = np.random.default_rng(seeds), 0
    for replication in range(replications):
        learnt = rng.random((seeds, 1)) < 0.7
        scores = np.where(learnt, 0.8, 0.1) + rng.normal(0, 0.1, size=(seeds, 1)) + rng.normal(0, 0.05, size=(seeds, 4))
        estimate = bootstrap(scores, resamples=1_000, seed=replication)
        covered += estimate.low <= 0.7 * 0.8 + 0.3 * 0.1 <= estimate.high
    return covered / replications


def _drawn(rng: np.random.Generator, seeds: int) -> np.ndarray:
    """Return four targets of seeds that learn (0.8, seven in ten) or fail (0.1) in all of them."""
    learnt = rng.random((seeds, 1)) < 0.7
    noise = rng.normal(0, 0.1, size=(seeds, 1)) + rng.normal(0, 0.05, size=(seeds, 4))
    return np.asarray(np.where(learnt, 0.8, 0.1) + noise)


@pytest.mark.parametrize("pairs", [False, True])
def test_ten_seeds_cover_within_three_points_where_failures_are_shared_by_targets(pairs):
    rng, covered, replications = np.random.default_rng(10), 0, 2_000
    tail = tail_share(0.95, 10)
    for _ in range(replications // 50):
        counts = row_counts(np.arange(10), 1_500, rng)
        matrices = [_drawn(rng, 10) - (_drawn(rng, 10) if pairs else 0) for _ in range(50)]
        low, high = interval_ends(np.stack([mean(scores, counts) for scores in matrices], axis=1), tail)
        truth = 0.0 if pairs else 0.59
        covered += ((low <= truth) & (truth <= high)).sum()
    assert 0.92 < covered / replications < 0.98


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "low", "high"), [(3, 0.6, 0.7), (5, 0.81, 0.88), (10, 0.92, 0.98), (20, 0.92, 0.98)])
def test_coverage_rises_to_nominal_with_the_number_of_seeds(seeds, low, high):
    rng, covered, replications = np.random.default_rng(seeds), 0, 3_000
    for replication in range(replications):
        estimate = bootstrap(_drawn(rng, seeds), resamples=1_000, seed=replication)
        covered += estimate.low <= 0.59 <= estimate.high
    assert low < covered / replications < high
