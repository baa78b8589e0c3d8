"""The dlib preset against disentanglement_lib itself, on the same arrays.

`reference/disentanglement_lib.json` holds what its functions (commit 86a644d) returned, run with scikit-learn 1.9.1,
numpy 2.4.6 and scipy 1.17.1 on the arrays of `reference/disentanglement_lib.npz`: 2,500 rows to fit and 1,000 to score
of a world with factor sizes [3, 6, 8, 8] and seven codes of it, kept in half precision and handed over as float32
values in double precision. Called were `_compute_mig`, `_compute_dci` and `compute_importance_gbt`, `_compute_sap` and
`compute_score_matrix` (both kinds), `discrete_mutual_info` with the histogram of 20 bins, `modularity`,
`explicitness_per_factor` on codes of `normalize_data`, `scalable_disentanglement_score` on active codes and binned
factors, `gaussian_total_correlation` and `gaussian_wasserstein_correlation`. The sampled scores
(`compute_beta_vae_sklearn`, `compute_factor_vae` with both thresholds) draw their own rows, from a simulator of the
same codes, so they have a mean and a deviation over four seeds. Null is what is not a finite number there.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from darla.common import InputError
from darla.vision import metrics

FOLDER = Path(__file__).parent / "reference"
FITTED = 2500
CODES = ("perfect", "rotated45", "merged", "missing_factor", "noisy", "duplicated", "dead")
REFERENCE = json.loads((FOLDER / "disentanglement_lib.json").read_text())["scores"]


@cache
def arrays():
    with np.load(FOLDER / "disentanglement_lib.npz") as stored:
        return {name: stored[name] for name in stored.files}


def fitted_only(name, codes, **options):
    return metrics.METRICS[name](
        arrays()[codes][:FITTED].astype(np.float64), arrays()["factors"][:FITTED], preset="dlib", **options
    )


def split(name, codes, **options):
    z, v = arrays()[codes].astype(np.float64), arrays()["factors"]
    return metrics.METRICS[name](
        z[:FITTED], v[:FITTED], test_codes=z[FITTED:], test_factors=v[FITTED:], preset="dlib", **options
    )


@pytest.mark.parametrize("codes", CODES)
def test_mutual_information_gap_is_the_same(codes):
    assert fitted_only("mig", codes).score == pytest.approx(REFERENCE[codes]["mig"], abs=1e-6)


@pytest.mark.parametrize("codes", CODES)
def test_modularity_is_the_same(codes):
    assert fitted_only("modularity", codes).score == pytest.approx(REFERENCE[codes]["modularity"], abs=1e-6)


@pytest.mark.parametrize("codes", CODES)
def test_interventional_robustness_is_the_same(codes):
    result = fitted_only("irs", codes)
    assert result.score == pytest.approx(REFERENCE[codes]["irs"], abs=1e-6)
    found = np.asarray(REFERENCE[codes]["irs_matrix"])
    np.testing.assert_allclose(result.matrix[: len(found)], found, atol=1e-6)


@pytest.mark.parametrize("codes", CODES)
def test_unsupervised_scores_are_the_same_where_there_are_any(codes):
    expected = REFERENCE[codes]
    names = ("gaussian_total_correlation", "gaussian_wasserstein_correlation", "mutual_info_score")
    if codes == "duplicated":  # infinite, or the logarithm of rounding errors
        with pytest.raises(InputError, match="dlib"):
            fitted_only("unsupervised_scores", codes)
        return
    values = fitted_only("unsupervised_scores", codes).values
    for name in names:
        if expected[name] is None:
            assert codes == "dead"
            continue
        assert values[name] == pytest.approx(expected[name], abs=1e-6), name


@pytest.mark.parametrize("codes", CODES)
def test_separated_attribute_predictability_is_the_same(codes):
    result = split("sap", codes)
    assert result.score == pytest.approx(REFERENCE[codes]["sap"], abs=0.03)
    assert result.values["sap_continuous"] == pytest.approx(REFERENCE[codes]["sap_continuous"], abs=1e-6)
    np.testing.assert_allclose(result.matrix, REFERENCE[codes]["sap_matrix"], atol=0.03)


@pytest.mark.parametrize("codes", CODES)
def test_explicitness_is_the_same_where_there_is_any(codes):
    expected = REFERENCE[codes]
    if expected["explicitness_test"] is None:
        with pytest.raises(InputError, match="constant"):
            split("explicitness", codes)
        return
    result = split("explicitness", codes)
    assert result.values["train"] == pytest.approx(expected["explicitness_train"], abs=5e-3)
    assert result.score == result.values["test"] == pytest.approx(expected["explicitness_test"], abs=5e-3)
    each = np.asarray(expected["explicitness_per_factor"])
    np.testing.assert_allclose(result.per_factor["test"], each[:, 1], atol=5e-3)


@pytest.mark.parametrize("codes", CODES)
def test_votes_for_the_latents_that_differ_are_alike(codes):
    expected = REFERENCE[codes]["beta_vae"]
    tolerance = max(0.02, 4 * expected["sd"])
    assert split("beta_vae_score", codes).score == pytest.approx(expected["mean"], abs=tolerance)


@pytest.mark.parametrize("codes", CODES)
def test_votes_for_the_latents_that_rest_are_alike(codes):
    result = split("factor_vae_score", codes)
    for name, key in (("factor_vae_score", "factor_vae"), ("unpruned", "factor_vae_unpruned")):
        expected = REFERENCE[codes][key]
        assert result.values[name] == pytest.approx(expected["mean"], abs=max(0.02, 4 * expected["sd"])), name


def agrees_on_dci(codes):
    result = split("dci", codes)
    for name, value in REFERENCE[codes]["dci"].items():
        assert result.values[name] == pytest.approx(value, abs=0.02), name
    # Two runs of disentanglement_lib differ in how duplicates share importance, and in little else.
    if codes != "duplicated":
        np.testing.assert_allclose(result.matrix, REFERENCE[codes]["dci_matrix"], atol=0.02)


def test_disentanglement_completeness_informativeness_are_the_same():
    agrees_on_dci("merged")


@pytest.mark.slow
@pytest.mark.parametrize("codes", sorted(set(CODES) - {"merged"}))
def test_disentanglement_completeness_informativeness_are_the_same_on_all_codes(codes):
    agrees_on_dci(codes)
