"""From one row per episode to what can be said about each method: return, gap, retention, normalised score.

A *method* is a way of making an agent; its agents differ in their seeds. The interval of a number speaks
about other seeds of the method and comes from resampling them as whole rows (`darla.evaluation.bootstrap`). The two
anchors of the normalised score, the random agent and the baseline's source return, are measured in the same
run and taken as fixed numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from darla.common import InputError
from darla.evaluation.aggregates import FloatArray, holm, iqm, mean, optimality_gap, wilson, worst_target
from darla.evaluation.bootstrap import Estimate, bootstrap, compare
from darla.evaluation.episode_records import EpisodeMeans, Row, mean_returns

RANDOM = "random"
"""The method name of the agent that chooses actions uniformly."""
ALL_TARGETS = "all targets"
"""The name under which a comparison over all targets together stands."""


@dataclass(frozen=True)
class Resampling:
    """How intervals are made."""

    resamples: int = 10_000
    """Bootstrap resamples."""
    confidence: float = 0.95
    """Nominal coverage of every interval."""
    seed: int = 0
    """Seed of the resampling."""


def score(
    rows: Sequence[Row],
    encoders: Mapping[str, str | None],
    *,
    baseline: str | None,
    resampling: Resampling = Resampling(),
) -> dict[str, Any]:
    """Compute everything that `scores.json` says about the episodes.

    Args:
        rows: one for each episode.
        encoders: for the digest of each agent that of its encoder, None where it has none.
        baseline: the method that others are compared with, whose source return normalises the scores; None
            for no comparison and no normalised score.
        resampling: how intervals are made.

    Returns:
        Plain values: `domains`, `anchors`, `methods` and `comparisons`.

    Raises:
        InputError: there is no row of the source, or the table of agents and domains has holes.
    """
    tables = mean_returns(rows, encoders)
    # In the order of the domains; the leak level is that of the first agent, the random one, as the task has it.
    where: dict[str, dict[str, str]] = {}
    for row in rows:
        where.setdefault(row.domain, {"name": row.domain, "split": row.split, "leak": row.leak})
    sources = [name for name, domain in where.items() if domain["split"] == "source"]
    targets = [name for name, domain in where.items() if domain["split"] == "target"]
    if len(sources) != 1:
        raise InputError(f"scores need the episodes of exactly one source domain, not of {len(sources)}")
    if baseline is not None and baseline not in tables:
        raise InputError(f"the baseline {baseline!r} was not evaluated; there are {sorted(tables)}")
    anchors = _anchors(tables, baseline, sources[0], tuple(where))
    return {
        "domains": list(where.values()),
        "anchors": anchors,
        "methods": [
            {
                **_method(method, table, rows, sources[0], targets, anchors, resampling),
                **_leaks_of_its_own(method, rows, where),
            }
            for method, table in tables.items()
        ],
        "comparisons": _comparisons(tables, baseline, targets, resampling),
    }


def _anchors(
    tables: Mapping[str, EpisodeMeans], baseline: str | None, source: str, domains: tuple[str, ...]
) -> dict[str, Any]:
    """Return what 0 and 1 mean in a normalised score: the random agent there, the baseline in the source."""
    random = {
        domain: float(tables[RANDOM].returns[:, tables[RANDOM].column(domain)].mean()) if RANDOM in tables else None
        for domain in domains
    }
    reference = None
    if baseline is not None:
        reference = float(tables[baseline].returns[:, tables[baseline].column(source)].mean())
    return {"baseline": baseline, "reference_return": reference, "random_return": random}


def normalised(table: EpisodeMeans, domain: str, anchors: Mapping[str, Any]) -> FloatArray | None:
    """Return (S,) scores: 0 is random play, 1 the baseline in the source; None where 1 is not above 0."""
    floor, ceiling = anchors["random_return"][domain], anchors["reference_return"]
    if floor is None or ceiling is None or ceiling <= floor:
        return None
    scores: FloatArray = (table.returns[:, table.column(domain)] - floor) / (ceiling - floor)
    return scores


def _method(
    method: str,
    table: EpisodeMeans,
    rows: Sequence[Row],
    source: str,
    targets: list[str],
    anchors: Mapping[str, Any],
    resampling: Resampling,
) -> dict[str, Any]:
    estimate = partial(
        bootstrap,
        encoders=table.encoders,
        resamples=resampling.resamples,
        confidence=resampling.confidence,
        seed=resampling.seed,
    )
    home = table.returns[:, table.column(source)]
    domains = {}
    for domain in table.domains:
        column = table.column(domain)
        here = table.returns[:, column]
        said: dict[str, Any] = {
            "return": estimate(here).to_dict(),
            "return_by_seed": _by_seed(table, here),
            "length": float(table.lengths[:, column].mean()),
            "truncated": float(table.truncated[:, column].mean()),
            "collected_good": float(table.good[:, column].mean()),
            "collected_bad": float(table.bad[:, column].mean()),
            "success": None if table.successes is None else estimate(table.successes[:, column]).to_dict(),
            "success_within_policy": _within_policy(method, domain, rows, resampling.confidence),
        }
        scores = normalised(table, domain, anchors)
        said["normalised"] = None if scores is None else estimate(scores).to_dict()
        # A gap to a source in which nothing was learnt says nothing, so the random agent has none.
        if domain in targets and method != RANDOM:
            pair = np.stack([home, here], axis=1)
            said["gap"] = estimate(home - here).to_dict()
            said["retention"] = _ratio_of_columns(estimate, pair)
        domains[domain] = said
    return {
        "method": method,
        "seeds": list(table.seeds),
        "encoders": None if table.encoders is None else len(set(table.encoders)),
        "optimistic": estimate(home).optimistic,
        "domains": domains,
        "over_targets": _over_targets(method, table, source, targets, anchors, estimate),
    }


def _leaks_of_its_own(
    method: str, rows: Sequence[Row], where: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Return as `leaks` the leak levels of a method that has acted elsewhere than in the source; nothing else."""
    own = {row.domain: row.leak for row in rows if row.method == method and row.leak != where[row.domain]["leak"]}
    return {"leaks": own} if own else {}


def _over_targets(
    method: str,
    table: EpisodeMeans,
    source: str,
    targets: list[str],
    anchors: Mapping[str, Any],
    estimate: Callable[..., Estimate],
) -> dict[str, Any] | None:
    """Aggregate over all targets: the return by mean and worst target, the normalised score by all four."""
    if not targets:
        return None
    returns = table.returns[:, [table.column(target) for target in targets]]
    said: dict[str, Any] = {
        "return": {"mean": estimate(returns).to_dict(), "worst": estimate(returns, worst_target).to_dict()},
        "normalised": None,
    }
    if method != RANDOM:
        home, away = table.returns[:, table.column(source)], returns.mean(axis=1)
        said["gap"] = estimate(home - away).to_dict()
        said["retention"] = _ratio_of_columns(estimate, np.stack([home, away], axis=1))
    columns = [normalised(table, target, anchors) for target in targets]
    scores = [column for column in columns if column is not None]
    if len(scores) == len(targets):
        statistics = {"mean": mean, "iqm": iqm, "worst": worst_target, "optimality_gap": optimality_gap}
        matrix = np.stack(scores, axis=1)
        said["normalised"] = {name: estimate(matrix, statistic).to_dict() for name, statistic in statistics.items()}
    return said


def _comparisons(
    tables: Mapping[str, EpisodeMeans], baseline: str | None, targets: list[str], resampling: Resampling
) -> list[dict[str, Any]]:
    """Compare every learnt method with the baseline: target by target, and over all of them."""
    if baseline is None or not targets:
        return []
    said: list[dict[str, Any]] = []
    for method in tables:
        if method in (baseline, RANDOM):
            continue
        first, second = tables[method], tables[baseline]
        groups = {target: [target] for target in targets}
        if len(targets) > 1:
            groups[ALL_TARGETS] = targets
        for name, members in groups.items():
            columns = [first.column(member) for member in members]
            result = compare(
                first.returns[:, columns],
                second.returns[:, columns],
                paired=first.seeds == second.seeds,
                encoders=(first.encoders, second.encoders),
                resamples=resampling.resamples,
                confidence=resampling.confidence,
                seed=resampling.seed,
            )
            said.append(
                {
                    "method": method,
                    "baseline": baseline,
                    "domain": name,
                    "difference": result.difference.to_dict(),
                    "ratio": result.ratio.to_dict(),
                    "improvement": result.improvement.to_dict(),
                    "p_value": result.p_value,
                    "paired": result.paired,
                    "seeds": result.difference.seeds,
                    "independent": min(result.difference.seeds, result.difference.encoders),
                    "optimistic": result.difference.optimistic,
                }
            )
    single = [entry for entry in said if entry["domain"] != ALL_TARGETS]
    adjusted = holm([float(entry["p_value"]) for entry in single])
    for entry, p_value in zip(single, adjusted, strict=True):
        entry["p_value_holm"] = float(p_value)
    return said


def _ratio_of_columns(estimate: Callable[..., Estimate], pair: FloatArray) -> dict[str, Any] | None:
    """Return the second column's mean over the first's; None unless the first is positive for every seed."""
    if pair[:, 0].min() <= 0:
        return None

    def ratio(scores: FloatArray, weights: FloatArray) -> FloatArray:
        quotient: FloatArray = (weights @ scores[:, 1]) / (weights @ scores[:, 0])
        return quotient

    return estimate(pair, ratio).to_dict()


def _by_seed(table: EpisodeMeans, values: FloatArray) -> dict[str, float]:
    return {str(seed): float(value) for seed, value in zip(table.seeds, values, strict=True)}


def _within_policy(
    method: str, domain: str, rows: Sequence[Row], confidence: float
) -> dict[str, dict[str, Any]] | None:
    """Return for each policy the share of its successful episodes, with an interval over episodes alone."""
    counts: dict[str, list[bool]] = {}
    for row in rows:
        if row.method == method and row.domain == domain:
            if row.success is None:
                return None
            counts.setdefault(str(row.seed), []).append(row.success)
    return {seed: vars(wilson(sum(successes), len(successes), confidence)) for seed, successes in counts.items()}
