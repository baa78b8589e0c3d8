"""All metrics at once, intervals, results on disk, and tables."""

import json
import subprocess
import sys

import numpy as np
import pytest
from known_codes import noise, perfect, rotated, world
from scipy import integrate

from darla.common import InputError
from darla.vision import metrics
from darla.vision.metrics.core.sample import Sample

FEW = ("mig", "mig_sup", "modularity", "mcc")


@pytest.fixture(scope="module")
def arrays():
    factors = world((3, 4), 1000)
    return perfect(factors) + 0.5 * noise(factors, 2), factors


def test_importing_the_metrics_does_not_import_torch():
    code = "import sys, darla.vision.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_metric_is_a_metric_whichever_way_its_module_came_in():
    code = (
        "import darla.vision.metrics.scores.mig, darla.vision.metrics.suite\n"
        "from darla.vision import metrics\n"
        "assert metrics.mig.name == 'mig' and callable(metrics.evaluate)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_exported_name_exists_and_every_metric_is_exported():
    assert all(hasattr(metrics, name) for name in metrics.__all__)
    assert set(metrics.METRICS) <= set(metrics.__all__)
    assert all(metric.name == name for name, metric in metrics.METRICS.items())


@pytest.mark.parametrize("name", metrics.METRICS)
def test_every_docstring_says_where_a_score_is_from_and_what_it_costs(name):
    text = metrics.METRICS[name].__doc__
    for heading in ("Source:", "Range", "chance", "Cost:", "Presets:", "Failure modes:", "Values:"):
        assert heading.lower() in text.lower(), heading


def test_evaluate_gives_what_each_metric_gives(arrays):
    together = metrics.evaluate(*arrays, FEW, seed=3)
    for name, result in together.items():
        assert result.to_dict() == metrics.METRICS[name](*arrays, seed=3).to_dict()


def test_evaluate_without_factors_computes_what_needs_none(arrays):
    found = metrics.evaluate(arrays[0])
    assert "unsupervised_scores" in found
    assert "active_units" in found
    assert all(not metrics.METRICS[name].needs.factors for name in found)


def test_evaluate_reads_further_arrays(arrays):
    codes, factors = arrays
    rows = {"log_variances": np.full(codes.shape, -4.0), "models": np.stack([codes, codes[:, ::-1]])}
    found = metrics.evaluate(codes, factors, ("mig_posterior", "udr"), **rows)
    assert found["udr"].score > 0.8
    assert 0.1 < found["mig_posterior"].score < 1


def test_evaluate_names_what_is_unknown_or_missing(arrays):
    with pytest.raises(InputError, match="did you mean 'modularity'"):
        metrics.evaluate(*arrays, "modularty")
    with pytest.raises(InputError, match="log_variances"):
        metrics.evaluate(*arrays, "mig_posterior")
    with pytest.raises(InputError, match="needs factors"):
        metrics.evaluate(arrays[0], None, "mig")
    with pytest.raises(InputError, match="unknown array"):
        metrics.evaluate(*arrays, "mig", log_variance=arrays[0])


def test_an_interval_holds_the_score_and_narrows_with_rows():
    widths = []
    for rows in (300, 3000):
        factors = world((3, 4), rows)
        result = metrics.mig(perfect(factors) + noise(factors, 2), factors, interval=60)
        low, high = result.interval
        assert low < result.score < high
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]


def test_an_interval_covers_the_score_of_many_rows():
    many = world((3, 4), 20_000)
    codes = perfect(many) + noise(many, 2)
    truth = metrics.mig_sup(codes, many).score
    inside = 0
    for i in range(12):
        rows = slice(600 * i, 600 * (i + 1))
        low, high = metrics.mig_sup(codes[rows], many[rows], seed=i, interval=metrics.Interval(25, 0.9)).interval
        inside += low <= truth <= high
    assert inside >= 8


def test_intervals_of_evaluate_are_those_of_each_metric(arrays):
    together = metrics.evaluate(*arrays, FEW, interval=5)
    assert together["mig"].interval == metrics.mig(*arrays, interval=5).interval


def test_a_resample_keeps_rows_to_fit_and_rows_to_score_apart(arrays):
    sample = Sample(*arrays)
    again = sample.resampled(np.random.default_rng(0)).reduced
    known = {tuple(row) for row in sample.train.codes.tolist()}
    assert {tuple(row) for row in again.train.codes.tolist()} <= known
    assert not {tuple(row) for row in again.test.codes.tolist()} & known


def test_a_result_goes_through_json(arrays):
    result = metrics.mig(*arrays, interval=3)
    again = metrics.Result.from_dict(json.loads(json.dumps(result.to_dict())))
    assert again.to_dict() == result.to_dict()


def test_tables_show_score_chance_and_ceiling_in_columns(arrays):
    results = metrics.evaluate(*arrays, FEW, interval=3)
    lines = metrics.table(results).splitlines()
    assert lines[0].split() == ["metric", "score", "interval", "chance", "ceiling", "about"]
    assert len(lines) == 1 + len(FEW)
    assert f"{results['mig'].score:.3f}" in lines[1]
    markdown = metrics.table(results.values(), style="markdown").splitlines()
    assert len({len(line) for line in markdown}) == 1
    assert set(markdown[1]) <= set("|-: ")
    assert "interval" not in metrics.table(metrics.evaluate(*arrays, "mig"))
    with pytest.raises(InputError, match="style"):
        metrics.table(results, style="html")


def test_posterior_information_needs_neither_bins_nor_a_wrong_transpose():
    factors = world((3, 3, 4, 4), 500)
    codes = perfect(factors)
    narrow, wide = np.full(codes.shape, -6.0), np.zeros(codes.shape)
    for preset in ("robust", "dlib"):
        assert metrics.mig_posterior(codes, factors, log_variances=narrow, preset=preset).score > 0.98
        assert metrics.mig_posterior(codes, factors, log_variances=wide, preset=preset).score < 0.4
        turned = metrics.mig_posterior(rotated(factors), factors, log_variances=narrow, preset=preset)
        assert turned.score < 0.5


def test_posterior_information_of_a_gaussian_channel_is_shannons():
    # Two means, far apart or not: I(z; v) of a balanced binary input, by numerical integration.
    factors = np.tile([[0], [1]], (1000, 1))
    means = (2.0 * factors - 1).astype(float)
    grid = np.linspace(-9, 9, 20_001)
    halves = [np.exp(-((grid - m) ** 2) / 2) / np.sqrt(2 * np.pi) for m in (-1, 1)]
    mixed = (halves[0] + halves[1]) / 2
    truth = integrate.trapezoid(sum(0.5 * h * np.log(h / mixed) for h in halves), grid)
    result = metrics.mig_posterior(means, factors, log_variances=np.zeros_like(means))
    assert result.matrix[0, 0] * np.log(2) == pytest.approx(truth, abs=0.03)


def test_models_that_agree_up_to_order_and_sign_rank_above_rotated_ones():
    codes = np.random.default_rng(0).normal(size=(1000, 4))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    for preset in ("robust", "dlib"):
        found = metrics.udr([codes, -codes[:, ::-1], codes @ turn], preset=preset).values
        assert found["model 2"] < 0.6
        alike = metrics.udr([codes, -codes[:, ::-1]], preset=preset)
        assert alike.score > 0.85
    kls = np.array([[1, 1, 1, 0], [0, 1, 1, 1.0]])
    assert metrics.udr([codes, -codes[:, ::-1]], kls=kls).score > 0.85
    assert metrics.udr([codes, codes], kls=0 * kls).score == 0


def test_orthogonal_columns_are_at_distance_zero_whatever_their_lengths():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(30, 3))
    columns = np.linalg.qr(rng.normal(size=(30, 12, 3)))[0] * [1.0, 2.0, 4.0]
    straight = metrics.distance_to_orthogonality(codes, jacobians=columns)
    assert straight.score == pytest.approx(0, abs=1e-6)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned = metrics.distance_to_orthogonality(codes, jacobians=columns @ turn)
    assert turned.score > 0.3
    assert turned.values["cosine"] > 0.2
    assert straight.per_latent["sensitivity"] == pytest.approx([1, 2, 4])


def test_active_units_counts_latents_by_variance_or_by_share():
    codes = np.random.default_rng(0).normal(size=(2000, 3)) * [1, 0.05, 1e-4]
    assert metrics.active_units(codes, preset="dlib").score == 1
    assert metrics.active_units(codes).score == 2
    assert metrics.active_units(np.random.default_rng(0).normal(size=(2000, 3))).values[
        "effective_rank"
    ] == pytest.approx(3, abs=0.01)
