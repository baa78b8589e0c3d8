"""The scores that fit something or draw samples, on input that is degenerate, odd, or means nothing."""

import warnings

import numpy as np
import pytest

from darla.common import InputError
from darla.vision import metrics

SCORES = (
    "beta_vae_score",
    "factor_vae_score",
    "dci",
    "sap",
    "explicitness",
    "explicitness_curve",
    "snc_nk",
    "downstream_accuracy",
)
FEW = {"train_votes": 50, "test_votes": 50}
OPTIONS = {"beta_vae_score": FEW, "factor_vae_score": FEW, "downstream_accuracy": {"shifts": 1}}


def world(rows):
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=rows) for size in (3, 6)], axis=1)
    return factors + 0.1 * rng.standard_normal((rows, 2)), factors, rng


def score(name, codes, factors, **options):
    return metrics.METRICS[name](codes, factors, **{**OPTIONS.get(name, {}), **options})


def odd_inputs():
    codes, factors, rng = world(60)
    ones = np.ones((60, 1), dtype=int)
    return {
        "two rows": (codes[:2], np.array([[0, 0], [1, 0]])),
        "few rows": (codes[:7], factors[:7]),
        "constant codes": (np.zeros((60, 3)), factors),
        "one latent": (codes[:, :1], factors),
        "one factor": (codes, factors[:, :1]),
        "a factor of one value": (codes, np.concatenate([factors, ones], axis=1)),
        "continuous and not": (codes, np.concatenate([rng.random((60, 1)), factors[:, :1]], axis=1)),
        "a value for each row": (codes, np.arange(60)[:, None]),
        "the same factor twice": (codes, np.repeat(factors[:, :1], 2, axis=1)),
        "more latents than rows": (rng.standard_normal((60, 70)), factors),
        "huge": (codes * 1e59, factors),
        "tiny": (codes * 1e-300, factors),
        "one far row": (np.concatenate([codes[:-1], codes[-1:] * 1e30]), factors),
        "yes and no": (codes.astype(np.float32), factors[:, :2] > 1),
    }


@pytest.mark.parametrize("case", odd_inputs())
def test_odd_inputs_have_finite_scores(case):
    codes, factors = odd_inputs()[case]
    for name in SCORES:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = score(name, codes, factors)
        assert np.isfinite([result.score, *result.values.values()]).all(), name
        assert -1 <= result.score <= 1, name


def test_what_means_nothing_is_refused_in_a_sentence():
    codes, factors, _ = world(100)
    with pytest.raises(InputError, match="vary"):
        score("dci", codes, np.ones_like(factors))
    with pytest.raises(InputError, match="batch_size"):
        metrics.METRICS["beta_vae_score"](codes, factors, batch_size=1)
    with pytest.raises(InputError, match="sizes"):
        metrics.METRICS["downstream_accuracy"](codes, factors, sizes=(0,))


@pytest.mark.parametrize("name", ["dci", "explicitness", "downstream_accuracy"])
def test_continuous_factors_are_refused_where_disentanglement_lib_has_no_answer(name):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="continuous"):
        score(name, rng.random((50, 2)), rng.random((50, 2)), preset="dlib")
