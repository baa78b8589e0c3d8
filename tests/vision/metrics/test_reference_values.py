"""The dlib preset gives the numbers of public code, for codes of a world with factor sizes [3, 6, 8, 8]."""

import numpy as np
import pytest
import torch
from known_codes import CODES, DSPRITES, perfect, world
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.metrics import mutual_info_score

from darla.common import InputError
from darla.vision import metrics
from darla.vision.metrics.core.information import histogram_bins, measure
from darla.vision.metrics.core.neighbors import with_classes, with_numbers

REFERENCE = {
    "perfect": {
        "mig": 0.999, "modularity": 1.0, "irs": 1.0, "med": 0.987, "infom": 0.996, "infoc": 0.996, "infoe": 1.0,
        "mcc": 1.0, "mig_sup": 0.999, "jemmig": 1.0, "dcimig": 0.999,
    },
    "rotated": {
        "mig": 0.001, "modularity": 0.796, "irs": 0.515, "med": 0.476, "infom": 0.332, "infoc": 0.335, "infoe": 1.0,
        "mcc": 0.707, "mig_sup": 0.143, "jemmig": 0.264, "dcimig": 0.098,
    },
    "missing factor": {
        "mig": 0.749, "irs": 0.700, "infoe": 0.750, "mcc": 0.752, "mig_sup": 0.749, "jemmig": 0.786, "dcimig": 0.745,
    },
    "duplicated": {
        "mig": 0.0, "modularity": 1.0, "irs": 1.0, "med": 0.987, "infom": 0.997, "infoc": 0.427, "infoe": 1.0,
        "mcc": 1.0, "mig_sup": 0.999, "jemmig": 0.635, "dcimig": 0.999,
    },
}  # fmt: skip
"""Values of another draw of the factors. What noise latents have of modularity, MED and InfoM differs from draw to draw
by a tenth, and is left out."""
SPREAD = {"irs": 0.025, "jemmig": 0.006, "infom": 0.006, "infoc": 0.006}
"""How far two draws of 10,000 rows lie apart, 0.003 where nothing else is said; `irs` and `jemmig` of a noise latent
depend on its extremes."""


@pytest.mark.parametrize("case", REFERENCE)
def test_public_codes_values_are_met(case):
    factors = world()
    codes = CODES[case](factors)
    result = {}
    for name in ("mig", "modularity", "irs", "med", "mcc", "mig_sup", "jemmig", "dcimig"):
        result[name] = metrics.METRICS[name](codes, factors, preset="dlib").score
    try:
        result.update(metrics.infomec(codes, factors, preset="dlib").values)
    except InputError:
        assert case == "missing factor"  # 0/0 where a noise latent has no information at all
        result["infoe"] = metrics.infomec(codes, factors).values["infoe"]
    for name, value in REFERENCE[case].items():
        assert result[name] == pytest.approx(value, abs=SPREAD.get(name, 0.003)), name


def test_twenty_bins_cap_a_perfect_code_at_dsprites_sizes():
    factors = world(DSPRITES)
    assert metrics.mig(perfect(factors), factors, preset="dlib").score == pytest.approx(0.8955, abs=0.003)
    assert metrics.irs(perfect(factors), factors, preset="dlib").score == pytest.approx(0.986, abs=0.003)


def test_histograms_and_mutual_information_are_those_of_numpy_and_scikit_learn():
    rng = np.random.default_rng(0)
    factors = world((3, 7), 2000)
    codes = np.column_stack([factors[:, 0] + 0.3 * rng.normal(size=2000), rng.normal(size=2000), np.ones(2000)])
    for dtype in (np.float64, np.float32):
        typed = codes.astype(dtype)
        bins = np.stack([np.digitize(x, np.histogram(x, 20)[1][:-1]) for x in typed.T], axis=1)
        ours = histogram_bins(torch.from_numpy(typed), 20)
        assert np.array_equal(ours.numpy() + 1, bins)
        result = measure(ours, torch.from_numpy(factors)).mutual
        for j in range(3):
            for k in range(2):
                assert float(result[j, k]) == pytest.approx(mutual_info_score(bins[:, j], factors[:, k]), abs=1e-12)


def test_unsupervised_scores_are_those_of_the_formulas_by_scipy():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    codes = rng.normal(size=(3000, 4)) @ rng.normal(size=(4, 4))
    covariance = np.cov(codes.T)
    result = metrics.unsupervised_scores(codes, preset="dlib").values
    total = 0.5 * (np.log(np.diag(covariance)).sum() - np.linalg.slogdet(covariance)[1])
    root = np.trace(sqrtm(covariance * np.diag(covariance)[:, None]).real)
    assert result["gaussian_total_correlation"] == pytest.approx(total, abs=1e-9)
    assert result["gaussian_wasserstein_correlation"] == pytest.approx(2 * np.trace(covariance) - 2 * root, abs=1e-6)


def test_infinite_total_correlation_of_the_dlib_preset_is_refused():
    codes = np.repeat(perfect(world()), 2, axis=1)
    with pytest.raises(InputError, match="not a finite number"):
        metrics.unsupervised_scores(codes, preset="dlib")


def test_a_dead_latent_costs_the_dlib_preset_neither_mutual_information_nor_the_rest():
    codes = np.random.default_rng(0).normal(size=(3000, 4)) @ np.random.default_rng(1).normal(size=(4, 4))
    alive = metrics.unsupervised_scores(codes, preset="dlib").values
    dead = metrics.unsupervised_scores(np.column_stack([codes, np.ones(3000)]), preset="dlib").values
    for name in ("unsupervised_scores", "gaussian_total_correlation", "gaussian_wasserstein_correlation"):
        assert dead[name] == pytest.approx(alive[name]), name
    # Of 20 ordered pairs of latents 8 are with the dead one and share nothing.
    assert dead["mutual_info_score"] == pytest.approx(12 / 20 * alive["mutual_info_score"])


def test_what_has_no_value_in_the_dlib_preset_does_not_cost_the_rest():
    factors = world(rows=2000)
    alone = np.column_stack([factors[:, 0] + 0.1 * np.random.default_rng(0).normal(size=2000), np.zeros(2000)])
    result = metrics.infomec(alone, factors, preset="dlib")
    assert "infoc" not in result.values  # 0/0 with a single active latent
    assert "compactness" not in result.per_factor
    assert result.values["infoe"] > 0.1


def test_neighbor_estimates_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(600, 3))
    labels = (codes[:, 0] + rng.normal(size=600) > 0) * 2 + (codes[:, 1] > 1)
    values = codes[:, 0] + 0.3 * rng.normal(size=600)
    scaled = torch.from_numpy(codes / codes.std(axis=0))
    classes = mutual_info_classif(codes, labels, discrete_features=False, n_neighbors=10, random_state=0)
    assert with_classes(scaled, torch.from_numpy(labels)).numpy() == pytest.approx(classes, abs=1e-6)
    numbers = mutual_info_regression(codes, values, discrete_features=False, n_neighbors=10, random_state=0)
    assert with_numbers(scaled, torch.from_numpy(values / values.std())).numpy() == pytest.approx(numbers, abs=1e-6)


@pytest.mark.parametrize("name", ["mig", "mig_sup", "dcimig"])
def test_what_public_code_cannot_do_with_one_column_is_refused(name):
    factors = world(rows=200)
    codes = perfect(factors)[:, :1] if name == "mig" else perfect(factors)
    with pytest.raises(InputError, match="at least 2 columns"):
        metrics.METRICS[name](codes, factors if name == "mig" else factors[:, :1], preset="dlib")
