"""Bootstrap intervals of scores over the rows of a sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from darla.common import InputError
from darla.common.checked_config import CheckedConfig
from darla.vision.metrics.core.arrays import is_whole
from darla.vision.metrics.core.sample import Sample


@dataclass(frozen=True)
class Interval(CheckedConfig):
    """What a bootstrap interval is made of."""

    resamples: int = 200
    """How often rows are drawn with replacement and scored."""
    confidence: float = 0.95
    """Nominal coverage."""

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            InputError: fewer than two resamples, or a confidence that is no probability between 0 and 1.
        """
        if not is_whole(self.resamples) or self.resamples < 2:
            raise InputError(f"an interval needs a whole number of resamples from 2 up, not {self.resamples!r}")
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence must lie between 0 and 1, not at {self.confidence}")


def bootstrap(
    sample: Sample, scorers: Mapping[str, Callable[[Sample], float]], interval: Interval
) -> dict[str, tuple[float, float]]:
    """Return intervals of several scores from the same resamples.

    Rows are drawn with replacement (Efron 1979), rows to fit and rows to score each from their own kind, so that no row
    is on both sides. A repeated row shifts what mutual information is estimated at; so the interval is the scores'
    percentiles, moved by the distance from their median to the score of the sample itself.

    Args:
        sample: what was scored.
        scorers: name to a function of a sample.
        interval: resamples and confidence.

    Raises:
        InputError: too few rows: resamples have no factor that varies.
    """
    rng = sample.rng("bootstrap")
    drawn: dict[str, list[float]] = {name: [] for name in scorers}
    for _ in range(interval.resamples):
        again = sample.resampled(rng)
        for name, score in scorers.items():
            try:
                drawn[name].append(score(again))
            except InputError:
                continue  # a resample of few rows may hold a single value of each factor
    bounds = {}
    tail = 50 * (1 - interval.confidence)
    for name, score in scorers.items():
        if len(drawn[name]) < max(2, interval.resamples // 2):
            raise InputError(f"{name} has no interval: most resamples of {len(sample)} rows cannot be scored")
        low, middle, high = np.percentile(drawn[name], [tail, 50, 100 - tail])
        center = score(sample)
        bounds[name] = (float(center + low - middle), float(center + high - middle))
    return bounds
