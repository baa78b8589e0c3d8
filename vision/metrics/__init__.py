"""Scores of how disentangled codes are, as functions of arrays.

    from darla.vision import metrics

    metrics.mig(codes, factors).score
    print(metrics.table(metrics.evaluate(codes, factors)))

Codes are (N, D) and factors (N, K), numpy arrays or torch tensors on any device, and scores are computed there. Every
function takes `seed`, `preset` (`"robust"`, or `"dlib"` for disentanglement_lib's numbers) and `interval`, and returns
a `Result`. Importing this module is cheap; PyTorch comes with the first name that is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darla.vision.metrics.names import NAMES

if TYPE_CHECKING:
    from darla.vision.metrics.core.intervals import Interval
    from darla.vision.metrics.core.registry import METRICS, Metric, Requirements, metric
    from darla.vision.metrics.core.result import Result, Scores
    from darla.vision.metrics.core.sample import Sample
    from darla.vision.metrics.evaluate import evaluate, table
    from darla.vision.metrics.scores.active_units import active_units
    from darla.vision.metrics.scores.beta_vae_score import beta_vae_score
    from darla.vision.metrics.scores.dci import dci
    from darla.vision.metrics.scores.dcimig import dcimig
    from darla.vision.metrics.scores.distance_to_orthogonality import distance_to_orthogonality
    from darla.vision.metrics.scores.downstream_accuracy import downstream_accuracy
    from darla.vision.metrics.scores.explicitness import explicitness
    from darla.vision.metrics.scores.explicitness_curve import explicitness_curve
    from darla.vision.metrics.scores.factor_vae_score import factor_vae_score
    from darla.vision.metrics.scores.factorised_support import factorised_support
    from darla.vision.metrics.scores.infomec import infomec
    from darla.vision.metrics.scores.irs import irs
    from darla.vision.metrics.scores.jemmig import jemmig
    from darla.vision.metrics.scores.mcc import mcc
    from darla.vision.metrics.scores.med import med
    from darla.vision.metrics.scores.mig import mig
    from darla.vision.metrics.scores.mig_posterior import mig_posterior
    from darla.vision.metrics.scores.mig_sup import mig_sup
    from darla.vision.metrics.scores.modularity import modularity
    from darla.vision.metrics.scores.r2 import r2
    from darla.vision.metrics.scores.sap import sap
    from darla.vision.metrics.scores.snc_nk import snc_nk
    from darla.vision.metrics.scores.udr import udr
    from darla.vision.metrics.scores.unsupervised_scores import unsupervised_scores

_HOMES = {
    "evaluate": ("evaluate", "table"),
    "core.intervals": ("Interval",),
    "core.registry": ("Metric", "Requirements", "metric"),
    "core.result": ("Result", "Scores"),
    "core.sample": ("Sample",),
    **{f"scores.{name}": (name,) for name in NAMES},
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "METRICS",
    "Interval",
    "Metric",
    "Requirements",
    "Result",
    "Sample",
    "Scores",
    "active_units",
    "beta_vae_score",
    "dci",
    "dcimig",
    "distance_to_orthogonality",
    "downstream_accuracy",
    "evaluate",
    "explicitness",
    "explicitness_curve",
    "factor_vae_score",
    "factorised_support",
    "infomec",
    "irs",
    "jemmig",
    "mcc",
    "med",
    "metric",
    "mig",
    "mig_posterior",
    "mig_sup",
    "modularity",
    "r2",
    "sap",
    "snc_nk",
    "table",
    "udr",
    "unsupervised_scores",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for; `METRICS` imports every metric."""
    if name == "METRICS":
        return {each: getattr(import_module(f"{__name__}.scores.{each}"), each) for each in NAMES}
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
