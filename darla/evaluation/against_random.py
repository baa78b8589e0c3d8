"""Whether a method returns more than the random agent: without that, nothing about its transfer follows."""

from collections.abc import Iterable, Sequence
from math import sqrt

from scipy import stats

from darla.evaluation.episode_records import EpisodeRecord
from darla.evaluation.score_types import RANDOM, EpisodeScores, MethodScores

_LEVEL = 0.975


def better_than_random(
    scores: EpisodeScores, records: Sequence[EpisodeRecord], domains: Iterable[str]
) -> dict[str, bool]:
    """Return for each trained method whether its mean return over some domains is above the random agent's.

    One-sided t-test at 2.5 %: with several seeds, of their mean returns against the random agent's; with one seed, of
    the differences between the episodes of the two agents, which have the same seeds.

    Args:
        scores: of a transfer.
        records: the episodes behind them.
        domains: names of domains; the mean over them is compared.

    Returns:
        By method; nothing where the random agent was not evaluated.
    """
    chosen = list(domains)
    returns: dict[str, dict[int, dict[tuple[str, int], float]]] = {}
    for record in records:
        if record.domain in chosen:
            of_seed = returns.setdefault(record.method, {}).setdefault(record.seed, {})
            of_seed[record.domain, record.episode.number] = record.episode.return_
    if RANDOM not in returns:
        return {}
    (random,) = returns[RANDOM].values()
    result = {}
    for method in scores.methods:
        if method.method == RANDOM or method.method not in returns:
            continue
        policies = list(returns[method.method].values())
        if len(policies) == 1:
            differences = [value - random[episode] for episode, value in policies[0].items() if episode in random]
        else:
            level = _mean(list(random.values()))
            differences = [_mean(list(policy.values())) - level for policy in policies]
        result[method.method] = _is_positive(differences)
    return result


def learned_source(scores: EpisodeScores, records: Sequence[EpisodeRecord]) -> dict[str, bool]:
    """Return for each trained method whether it returns more than the random agent in the source, beyond chance.

    By its interval (`EpisodeScores.beats_random`) and by the test of `better_than_random`; true where the random agent
    was not evaluated.

    Args:
        scores: of a transfer.
        records: the episodes behind them.
    """
    tested = better_than_random(scores, records, [scores.source])
    return {
        method.method: scores.beats_random(method) and tested.get(method.method, True)
        for method in scores.methods
        if method.method != RANDOM
    }


def learned_clearly(
    scores: EpisodeScores, records: Sequence[EpisodeRecord], methods: Sequence[MethodScores]
) -> tuple[MethodScores, ...]:
    """Return the methods that were trained in the source and return more than the random agent there, beyond chance.

    Only what these keep of their return says anything about transfer.

    Args:
        scores: of a transfer.
        records: the episodes behind them.
        methods: among which to look, without the random agent.
    """
    learned = learned_source(scores, records)
    return tuple(method for method in methods if not method.leaks and learned[method.method])


def _is_positive(differences: Sequence[float]) -> bool:
    """Return whether the mean of some numbers is above zero by more than chance."""
    count = len(differences)
    if count < 2:
        return False
    mean = _mean(differences)
    error = sqrt(sum((each - mean) ** 2 for each in differences) / (count - 1) / count)
    return mean > error * float(stats.t.ppf(_LEVEL, count - 1))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
