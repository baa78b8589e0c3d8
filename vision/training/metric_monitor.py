"""Metric scores during training, for TensorBoard and `watched/metrics.csv`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from darla.common import InputError
from darla.common.artefact import WATCHED
from darla.common.csv_rows import read_numbers, write_numbers
from darla.envs.image_data.factor_table import is_number, numbered
from darla.vision.encoders.encode import posterior_of
from darla.vision.metrics.names import check_metrics
from darla.vision.models.base import VisionModel
from darla.vision.training.batches import Frames

_SCORED = 2000
"""Held-out frames that are scored, at most; enough to see a score change, and encoded within a second."""
METRICS_FILE = f"{WATCHED}/metrics.csv"
"""In an encoder's folder. Like TensorBoard's events it is not hashed: watching does not change the encoder."""


class MetricMonitor:
    """Scores a model's codes of held-out frames, whose factors training never sees.

    Args:
        frames: uint8 images, with the factors behind each in `contexts`.
        held_out: indices of the frames to score.
        names: metrics; those that fit models take a while every time.
        out: the encoder's folder.
        seed: seed of the metrics.

    Raises:
        InputError: an unknown metric, or frames without a factor that varies.
    """

    def __init__(
        self, frames: Frames, held_out: np.ndarray[Any, Any], names: Sequence[str], out: Path, seed: int
    ) -> None:
        check_metrics(names)
        rows = held_out[:_SCORED]
        contexts: Mapping[str, Any] = getattr(frames, "contexts", {})
        columns = {name: np.asarray(values)[rows] for name, values in contexts.items()}
        varying = {name: numbered(column) for name, column in columns.items() if (column != column[:1]).any()}
        if not varying:
            raise InputError(f"metrics {', '.join(names)} cannot be watched: the frames hold no factor that varies")
        self._names, self._seed, self._file = tuple(names), seed, out / METRICS_FILE
        self._images, self._factors = frames[rows], np.stack(list(varying.values()), axis=1)
        self._factor_names = tuple(varying)
        self._continuous = [None if is_number(columns[name]) else False for name in varying]

    def __call__(self, model: VisionModel, step: int) -> dict[str, float]:
        """Score the model, and add a row to the file.

        Returns:
            Each metric's score; for one that relates latents with factors also `METRIC/FACTOR`, the strongest relation
            of any latent with that factor; and `kl`, in nats. For a model with a rising capacity they show at how many
            nats a factor enters the code.
        """
        from darla.vision.metrics import evaluate  # not at the top: only trainings that watch metrics need it

        pieces = range(0, len(self._images), 256)
        posterior = posterior_of(model, (model.to_input(self._images[start : start + 256]) for start in pieces))
        results = evaluate(posterior.mean, self._factors, self._names, seed=self._seed, continuous=self._continuous)
        scores = {"kl": float(posterior.kl())}
        for name, result in results.items():
            scores[name] = result.score
            if result.matrix is not None:
                strongest = result.matrix.max(axis=0)
                scores |= {
                    f"{name}/{factor}": float(value)
                    for factor, value in zip(self._factor_names, strongest, strict=True)
                }
        # What an interrupted run wrote after its last checkpoint is written again.
        before = [row for row in read_numbers(self._file) if row["step"] < step] if self._file.is_file() else []
        write_numbers(self._file, [*before, {"step": float(step), **scores}], first=("step", "kl"))
        return scores
