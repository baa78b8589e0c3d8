"""Every metric where the codes are, on a pretended GPU: nothing is mixed, and the scores are those of the CPU."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from pretended_gpu import PretendedGPU

from darla.vision.metrics import METRICS
from darla.vision.metrics.core.information import histogram_bins

FAST: dict[str, dict[str, Any]] = {
    "beta_vae_score": {"train_votes": 300, "test_votes": 150},
    "factor_vae_score": {"train_votes": 300, "test_votes": 150},
    "downstream_accuracy": {"sizes": (100,), "shifts": 0},
    "mig_posterior": {"samples": 100},
}
SLOW = ("dci", "snc_nk", "explicitness_curve", "infomec", "downstream_accuracy", "r2", "dcimig")
"""Metrics that take minutes where every operation is looked at."""
CASES = [
    pytest.param(name, preset, marks=[pytest.mark.slow] if name in SLOW or preset == "dlib" else [])
    for name, preset in itertools.product(METRICS, ("robust", "dlib"))
]


def coded(rows: int = 240) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Return codes with noise, their factors, and what else metrics read, on the CPU."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, size, rows) for size in (2, 3, 4)], axis=1)
    codes = factors + 0.3 * rng.standard_normal(factors.shape)
    codes = torch.from_numpy(np.column_stack([codes, 1e-4 * rng.standard_normal(rows), rng.standard_normal(rows)]))
    jacobians = torch.from_numpy(rng.standard_normal((rows, 6, 5)))
    return codes, torch.from_numpy(factors), {"log_variances": torch.full_like(codes, -2.0), "jacobians": jacobians}


def score(name, preset, codes, factors, rows, place):
    metric = METRICS[name]
    given = place(torch.stack([codes, codes.flip(1)])) if metric.needs.models else place(codes)
    more = {each: place(rows[each]) for each in metric.needs.rows}
    return metric(given, factors, preset=preset, **FAST.get(name, {}), **more).score


@pytest.mark.parametrize(("name", "preset"), CASES)
def test_a_gpu_gives_the_score_of_the_cpu(name, preset):
    codes, factors, rows = coded()
    here = score(name, preset, codes, factors, rows, lambda x: x)
    with PretendedGPU():
        for truth in (factors, factors.cuda()):
            there = score(name, preset, codes, truth, rows, lambda x: x.cuda())
            assert there == pytest.approx(here, abs=1e-4)


@pytest.mark.parametrize("values", [7, 13, 21])
def test_bins_do_not_depend_on_how_a_device_divides(values):
    codes = (torch.arange(values, dtype=torch.float64) - (values - 1) / 2)[:, None]
    codes = codes / ((values**2 - 1) / 12) ** 0.5 if values == 21 else codes
    here = histogram_bins(codes, 20)
    with PretendedGPU():
        assert torch.equal(histogram_bins(codes.cuda(), 20).cpu(), here)


@pytest.mark.parametrize("name", ["mig", "sap", "factor_vae_score", "explicitness"])
def test_a_device_without_double_precision_is_enough(name):
    codes, factors, rows = coded()
    with PretendedGPU("mps", float64=False):
        score(name, "robust", codes.float(), factors, rows, lambda x: x.to("mps"))
