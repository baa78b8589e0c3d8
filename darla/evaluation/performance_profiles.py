"""Performance profiles of a transfer: the share of a method's runs that score above each level, over all targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darla.evaluation.aggregates import FloatArray, performance_profile
from darla.evaluation.bootstrap import bootstrap_curve
from darla.evaluation.episode_records import EpisodeRecord, mean_returns
from darla.evaluation.score_types import TransferScores
from darla.evaluation.scores import normalized

POINTS = 201
"""Levels at which a profile is computed."""


@dataclass(frozen=True)
class Profile:
    """One method's profile."""

    method: str
    levels: FloatArray
    """(T,), in normalized scores: 0 is the random agent in the same target, 1 the baseline in the source."""
    share: FloatArray
    """(T,), share of seeds and targets that score above."""
    low: FloatArray | None
    """(T,), pointwise interval from resampling seeds as whole rows; None with one seed."""
    high: FloatArray | None


def profiles(scores: TransferScores, records: Sequence[EpisodeRecord]) -> list[Profile]:
    """Return the profile of each method, all at the same levels; none where there is no normalized score.

    Args:
        scores: of a transfer.
        records: the episodes behind them.
    """
    tables = mean_returns(records, {agent.digest: agent.encoder for agent in scores.agents})
    matrices = {}
    for method, table in tables.items():
        columns = [normalized(table, target, scores.anchors) for target in scores.targets]
        defined = [column for column in columns if column is not None]
        if defined and len(defined) == len(columns):
            matrices[method] = np.stack(defined, axis=1)
    if not matrices:
        return []
    all_scores = np.concatenate([matrix.ravel() for matrix in matrices.values()])
    lowest, highest = float(all_scores.min()), float(all_scores.max())
    margin = 0.03 * (highest - lowest) or 0.1
    levels = np.linspace(lowest - margin, highest + margin, POINTS)
    result = []
    for method, matrix in matrices.items():
        share, low, high = bootstrap_curve(
            matrix,
            lambda values, weights: performance_profile(values, levels, weights),
            encoders=tables[method].encoders,
            confidence=scores.settings.confidence,
            seed=scores.settings.evaluation_seed,
        )
        result.append(Profile(method, levels, share, low, high))
    return result
