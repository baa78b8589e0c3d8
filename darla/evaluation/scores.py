"""From one row per episode to the scores of each method: return, gap, retention, normalized score, success rate.

A *method* is a way of making an agent; its agents differ in their seeds. The interval of a number is about other seeds
of the method. It comes from resampling agents as whole rows over the targets (`darla.evaluation.bootstrap`). The two
anchors of the normalized score, the random agent's return and the baseline's return in the source, are measured in the
same run and treated as fixed numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from darla.common import InputError
from darla.evaluation.aggregates import (
    FloatArray,
    Proportion,
    holm,
    iqm,
    optimality_gap,
    wilson,
    worst_target,
)
from darla.evaluation.bootstrap import BootstrapEstimate, bootstrap, compare
from darla.evaluation.episode_records import EpisodeMeans, EpisodeRecord, mean_returns
from darla.evaluation.score_types import (
    ALL_TARGETS,
    RANDOM,
    Anchors,
    BaselineComparison,
    DomainScores,
    EpisodeScores,
    Estimate,
    MethodScores,
    NormalizedAggregates,
    ReturnAggregates,
    ScoredDomain,
    TargetScores,
)
from darla.evaluation.transfer_config import Resampling

_Estimator = Callable[..., BootstrapEstimate]


def score(
    records: Sequence[EpisodeRecord],
    encoders: Mapping[str, str | None],
    *,
    baseline: str | None,
    resampling: Resampling | None = None,
    seed: int = 0,
) -> EpisodeScores:
    """Compute every score that follows from the episodes.

    Args:
        records: one for each episode.
        encoders: by digest of an agent the digest of its encoder, None where it has none.
        baseline: the method that others are compared with, whose source return normalizes the scores; None
            for no comparison and no normalized score.
        resampling: how intervals are made; None for the defaults.
        seed: seed of the resampling.

    Raises:
        InputError: there is no episode of the source, or an agent was not run in every domain on the same episodes.
    """
    resampling = resampling or Resampling()
    tables = mean_returns(records, encoders)
    # In the order of evaluation; the leak level is that of the first agent, the random one, as the task has it.
    domains: dict[str, ScoredDomain] = {}
    for record in records:
        domains.setdefault(record.domain, ScoredDomain(record.domain, record.split, record.leak))
    sources = [name for name, domain in domains.items() if domain.split == "source"]
    targets = [name for name, domain in domains.items() if domain.split == "target"]
    if len(sources) != 1:
        raise InputError(f"scores need the episodes of exactly one source domain, not of {len(sources)}")
    if baseline is not None and baseline not in tables:
        raise InputError(f"the baseline {baseline!r} was not evaluated; there are {sorted(tables)}")
    anchors = _anchors(tables, baseline, sources[0], tuple(domains))
    methods = [
        replace(
            _method(method, table, records, sources[0], targets, anchors, resampling, seed),
            leaks=_differing_leaks(method, records, domains),
        )
        for method, table in tables.items()
    ]
    comparisons = _comparisons(tables, baseline, targets, resampling, seed)
    return EpisodeScores(tuple(domains.values()), anchors, tuple(methods), tuple(comparisons))


def _anchors(
    tables: Mapping[str, EpisodeMeans], baseline: str | None, source: str, domains: tuple[str, ...]
) -> Anchors:
    random = {
        domain: float(tables[RANDOM].returns[:, tables[RANDOM].column(domain)].mean()) if RANDOM in tables else None
        for domain in domains
    }
    reference = None
    if baseline is not None:
        reference = float(tables[baseline].returns[:, tables[baseline].column(source)].mean())
    return Anchors(baseline, reference, random)


def normalized(table: EpisodeMeans, domain: str, anchors: Anchors) -> FloatArray | None:
    """Return normalized scores, (S,): 0 is the random agent's return in the domain, 1 the baseline's in the source.

    None where the baseline's return is not above the random agent's, so that the score is not defined.
    """
    floor, ceiling = anchors.random_return[domain], anchors.reference_return
    if floor is None or ceiling is None or ceiling <= floor:
        return None
    scores: FloatArray = (table.returns[:, table.column(domain)] - floor) / (ceiling - floor)
    return scores


def _method(
    method: str,
    table: EpisodeMeans,
    records: Sequence[EpisodeRecord],
    source: str,
    targets: list[str],
    anchors: Anchors,
    resampling: Resampling,
    seed: int,
) -> MethodScores:
    estimator = partial(
        bootstrap,
        encoders=table.encoders,
        resamples=resampling.resamples,
        confidence=resampling.confidence,
        seed=seed,
    )
    source_returns = table.returns[:, table.column(source)]
    domains = {}
    for domain in table.domains:
        column = table.column(domain)
        returns = table.returns[:, column]
        scores = normalized(table, domain, anchors)
        # The random agent has learned nothing in the source that it could lose, so it has no gap.
        has_gap = domain in targets and method != RANDOM
        domains[domain] = DomainScores(
            return_=estimator(returns).estimate,
            return_by_seed={str(seed): float(value) for seed, value in zip(table.seeds, returns, strict=True)},
            length=float(table.lengths[:, column].mean()),
            truncated=float(table.truncated[:, column].mean()),
            collected_good=None if table.good is None else float(table.good[:, column].mean()),
            collected_bad=None if table.bad is None else float(table.bad[:, column].mean()),
            success=None if table.successes is None else estimator(table.successes[:, column]).estimate,
            success_within_policy=_within_policy(method, domain, records, resampling.confidence),
            normalized=None if scores is None else estimator(scores).estimate,
            gap=estimator(source_returns - returns).estimate if has_gap else None,
            retention=_retention(estimator, source_returns, returns) if has_gap else None,
        )
    return MethodScores(
        method=method,
        seeds=table.seeds,
        encoders=None if table.encoders is None else len(set(table.encoders)),
        few_seeds=estimator(source_returns).few_seeds,
        domains=domains,
        over_targets=_over_targets(method, table, source, targets, anchors, estimator),
    )


def _differing_leaks(
    method: str, records: Sequence[EpisodeRecord], domains: Mapping[str, ScoredDomain]
) -> dict[str, str]:
    """Return the leak levels of a method that differ from the task's, since it was trained elsewhere."""
    return {
        record.domain: record.leak
        for record in records
        if record.method == method and record.leak != domains[record.domain].leak
    }


def _over_targets(
    method: str, table: EpisodeMeans, source: str, targets: list[str], anchors: Anchors, estimator: _Estimator
) -> TargetScores | None:
    if not targets:
        return None
    columns = [table.column(target) for target in targets]
    returns = table.returns[:, columns]
    source_returns, target_returns = table.returns[:, table.column(source)], returns.mean(axis=1)
    scores = [normalized(table, target, anchors) for target in targets]
    defined = [column for column in scores if column is not None]
    aggregates = None
    if len(defined) == len(targets):
        matrix = np.stack(defined, axis=1)
        aggregates = NormalizedAggregates(
            mean=estimator(matrix).estimate,
            iqm=estimator(matrix, iqm).estimate,
            worst=estimator(matrix, worst_target).estimate,
            optimality_gap=estimator(matrix, optimality_gap).estimate,
        )
    return TargetScores(
        return_=ReturnAggregates(estimator(returns).estimate, estimator(returns, worst_target).estimate),
        success=None if table.successes is None else estimator(table.successes[:, columns]).estimate,
        normalized=aggregates,
        gap=None if method == RANDOM else estimator(source_returns - target_returns).estimate,
        retention=None if method == RANDOM else _retention(estimator, source_returns, target_returns),
    )


def _comparisons(
    tables: Mapping[str, EpisodeMeans],
    baseline: str | None,
    targets: list[str],
    resampling: Resampling,
    seed: int,
) -> list[BaselineComparison]:
    """Compare every trained method with the baseline: in each target, and over all of them."""
    if baseline is None or not targets:
        return []
    comparisons: list[BaselineComparison] = []
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
                seed=seed,
            )
            comparisons.append(
                BaselineComparison(
                    method=method,
                    baseline=baseline,
                    domain=name,
                    difference=result.difference.estimate,
                    ratio=result.ratio.estimate,
                    improvement=result.improvement.estimate,
                    p_value=result.p_value,
                    p_value_holm=result.p_value,
                    paired=result.paired,
                    seeds=result.difference.seeds,
                    independent=min(result.difference.seeds, result.difference.encoders),
                    few_seeds=result.difference.few_seeds,
                )
            )
    for over_all in (False, True):
        family = [number for number, entry in enumerate(comparisons) if (entry.domain == ALL_TARGETS) == over_all]
        adjusted = holm([comparisons[number].p_value for number in family])
        for number, p_value in zip(family, adjusted, strict=True):
            comparisons[number] = replace(comparisons[number], p_value_holm=float(p_value))
    return comparisons


def _retention(estimator: _Estimator, source: FloatArray, target: FloatArray) -> Estimate | None:
    """Return the mean in the target over the mean in the source; None unless every seed's source return is positive."""
    if source.min() <= 0:
        return None

    def ratio(scores: FloatArray, weights: FloatArray) -> FloatArray:
        quotient: FloatArray = (weights @ scores[:, 1]) / (weights @ scores[:, 0])
        return quotient

    return estimator(np.stack([source, target], axis=1), ratio).estimate


def _within_policy(
    method: str, domain: str, records: Sequence[EpisodeRecord], confidence: float
) -> dict[str, Proportion] | None:
    """Return each policy's share of successful episodes, by seed, with an interval over episodes."""
    successes: dict[str, list[bool]] = {}
    for record in records:
        if record.method == method and record.domain == domain:
            if record.episode.success is None:
                return None
            successes.setdefault(str(record.seed), []).append(record.episode.success)
    return {seed: wilson(sum(episodes), len(episodes), confidence) for seed, episodes in successes.items()}
