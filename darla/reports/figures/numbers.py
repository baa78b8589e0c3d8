"""The numbers that figures are drawn from, as rows for a spreadsheet."""

from collections.abc import Iterable, Mapping, Sequence

from darla.analysis.encoder_correlation import CorrelationResult
from darla.analysis.latent_drift import Drift
from darla.evaluation.performance_profiles import Profile
from darla.evaluation.score_types import TransferScores
from darla.reports.document import FigureData
from darla.reports.figures.learning_curves import Curves
from darla.reports.figures.selection import Points
from darla.vision.metrics import Result

Rows = Sequence[Mapping[str, float]]


def score_numbers(scores: TransferScores) -> FigureData:
    """Return the return of each policy in each domain, and the mean over policies with its interval."""
    rows: list[tuple[str | float | None, ...]] = []
    for domain in scores.domains:
        for method in scores.methods:
            of_domain = method.domains[domain.name]
            mean = of_domain.return_
            rows.append((domain.name, method.method, "mean", mean.value, mean.low, mean.high))
            rows += [
                (domain.name, method.method, str(seed), value, None, None)
                for seed, value in of_domain.return_by_seed.items()
            ]
    return FigureData(("domain", "method", "seed", "return", "low", "high"), tuple(rows))


def profile_numbers(profiles: Iterable[Profile]) -> FigureData:
    """Return the share of runs above each normalized score, with its interval."""
    rows = [
        (
            profile.method,
            float(level),
            float(profile.share[place]),
            None if profile.low is None else float(profile.low[place]),
            None if profile.high is None else float(profile.high[place]),
        )
        for profile in profiles
        for place, level in enumerate(profile.levels)
    ]
    return FigureData(("method", "normalized score", "share above", "low", "high"), tuple(rows))


def curve_numbers(curves: Curves) -> FigureData:
    """Return the returns of snapshots."""
    rows = [
        (method, domain, seed, env_steps, value)
        for (method, domain), seeds in curves.items()
        for seed, points in seeds.items()
        for env_steps, value in points
    ]
    return FigureData(("method", "domain", "seed", "environment steps", "return"), tuple(rows))


def training_curve_numbers(curves: Mapping[str, Mapping[int, Sequence[tuple[int, float]]]]) -> FigureData:
    """Return the returns in training."""
    rows = [
        (method, seed, env_steps, value)
        for method, seeds in curves.items()
        for seed, points in seeds.items()
        for env_steps, value in points
    ]
    return FigureData(("method", "seed", "environment steps", "return"), tuple(rows))


def drift_numbers(drifts: Mapping[str, Sequence[Mapping[str, Drift]]]) -> FigureData:
    """Return the shift of each latent, by encoder and target."""
    rows = [
        (setting, number, target, latent, shift)
        for setting, members in drifts.items()
        for number, by_target in enumerate(members, start=1)
        for target, drift in by_target.items()
        for latent, shift in enumerate(drift.per_latent_shift)
    ]
    return FigureData(("setting", "encoder", "target", "latent", "shift"), tuple(rows))


def correlation_numbers(result: CorrelationResult, outcome: str) -> FigureData:
    """Return the measures of each encoder, and an outcome of its policies."""
    measures = list(dict.fromkeys(name for encoder in result.encoders for name in encoder.measures))
    rows = [
        (
            encoder.setting,
            *(encoder.measures.get(name) for name in measures),
            encoder.outcomes.get(result.main_group, {}).get(outcome),
        )
        for encoder in result.encoders
    ]
    return FigureData(("setting", *measures, outcome), tuple(rows))


def selection_numbers(points: Points) -> FigureData:
    """Return the UDR of each encoder, and its scores that need labels."""
    names = list(dict.fromkeys(name for encoders in points.values() for _, scores in encoders for name in scores))
    rows = [
        (setting, udr, *(scores.get(name) for name in names))
        for setting, encoders in points.items()
        for udr, scores in encoders
    ]
    return FigureData(("setting", "UDR", *names), tuple(rows))


def history_numbers(histories: Mapping[str, Sequence[Rows]]) -> FigureData:
    """Return what was logged during training, by setting and encoder."""
    tables = [(name, number, rows) for name, seeds in histories.items() for number, rows in enumerate(seeds, start=1)]
    columns = list(dict.fromkeys(column for *_, rows in tables for row in rows for column in row))
    values = [(name, number, *(row.get(column) for column in columns)) for name, number, rows in tables for row in rows]
    return FigureData(("setting", "encoder", *columns), tuple(values))


def relation_numbers(result: Result, factors: Sequence[str]) -> FigureData:
    """Return a metric's matrix of latents by factors."""
    assert result.matrix is not None, result.name
    rows = [(f"z{latent}", *row) for latent, row in enumerate(result.matrix.tolist())]
    return FigureData(("latent", *factors), tuple(rows))
