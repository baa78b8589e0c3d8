"""The robust preset: known codes score what they should, and what should change nothing does not."""

import numpy as np
import pytest
import torch
from known_codes import CODES, DSPRITES, SMALL, dead, merged, monotone, noise, perfect, rotated, world

from darla.common import InputError
from darla.vision import metrics

INFORMATION = ("mig", "mig_sup", "modularity", "med", "infomec", "jemmig", "dcimig")
TYPED = (*INFORMATION, "irs", "mcc")
"""Scores of modularity, of compactness, or of both."""
SIZES = pytest.mark.parametrize("sizes", [SMALL, DSPRITES], ids=["small", "dSprites"])


def scores(codes, factors, names=TYPED):
    return {name: metrics.METRICS[name](codes, factors).score for name in names}


@SIZES
def test_a_perfect_code_scores_one(sizes):
    factors = world(sizes)
    found = metrics.evaluate(perfect(factors), factors, TYPED)
    for name, result in found.items():
        assert result.score == pytest.approx(1, abs=0.01), name
        assert result.ceiling == 1
    assert found["infomec"].values["infoc"] == pytest.approx(1, abs=0.01)
    assert found["med"].values["completeness"] == pytest.approx(1, abs=0.01)


@SIZES
def test_dead_latents_change_nothing(sizes):
    factors = world(sizes, 2000)
    assert scores(dead(factors), factors) == scores(perfect(factors), factors)


def test_latents_of_tiny_noise_change_nothing():
    factors = world()
    tiny = np.column_stack([perfect(factors), 1e-3 * noise(factors, 6)])
    assert scores(tiny, factors) == pytest.approx(scores(perfect(factors), factors))


@SIZES
def test_a_monotone_map_changes_no_score_from_information(sizes):
    factors = world(sizes, 2000)
    # Codes with noise: there are bins, and not only values, that a map could move rows between.
    codes = perfect(factors) + 0.05 * noise(factors, len(sizes))
    bent = np.column_stack([np.exp(3 * codes[:, 0]), codes[:, 1:] ** 3])
    names = INFORMATION if sizes == SMALL else tuple(name for name in INFORMATION if name != "infomec")
    assert scores(bent, factors, names) == pytest.approx(scores(codes, factors, names), abs=1e-12)
    first = scores(perfect(factors), factors, names)
    assert scores(monotone(factors), factors, names) == pytest.approx(first, abs=0.02)


def test_outliers_change_no_score_from_information():
    factors = world(rows=4000)
    codes = perfect(factors) + 0.05 * noise(factors, 4)
    wild = codes.copy()
    wild[::1000] *= 20  # one row in a thousand
    first, second = scores(codes, factors, INFORMATION), scores(wild, factors, INFORMATION)
    assert second == pytest.approx(first, abs=0.02)


@SIZES
def test_noise_scores_nothing(sizes):
    factors = world(sizes)
    found = metrics.evaluate(noise(factors), factors, TYPED)
    for name, result in found.items():
        assert result.score < 0.05, name
        assert result.score == pytest.approx(result.chance, abs=0.03), name


def test_a_merged_code_is_not_modular_and_a_rotated_code_is_neither():
    factors = world(rows=4000)
    joined, turned = scores(merged(factors), factors), scores(rotated(factors), factors)
    assert joined["mig"] > 0.95  # it asks for compactness only
    assert joined["mig_sup"] < 0.75
    assert joined["dcimig"] < 0.75
    assert joined["med"] < 0.8
    for name in ("mig", "mig_sup", "dcimig"):
        assert turned[name] < 0.15, name
    for name in ("med", "infomec", "jemmig", "irs", "modularity", "mcc"):
        assert turned[name] < 0.75, name


def test_a_factor_held_twice_is_not_compact_but_modular():
    factors = world()
    found = scores(CODES["duplicated"](factors), factors)
    assert found["mig"] == 0
    for name in ("mig_sup", "modularity", "med", "infomec", "dcimig", "irs"):
        assert found[name] == pytest.approx(1, abs=0.01), name


def test_a_hue_on_a_circle_is_modular_and_costs_a_gap_its_whole_share():
    factors = world()
    found = scores(CODES["circle"](factors), factors)
    for name in ("mig_sup", "modularity", "med", "infomec", "irs"):
        assert found[name] == pytest.approx(1, abs=0.02), name
    assert found["mig"] == pytest.approx(0.75, abs=0.02)  # two latents know the factor alike: three gaps of four
    assert metrics.dci(CODES["circle"](factors), factors).score > 0.95


def test_a_missing_factor_is_missed_by_what_asks_for_all():
    factors = world()
    found = scores(CODES["missing factor"](factors), factors)
    for name in ("mig", "jemmig", "dcimig", "mcc"):
        assert found[name] == pytest.approx(0.75, abs=0.01), name
    assert found["mig_sup"] == pytest.approx(1, abs=0.01)  # what is held is held apart


@pytest.mark.parametrize("rows", [100, 300])
def test_few_rows_do_not_make_noise_look_informed(rows):
    factors = world(DSPRITES, rows)
    found = metrics.mig(noise(factors), factors)
    assert found.matrix.max() < 0.1
    assert metrics.mig(perfect(factors), factors).score > 0.9


def test_the_order_of_latents_and_of_factors_changes_nothing():
    factors = world(rows=3000)
    codes = rotated(factors) + 0.1 * noise(factors, 4)
    shuffled = scores(codes[:, [2, 0, 3, 1]], factors[:, [3, 1, 0, 2]])
    assert shuffled == pytest.approx(scores(codes, factors), abs=1e-9)
    matrix = metrics.mig(codes[:, [2, 0, 3, 1]], factors).matrix
    assert matrix == pytest.approx(metrics.mig(codes, factors).matrix[[2, 0, 3, 1]], abs=1e-12)


def test_scale_and_place_of_a_latent_change_nothing():
    factors = world(rows=3000)
    codes = rotated(factors) + 0.1 * noise(factors, 4)
    moved = codes * [1, 10, 0.1, -3] + [0, 100, -7, 1e4]
    assert scores(moved, factors) == pytest.approx(scores(codes, factors), abs=1e-6)


def test_names_of_classes_do_not_matter_to_information():
    factors = world(rows=3000)
    codes = rotated(factors)
    renamed = np.array([5, 1, 9, 2, 3, 0, 7, 4])[factors]
    names = ("mig", "mig_sup", "modularity", "med", "jemmig", "dcimig", "irs")
    assert scores(codes, renamed, names) == pytest.approx(scores(codes, factors, names))


def test_continuous_factors_are_found_and_scored():
    values = np.random.default_rng(0).uniform(size=(4000, 3))
    found = metrics.evaluate(np.exp(values), values, ("mig", "mig_sup", "modularity", "dcimig", "mcc"))
    for name, result in found.items():
        assert result.score > 0.9, name
        assert result.per_factor["continuous"].tolist() == [1, 1, 1]
    assert metrics.Sample(values, values).continuous == (True, True, True)
    assert metrics.Sample(values, np.round(values, 1)).continuous == (False, False, False)
    assert metrics.Sample(values, values, continuous=[False] * 3).sizes == (4000, 4000, 4000)


def test_whole_numbers_are_classes_only_where_they_repeat():
    table = np.stack([np.arange(200), np.random.default_rng(0).permutation(200)], axis=1)
    for moved in (table, table + 0.5, table.astype(np.float32)):
        result = metrics.mig(table / 200, moved)
        assert result.score == pytest.approx(1)
        assert result.per_factor["continuous"].tolist() == [1, 1]
    degrees = np.random.default_rng(0).integers(0, 360, (500, 2))
    assert metrics.mig(degrees / 360, degrees).score == pytest.approx(1, abs=0.01)
    classes = metrics.mig(perfect(world()), world())
    assert classes.per_factor["continuous"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("values", "continuous"), [(100, False), (101, True), (40, False)])
def test_five_rows_a_value_make_a_class(values, continuous):
    factors = np.arange(500)[:, None] % values
    assert metrics.Sample(factors / 7.0, factors).continuous == (continuous,)
    # Many numbers are a line, however often they come, and in the dlib preset whole numbers are always classes.
    many = np.arange(3000)[:, None] % 300
    assert metrics.Sample(many / 7.0, many).continuous == (True,)
    assert metrics.Sample(factors / 7.0, factors, preset="dlib").continuous == (False,)


def test_what_a_factor_is_can_be_asked_for():
    factors = world((4, 5), 400)
    sample = metrics.Sample(perfect(factors), factors, continuous=[True, None])
    assert sample.continuous == (True, False)
    shown = metrics.r2(perfect(factors), factors, continuous=[True, None]).per_factor["continuous"]
    assert shown.tolist() == [1, 0]
    with pytest.raises(InputError, match=r"continuous is .*, but must be a sequence of True or False or None"):
        metrics.mig(perfect(factors), factors, continuous=["no", "no"])


def test_many_distinct_numbers_are_no_classes_of_their_own():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.permutation(3000) for _ in range(3)], axis=1)
    assert metrics.Sample(factors / 3000, factors).sizes == (20, 20, 20)  # with 3,000 each, ten scores took minutes
    assert metrics.mig(factors / 3000, factors).score == pytest.approx(1, abs=0.01)


def test_independent_latents_have_no_total_correlation_over_few_rows():
    for rows in (50, 100, 1000):
        for seed in range(5):
            values = metrics.unsupervised_scores(np.random.default_rng(seed).normal(size=(rows, 10))).values
            assert values["gaussian_total_correlation"] == 0
            assert values["gaussian_wasserstein_correlation"] == 0


@pytest.mark.parametrize("rows", [300, 3000])
def test_total_correlation_is_that_of_the_normal_distribution_at_few_rows_too(rows):
    mixed = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]]).T
    truth = -0.5 * np.log(1 - 0.36)
    found = [
        metrics.unsupervised_scores(np.random.default_rng(seed).normal(size=(rows, 3)) @ mixed).score
        for seed in range(20)
    ]
    assert np.mean(found) == pytest.approx(truth, abs=3 * np.std(found) / np.sqrt(20) + 0.003)


def test_what_few_rows_add_to_a_total_correlation_is_subtracted():
    mixed = np.eye(10)
    mixed[:2, 1] = 0.95, np.sqrt(1 - 0.95**2)
    truth = -0.5 * np.log(1 - 0.95**2)
    found = [
        metrics.unsupervised_scores(np.random.default_rng(seed).normal(size=(60, 10)) @ mixed).score
        for seed in range(20)
    ]
    assert np.mean(found) == pytest.approx(truth, abs=0.15)  # 0.4 nats more without


def test_correlated_factors_still_have_a_perfect_code():
    factors = world((4, 5), 5000)
    factors[:2500, 1] = factors[:2500, 0]
    found = scores(perfect(factors), factors, ("mig", "dcimig"))
    shared = scores(perfect(factors[:, [0, 0]]), factors, ("mig", "dcimig"))
    assert all(found[name] > shared[name] for name in found)
    apart = metrics.factorized_support(perfect(factors)).score
    gap = metrics.factorized_support(perfect(factors[:, [0, 0]])).score
    assert apart < 0.05 < gap


def test_constant_factors_and_dead_latents_are_named_and_zero():
    factors = np.column_stack([world(rows=1000), np.full(1000, 3)])
    result = metrics.mig(dead(factors[:, :4]), factors)
    assert result.per_factor["measured"].tolist() == [1, 1, 1, 1, 0]
    assert result.per_latent["active"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert result.matrix.shape == (10, 5)
    assert not result.matrix[4:].any()
    assert not result.matrix[:, 4].any()
    assert result.score == pytest.approx(1)


def test_med_keeps_the_most_disentangled_latents():
    factors = world()
    codes = np.column_stack([perfect(factors), rotated(factors)])
    whole, best = metrics.med(codes, factors), metrics.med(codes, factors, top_k=1)
    assert best.score == pytest.approx(1, abs=0.01)
    assert whole.score < 0.8
    assert best.per_latent["kept"].tolist() == [1] * 4 + [0] * 4


def test_r2_reads_lines_and_curves():
    values = np.random.default_rng(0).uniform(-1, 1, size=(2000, 2))
    result = metrics.r2(np.column_stack([values[:, 0], np.cbrt(values[:, 1])]), values)
    assert result.per_factor["linear"][0] == pytest.approx(1, abs=1e-4)
    assert result.per_factor["linear"][1] < 0.95
    assert result.per_factor["nonlinear"][1] > 0.98
    assert metrics.r2(noise(values, 3), values).score < 0.02


def test_test_rows_are_scored_when_given():
    factors = world(rows=2000)
    codes = perfect(factors).astype(np.float32)
    given = {"test_codes": noise(factors[:500], 4), "test_factors": factors[:500]}
    assert metrics.r2(codes, factors).score > 0.99
    assert metrics.r2(codes, factors, **given).score < 0.05


def test_numpy_and_torch_and_every_dtype_score_alike():
    factors = world(rows=2000)
    codes = perfect(factors).astype(np.float32)
    expected = metrics.mig(codes, factors).score
    for kind in (np.int8, np.uint16, np.int64, np.float64):
        assert metrics.mig(codes, factors.astype(kind)).score == expected
    tensors = torch.from_numpy(codes).requires_grad_(), torch.from_numpy(factors).to(torch.int32)
    assert metrics.mig(*tensors).score == expected


def test_the_same_seed_gives_the_same_numbers():
    factors = world(rows=600)
    codes = rotated(factors) + 0.3 * noise(factors, 4)
    for name in (*TYPED, "r2", "factorized_support"):
        first, second = (metrics.METRICS[name](codes, factors, seed=4).to_dict() for _ in range(2))
        assert first == second, name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("preset", ["robust", "dlib"])
def test_a_gpu_gives_the_numbers_of_the_cpu(preset):
    factors = torch.from_numpy(world(rows=4000))
    codes = torch.from_numpy(rotated(factors.numpy()) + 0.1 * noise(factors, 4))
    names = (*TYPED, "r2", "unsupervised_scores", "factorized_support", "active_units")
    here = metrics.evaluate(codes, factors, names, preset=preset)
    there = metrics.evaluate(codes.cuda(), factors.cuda(), names, preset=preset)
    for name in names:
        assert there[name].values == pytest.approx(here[name].values, abs=1e-4), name
