"""Scores of the metric suite while a model is being trained, for TensorBoard."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from darla.base import InputError
from darla.vision.base import VisionModel
from darla.vision.encoding import encode_images
from darla.vision.frames import Frames
from darla.vision.metrics.names import check_metrics

_LOOKED_AT = 2000
"""Held-out frames that are scored, at most; enough to see a score move, and encoded within a second."""


class MetricWatch:
    """Scores a model's codes of held-out frames, whose factors training never sees.

    Args:
        frames: uint8 images, with the factors behind each in `contexts`.
        held_out: indices of the frames to score.
        names: metrics; those that fit models take a while at every look.
        seed: names whatever a metric draws.

    Raises:
        InputError: an unknown metric, or frames without a factor that varies.
    """

    def __init__(self, frames: Frames, held_out: np.ndarray[Any, Any], names: Sequence[str], seed: int) -> None:
        check_metrics(names)
        rows = held_out[:_LOOKED_AT]
        contexts: Mapping[str, Any] = getattr(frames, "contexts", {})
        columns = [np.unique(np.asarray(values)[rows], return_inverse=True)[1] for values in contexts.values()]
        columns = [column for column in columns if column.any()]
        if not columns:
            raise InputError(f"metrics {', '.join(names)} cannot be watched: the frames hold no factor that varies")
        self._names, self._seed = tuple(names), seed
        self._images, self._factors = frames[rows], np.stack(columns, axis=1)

    def __call__(self, model: VisionModel) -> dict[str, float]:
        """Return each metric's score."""
        from darla.vision.metrics import evaluate  # not at the top: a training that watches none does without

        results = evaluate(encode_images(model, self._images), self._factors, self._names, seed=self._seed)
        return {name: result.score for name, result in results.items()}
