"""Whatever arrays come, a metric ends in finite numbers or in one clear sentence."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from darla.common import InputError
from darla.vision.metrics import METRICS, Result

CHEAP = {
    "mig", "mig_sup", "modularity", "med", "irs", "jemmig", "dcimig", "mcc", "unsupervised_scores",
    "factorized_support", "active_units",
}  # fmt: skip
PRESETS = ("robust", "dlib")
KINDS = (np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.bool_)


@st.composite
def numbers(draw, rows, columns, wild):
    kind = draw(st.sampled_from(KINDS))
    style = draw(st.sampled_from(["any", "few", "constant", "normal", "classes", "repeated"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if style == "any":
        found = draw(arrays.arrays(kind, (rows, columns)))
    elif style == "few":
        found = draw(arrays.arrays(kind, (rows, columns), elements=st.sampled_from([0, 1])))
    elif style == "constant":
        found = np.full((rows, columns), draw(st.sampled_from([0, 1, 7]))).astype(kind)
    elif style == "normal":
        found = (rng.normal(size=(rows, columns)) * draw(st.sampled_from([1e-30, 1e-3, 1, 100]))).astype(kind)
    elif style == "classes":
        found = rng.integers(0, draw(st.integers(1, 5)), size=(rows, columns)).astype(kind)
    else:
        found = np.repeat(rng.normal(size=(rows, 1)), columns, axis=1).astype(kind)
    if wild and found.size and found.dtype.kind == "f" and draw(st.booleans()):
        found[draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))] = draw(
            st.sampled_from([np.nan, np.inf, -np.inf, 1e300, 5e-324, -0.0])
        )
    return found


@st.composite
def inputs(draw):
    rows = draw(st.one_of(st.integers(1, 4), st.integers(5, 60)))
    latents, factors = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return draw(numbers(rows, latents, True)), draw(numbers(rows, factors, True))


def is_finite(result: Result) -> bool:
    numbers = [result.score, result.chance, result.ceiling, *result.values.values()]
    parts = [*result.per_factor.values(), *result.per_latent.values()]
    parts += [] if result.matrix is None else [result.matrix]
    return bool(np.isfinite(numbers).all() and all(np.isfinite(part).all() for part in parts))


def extras(name, codes):
    """Further arrays that some metrics read, made from the codes' shape."""
    rng = np.random.default_rng(len(codes))
    if name == "mig_posterior":
        return {"log_variances": 50 * rng.normal(size=codes.shape)}
    if name == "distance_to_orthogonality":
        return {"jacobians": rng.normal(size=(len(codes), 3, codes.shape[1]))}
    return {}


def is_answered(name, codes, factors, preset):
    given = np.stack([codes, codes[::-1]]) if name == "udr" else codes
    try:
        result = METRICS[name](given, factors, preset=preset, **extras(name, codes))
    except InputError as error:
        refused = str(error)
        return len(refused) > 20 and "\n" not in refused
    return (
        is_finite(result)
        and all(len(part) == codes.shape[1] for part in result.per_latent.values())
        and all(len(part) == factors.shape[1] for part in result.per_factor.values())
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("preset", PRESETS)
@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck), derandomize=True)
@given(arrays=inputs())
def test_every_cheap_metric_ends_in_finite_numbers_or_in_one_sentence(preset, arrays):
    for name in CHEAP:
        assert is_answered(name, *arrays, preset), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [name for name in METRICS if name not in CHEAP])
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck), derandomize=True)
@given(arrays=inputs())
def test_every_other_metric_ends_in_finite_numbers_or_in_one_sentence(name, preset, arrays):
    assert is_answered(name, *arrays, preset)


def hard_cases():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, size=(40, 3))
    codes = factors + 0.1 * rng.normal(size=(40, 3))
    return {
        "all constant": (np.ones((40, 3)), factors),
        "one latent": (codes[:, :1], factors),
        "one factor": (codes, factors[:, :1]),
        "one latent and one factor": (codes[:, :1], factors[:, :1]),
        "a factor of one value": (codes, np.column_stack([factors, np.ones(40)])),
        "duplicated": (np.repeat(codes, 2, axis=1), factors),
        "dead": (np.column_stack([codes, np.zeros((40, 2))]), factors),
        "continuous": (codes, rng.normal(size=(40, 3))),
        "correlated": (codes, np.column_stack([factors[:, 0], factors[:, 0], factors[:, 1]])),
        "two rows": (codes[:2], np.array([[0, 1], [1, 0]])),
        "tiny": (codes * 1e-200, factors),
        "far away": (codes + 1e9, factors),
        "every row its own class": (codes, np.arange(120).reshape(40, 3)),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", hard_cases())
def test_cheap_metrics_have_a_value_for_every_degenerate_input(case):
    codes, factors = hard_cases()[case]
    for name in CHEAP:
        assert is_finite(METRICS[name](codes, factors)), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", hard_cases())
@pytest.mark.parametrize("name", [name for name in METRICS if name not in CHEAP])
def test_other_metrics_have_a_value_for_every_degenerate_input(name, case):
    codes, factors = hard_cases()[case]
    given = np.stack([codes, codes[::-1]]) if name == "udr" else codes
    assert is_finite(METRICS[name](given, factors, **extras(name, codes)))


@pytest.mark.parametrize(
    ("codes", "factors", "sentence"),
    [
        (np.full((5, 2), np.nan), np.ones((5, 1)), "finite"),
        (np.ones((1, 2)), np.ones((1, 1)), "at least 2 rows"),
        (np.ones(5), np.ones((5, 1)), "shape"),
        (np.ones((5, 2)), np.ones((4, 1)), "5 rows"),
        (np.ones((5, 2)), np.ones((5, 2)), "vary"),
        (np.ones((5, 0)), np.ones((5, 2)), "at least one column"),
        (np.array([["a"], ["b"]]), np.ones((2, 1)), "must be numbers"),
        (np.ones((5, 2)) * 1j, np.ones((5, 2)), "must be numbers"),
        (torch.ones(5, 2) * 1j, np.ones((5, 2)), "real numbers"),
        ([[1.0, 2.0], [1.0]], np.ones((2, 1)), "rows of several lengths"),
        (np.full((5, 2), 1e80), np.ones((5, 1)), "at most"),
        (np.ones((5, 2)), None, "needs factors"),
    ],
)
def test_what_means_nothing_is_refused_in_one_sentence(codes, factors, sentence):
    with pytest.raises(InputError, match=sentence):
        METRICS["mig"](codes, factors)


@pytest.mark.parametrize(
    "models",
    [
        torch.nested.nested_tensor([torch.ones(5, 2), torch.ones(5, 2)]),
        [torch.ones(5, 2).to_sparse(), torch.ones(5, 2)],
        torch.ones(2, 5, 2, device="meta"),
    ],
)
def test_codes_of_several_models_are_dense(models):
    with pytest.raises(InputError, match="codes must be a dense array of numbers"):
        METRICS["udr"](models)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"preset": "fast"}, "unknown preset"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"bins": 20}, "no option 'bins'"),
        ({"interval": 1}, "resamples"),
        ({"test_codes": np.ones((3, 2))}, "together"),
        ({"continuous": [True]}, "continuous"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        METRICS["mig"](np.eye(6)[:, :2], np.eye(6)[:, 2:4], **options)
