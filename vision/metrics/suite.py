"""All metrics of one set of codes, with what they share worked out once, and their table."""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from darla.common import InputError, unknown_name
from darla.common.checked_config import checked_arguments, shown_value
from darla.vision.metrics.core.intervals import Interval, bootstrap
from darla.vision.metrics.core.registry import METRICS, Metric, by_row, replace_interval
from darla.vision.metrics.core.result import Result
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.names import check_metrics


@checked_arguments
def evaluate(
    codes: Any,
    factors: Any = None,
    names: str | Iterable[str] = "all",
    *,
    seed: int = 0,
    preset: str = "robust",
    interval: Interval | int | None = None,
    test_codes: Any = None,
    test_factors: Any = None,
    continuous: Sequence[bool | None] | None = None,
    models: Any = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    kept: MutableMapping[str, Result] | None = None,
    **rows: Any,
) -> dict[str, Result]:
    """Score codes by many metrics.

    The arrays are checked, split and binned once, their mutual information is estimated once, and so are the sample of
    dealt-out factors behind a chance level and the resamples behind an interval.

    Args:
        codes: (N, D), numpy or torch, on any device; computed where they are.
        factors: (N, K); without them only metrics that need none are computed.
        names: `"all"` for every metric that these arrays suffice for, or one name, or names.
        seed: from 0 up; every metric gets it.
        preset: `"robust"` or `"dlib"`. In the latter, `"all"` leaves out metrics that have no finite value on these
            arrays; asked for by name, such a metric raises.
        interval: ask for bootstrap intervals over rows; a number is their resamples. Metrics that fit models take as
            long again for every resample.
        test_codes: (M, D), rows to score on where a metric fits something; a third of the rows if None.
        test_factors: (M, K).
        continuous: for each factor whether it is one; decided by how often its values repeat if None. Every result
            shows it (`per_factor["continuous"]`).
        models: codes of several models on the same rows, (M, N, D), for `udr`.
        options: options of single metrics, by the metric's name.
        kept: results of an earlier call of this kind that was interrupted, by name, without their intervals; they are
            not computed again, and every new result is put there at once.
        rows: further arrays by row, by name: `log_variances` (N, D) for `mig_posterior`, `jacobians` (N, P, D) for
            `distance_to_orthogonality`.

    Returns:
        Name to result, in the registry's order.

    Raises:
        InputError: an unknown name, arrays that mean nothing, or arrays that a metric asked for by name lacks.
    """
    everything = isinstance(names, str) and names == "all"
    requested = [names] if isinstance(names, str) else _listed(names)
    check_metrics([] if everything else [*requested, *(options or {})])
    metrics = list(METRICS.values()) if everything else [METRICS[name] for name in requested]
    readable = {name for metric in METRICS.values() for name in metric.needs.rows} if rows else set()
    for name in rows:
        if name not in readable:
            raise unknown_name("array by row", name, readable)
    if models is not None:
        _, rows["models"] = by_row(models)
    sample = Sample(
        codes,
        factors,
        seed=seed,
        preset=preset,
        test_codes=test_codes,
        test_factors=test_factors,
        continuous=continuous,
        rows=rows,
    )
    if everything:
        metrics = [metric for metric in metrics if _suffices(sample, metric)]
    results: dict[str, Result] = {}
    if interval is not None and not isinstance(interval, Interval):
        interval = Interval(interval)
    kept = {} if kept is None else kept
    for metric in metrics:
        try:
            if metric.name not in kept:
                kept[metric.name] = metric.of(sample, **(options or {}).get(metric.name, {}))
            results[metric.name] = kept[metric.name]
        except InputError:
            if not everything or preset != "dlib":
                raise
    if interval is not None and results:
        scorers = {name: _scorer(METRICS[name], (options or {}).get(name, {})) for name in results}
        bounds = bootstrap(sample, scorers, interval)
        results = {name: replace_interval(result, bounds[name]) for name, result in results.items()}
    return results


def _listed(names: Iterable[str]) -> list[str]:
    try:
        return list(names)
    except Exception as error:  # an array of one number is an iterable as well
        raise InputError(f"names is {shown_value(names)}, but must be names of metrics") from error


def _suffices(sample: Sample, metric: Metric) -> bool:
    return (not metric.needs.factors or sample.factor_count > 0) and all(name in sample.rows for name in metric.reads)


def _scorer(metric: Metric, options: Mapping[str, Any]) -> Any:
    return lambda drawn: float(metric.scores(drawn, **options).score)


@checked_arguments
def table(results: Mapping[str, Result] | Iterable[Result], style: str = "plain") -> str:
    """Return results as a table: each score with its interval, its chance level, its ceiling, and what it is about.

    Args:
        results: what `evaluate` returned, or results.
        style: `"plain"` for a terminal, `"markdown"` for a document.

    Raises:
        InputError: another style.
    """
    if style not in ("plain", "markdown"):
        raise unknown_name("style", style, ("plain", "markdown"))
    rows = [("metric", "score", "interval", "chance", "ceiling", "about")]
    listed = list(results.values() if isinstance(results, Mapping) else results)
    if wrong := [result for result in listed if not isinstance(result, Result)]:
        raise InputError(f"results hold {shown_value(wrong[0])}, but must hold what metrics return")
    for result in listed:
        bounds = "" if result.interval is None else f"{result.interval[0]:.3f} to {result.interval[1]:.3f}"
        metric = METRICS.get(result.name) if result.name in METRICS else None
        about = "" if metric is None else metric.kind + (", lower is better" if metric.better == "lower" else "")
        rows.append(
            (result.name, f"{result.score:.3f}", bounds, f"{result.chance:.3f}", f"{result.ceiling:.3f}", about)
        )
    kept = [c for c in range(6) if c != 2 or any(row[2] for row in rows[1:])]
    width = {c: max(len(row[c]) for row in rows) for c in kept}
    numeric = (1, 2, 3, 4)
    lines = [[row[c].rjust(width[c]) if c in numeric else row[c].ljust(width[c]) for c in kept] for row in rows]
    if style == "plain":
        return "\n".join("  ".join(line).rstrip() for line in lines)
    rule = ["-" * (width[c] - 1) + (":" if c in numeric else "-") for c in kept]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
