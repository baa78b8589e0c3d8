"""The non-linear reader of the robust preset: extremely randomized trees on the ranks of codes.

Fast, seeded, indifferent to the scale and to monotone maps of latents, without anything to tune; all latents compete at
each split, so that noise is not used where something better is there.
"""

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from darla.common import seed_for
from darla.vision.metrics.core.sample import Sample

Array = np.ndarray[Any, Any]
TREES = 50
LEAF = 5
"""Fewest fitted rows in a leaf."""


class Forest:
    """Trees that read one factor from codes: probabilities of its classes, or its value where it is continuous.

    Source: Geurts, Ernst and Wehenkel 2006, "Extremely randomized trees".

    Args:
        sample: rows to fit on and rows to score on.
        k: the factor.
        latents: columns to read; all if None.
    """

    def __init__(self, sample: Sample, k: int, latents: list[int] | None = None) -> None:
        train, test = sample.train, sample.test
        columns = list(range(sample.latent_count)) if latents is None else latents
        self.ranks, self.test_ranks = (each[:, columns] for each in ranks(sample))
        self.continuous, self.classes = sample.continuous[k], sample.sizes[k]
        options = {
            "n_estimators": TREES,
            "min_samples_leaf": LEAF,
            "max_features": None,
            "n_jobs": torch.get_num_threads(),
            "random_state": seed_for(sample.seed, "metrics", "forest", int(sample.measured[k])),
        }
        if self.continuous:
            center, spread = train.values[:, k].mean(), train.values[:, k].std(correction=0)
            spread = torch.where(spread > 0, spread, 1.0)
            self.targets, self.test_targets = (
                ((part.values[:, k : k + 1] - center) / spread).cpu().numpy() for part in (train, test)
            )
            self.model = ExtraTreesRegressor(**options).fit(self.ranks, self.targets[:, 0])
        else:
            self.targets, self.test_targets = (
                np.eye(self.classes)[part.labels[:, k].cpu().numpy()] for part in (train, test)
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # many classes for so few rows: that is the caller's data
                self.model = ExtraTreesClassifier(**options).fit(self.ranks, self.targets.argmax(axis=1))
        self.guess = self.targets.mean(axis=0, keepdims=True)
        """What one would answer without codes."""

    @property
    def used(self) -> Array:
        """Which latents any tree splits on, bool (D,)."""
        used: Array = self.model.feature_importances_ > 0
        return used

    @property
    def unknowing(self) -> float:
        """Mean squared error of `guess` on the scored rows."""
        return float(np.square(self.guess - self.test_targets).sum(axis=1).mean())

    def predict(self, places: Array) -> Array:
        """Return probabilities of the classes (N, C), or values (N, 1)."""
        if self.continuous:
            values: Array = self.model.predict(places)[:, None]
            return values
        probabilities = np.zeros((len(places), self.classes))
        probabilities[:, self.model.classes_] = self.model.predict_proba(places)
        return probabilities

    def informativeness(self) -> tuple[float, float]:
        """Return how well fitted and scored rows are read: 0 for answering `guess`, 1 for no error.

        Accuracy for classes, R^2 for values.
        """
        explained = []
        for places, targets in ((self.ranks, self.targets), (self.test_ranks, self.test_targets)):
            answers = self.predict(places)
            if self.continuous:
                wrong, usual = np.square(answers - targets).mean(), np.square(self.guess - targets).mean()
            else:
                truth = targets.argmax(axis=1)
                wrong, usual = (answers.argmax(axis=1) != truth).mean(), (self.guess.argmax() != truth).mean()
            explained.append(float(np.clip(1.0 - wrong / usual, 0.0, 1.0)) if usual > 0 else 0.0)
        return explained[0], explained[1]


def ranks(sample: Sample) -> tuple[Array, Array]:
    """Return fitted and scored codes as places among the fitted rows, from 0 to 1, so that only their order counts."""
    codes, others = sample.train.codes.T.contiguous(), sample.test.codes.T.contiguous()
    ordered = codes.sort(dim=1).values
    places = []
    for each in (codes, others):
        below, up_to = (torch.searchsorted(ordered, each, right=right) for right in (False, True))
        places.append(((below + up_to).T / (2 * codes.shape[1])).to(torch.float32).cpu().numpy())
    return places[0], places[1]
