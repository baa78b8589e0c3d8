"""Scores of how disentangled codes are, as functions of arrays.

    from darla.vision import metrics

    metrics.mig(codes, factors).score
    print(metrics.table(metrics.evaluate(codes, factors)))

Codes are (N, D) and factors (N, K), numpy arrays or torch tensors on any device, and scores are computed there. Every
function takes `seed`, `preset` (`"robust"`, or `"dlib"` for disentanglement_lib's numbers) and `interval`, and returns
a `Result`. Every metric is an attribute of this module, and in `METRICS` by name. Importing this module is cheap;
PyTorch is imported with the first name that is used.
"""

from typing import TYPE_CHECKING

from darla.common.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from darla.vision.metrics.core.intervals import Interval as Interval
    from darla.vision.metrics.core.registry import METRICS as METRICS
    from darla.vision.metrics.core.registry import Metric as Metric
    from darla.vision.metrics.core.registry import Requirements as Requirements
    from darla.vision.metrics.core.registry import metric as metric
    from darla.vision.metrics.core.result import Result as Result
    from darla.vision.metrics.core.result import Scores as Scores
    from darla.vision.metrics.core.sample import Sample as Sample
    from darla.vision.metrics.suite import evaluate as evaluate
    from darla.vision.metrics.suite import table as table

    def __getattr__(name: str) -> Metric: ...

else:
    from darla.vision.metrics.names import metric_names

    _get_exported, __dir__, __all__ = lazy_exports(__name__, *metric_names())

    def __getattr__(name):
        """Return a metric, or import another public name from its module."""
        return __getattr__("METRICS")[name] if name in metric_names() else _get_exported(name)
