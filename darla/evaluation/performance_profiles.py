"""Performance profiles of a transfer: which share of a method's runs scores above each level, over all targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from darla.evaluation.aggregates import FloatArray, performance_profile
from darla.evaluation.bootstrap import band
from darla.evaluation.episode_records import Row, mean_returns
from darla.evaluation.scores import normalised

POINTS = 201
"""Levels at which a profile is computed."""


@dataclass(frozen=True)
class Profile:
    """One method's profile."""

    method: str
    levels: FloatArray
    """(T,), in normalised scores: 0 is the random agent there, 1 the baseline in the source."""
    share: FloatArray
    """(T,), share of seeds and targets that score above."""
    low: FloatArray | None
    """(T,), pointwise interval from resampling seeds as whole rows; None with one seed."""
    high: FloatArray | None


def profiles(scores: Mapping[str, Any], rows: Sequence[Row]) -> list[Profile]:
    """Return the profile of each method, all at the same levels; none where there is no normalised score.

    Args:
        scores: the content of `scores.json`.
        rows: the episodes behind it.
    """
    tables = mean_returns(rows, {agent["digest"]: agent["encoder"] for agent in scores["agents"]})
    targets = [domain["name"] for domain in scores["domains"] if domain["split"] == "target"]
    matrices = {}
    for method, table in tables.items():
        columns = [normalised(table, target, scores["anchors"]) for target in targets]
        known = [column for column in columns if column is not None]
        if known and len(known) == len(columns):
            matrices[method] = np.stack(known, axis=1)
    if not matrices:
        return []
    every = np.concatenate([matrix.ravel() for matrix in matrices.values()])
    low, high = float(every.min()), float(every.max())
    margin = 0.03 * (high - low) or 0.1
    levels = np.linspace(low - margin, high + margin, POINTS)
    settings = scores["settings"]
    found = []
    for method, matrix in matrices.items():
        share, below, above = band(
            matrix,
            lambda values, weights: performance_profile(values, levels, weights),
            encoders=tables[method].encoders,
            confidence=settings["confidence"],
            seed=settings["evaluation_seed"],
        )
        found.append(Profile(method, levels, share, below, above))
    return found
