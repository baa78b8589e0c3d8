"""How often intervals contain the true value, in simulation: darla's beside the plain percentile interval.

    python -m benchmarks.interval_coverage
    python -m benchmarks.interval_coverage --replications 1000 --seeds 5 10

Scores are drawn from a known law, an interval is made of them as `darla.evaluation.bootstrap` makes it, and it is
counted how often that holds the law's own value. Nothing is trained. In all designs a policy that fails fails in
every target:

    gaussian         seeds differ by a normal law; a little noise in each target
    failures         seven of ten seeds learn (0.8), the others fail (0.1)
    rare failures    nine of ten learn
    encoders fail    three policies on each encoder; seven of ten encoders are good, and all policies on a bad one fail
    policies fail    three policies on each encoder, whose failures have nothing to do with it
    paired           difference to a baseline whose seeds share what made them fail; both are of `failures`
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import asin, pi

import numpy as np

from darla.common import limit_threads
from darla.evaluation.aggregates import FloatArray, iqm, mean, worst_target
from darla.evaluation.bootstrap import Statistic, interval_ends, row_counts, tail_share
from darla.evaluation.rank_correlation import rank_correlation

TARGETS = 4
POLICIES = 3
"""Policies on each encoder where encoders are shared."""
RESAMPLES = 2_000
CONFIDENCE = 0.95
_BLOCK = 50
"""Replications that share their resamples."""
_POPULATION = 200_000
"""Seeds from which the truth of a statistic without a formula is computed."""


@dataclass(frozen=True)
class Design:
    """A law of scores."""

    name: str
    draw: Callable[[np.random.Generator, int], FloatArray]
    """(generator, independent units) -> scores (rows, TARGETS)."""
    policies: int = 1
    """Rows of each independent unit."""


def _noisy(rng: np.random.Generator, levels: FloatArray) -> FloatArray:
    """Return scores around a level for each row: noise of the row, and noise of each target."""
    rows = levels + rng.normal(0, 0.1, len(levels))
    return np.asarray(rows[:, None] + rng.normal(0, 0.05, (len(levels), TARGETS)))


def _gaussian(rng: np.random.Generator, units: int) -> FloatArray:
    return np.asarray(rng.normal(0, 1, (units, 1)) + rng.normal(0, 0.5, (units, TARGETS)))


def _failures(share: float) -> Callable[[np.random.Generator, int], FloatArray]:
    return lambda rng, units: _noisy(rng, np.where(rng.random(units) < share, 0.8, 0.1))


def _encoders_fail(rng: np.random.Generator, units: int) -> FloatArray:
    return _noisy(rng, np.repeat(np.where(rng.random(units) < 0.7, 0.8, 0.1), POLICIES))


def _policies_fail(rng: np.random.Generator, units: int) -> FloatArray:
    return _noisy(rng, np.where(rng.random(units * POLICIES) < 0.7, 0.8, 0.1))


def _paired(rng: np.random.Generator, units: int) -> FloatArray:
    lucky = rng.random(units)  # the same data make both methods learn; the method needs less of it
    first, second = (_noisy(rng, np.where(lucky < share, 0.8, 0.1)) for share in (0.8, 0.5))
    return first - second


DESIGNS = (
    Design("gaussian", _gaussian),
    Design("failures", _failures(0.7)),
    Design("rare failures", _failures(0.9)),
    Design("encoders fail", _encoders_fail, POLICIES),
    Design("policies fail", _policies_fail, POLICIES),
    Design("paired", _paired),
)
STATISTICS: dict[str, Statistic] = {"mean": mean, "IQM": iqm, "worst target": worst_target}
SHOWN = [(design, "mean") for design in DESIGNS] + [(DESIGNS[1], "IQM"), (DESIGNS[1], "worst target")]


def coverage(design: Design, statistic: Statistic, units: int, replications: int, seed: int = 0) -> tuple[float, float]:
    """Return the share of intervals that contain the true value: darla's, and percentile ones of the same resamples.

    Args:
        design: the law.
        statistic: what is estimated.
        units: independent units in each replication: seeds, or encoders.
        replications: intervals.
        seed: seed of everything.
    """
    rng = np.random.default_rng(seed)
    law = design.draw(np.random.default_rng(seed + 1), _POPULATION)
    # The law's own worst target is any of them, as all are alike.
    truth = float(law.mean()) if statistic is worst_target else float(statistic(law, np.ones((1, len(law))))[0])
    labels = np.repeat(np.arange(units), design.policies)
    tails = tail_share(CONFIDENCE, units), (1 - CONFIDENCE) / 2
    held = np.zeros(len(tails))
    for start in range(0, replications, _BLOCK):
        counts = row_counts(labels, RESAMPLES, rng)
        block = range(start, min(start + _BLOCK, replications))
        resampled = np.stack([statistic(design.draw(rng, units), counts) for _ in block], axis=1)
        for number, tail in enumerate(tails):
            low, high = interval_ends(resampled, tail)
            held[number] += ((low <= truth) & (truth <= high)).sum()
    ours, percentile = held / replications
    return float(ours), float(percentile)


def coverage_of_targets_apart(design: Design, units: int, replications: int, seed: int = 0) -> float:
    """Return how often the mean's interval contains the true value if seeds are drawn again for each target apart.

    Args:
        design: the law; one row for each unit.
        units: seeds in each replication.
        replications: intervals.
        seed: seed of everything.
    """
    rng = np.random.default_rng(seed)
    truth = float(design.draw(np.random.default_rng(seed + 1), _POPULATION).mean())
    labels, tail, held = np.arange(units), tail_share(CONFIDENCE, units), 0
    for start in range(0, replications, _BLOCK):
        counts = [row_counts(labels, RESAMPLES, rng) for _ in range(TARGETS)]
        block = [design.draw(rng, units) for _ in range(start, min(start + _BLOCK, replications))]
        resampled = np.stack(
            [np.mean([mean(scores[:, d], counts[d]) for d in range(TARGETS)], axis=0) for scores in block], axis=1
        )
        low, high = interval_ends(resampled, tail)
        held += int(((low <= truth) & (truth <= high)).sum())
    return held / replications


def correlation_coverage(items: int, replications: int, strength: float = 0.6, seed: int = 0) -> float:
    """Return how often the interval of a rank correlation holds that of a bivariate normal law.

    Args:
        items: encoders in each replication.
        replications: intervals.
        strength: correlation of the law; Spearman's coefficient of it is 6 / pi arcsin(strength / 2).
        seed: seed of everything.
    """
    rng, truth, held = np.random.default_rng(seed), 6 / pi * asin(strength / 2), 0
    for number in range(replications):
        pair = rng.multivariate_normal([0, 0], [[1, strength], [strength, 1]], size=items)
        result = rank_correlation(pair[:, 0], pair[:, 1], resamples=1_000, seed=number)
        assert result is not None
        held += result.low <= truth <= result.high
    return held / replications


def rows(seeds: Sequence[int], replications: int) -> Iterator[list[str]]:
    """Yield the rows of the table."""
    for design, name in SHOWN:
        cells = [design.name, name]
        for units in seeds:
            print(f"{design.name}, {name}, {units}", file=sys.stderr, flush=True)
            ours, percentile = coverage(design, STATISTICS[name], units, replications)
            cells.append(f"{100 * ours:.1f} ({100 * percentile:.1f})")
        yield cells
    apart = [coverage_of_targets_apart(DESIGNS[1], units, replications) for units in seeds]
    yield ["failures", "mean, each target apart", *(f"{100 * share:.1f}" for share in apart)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=4_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3, 5, 10, 20])
    parser.add_argument("--correlation", action="store_true", help="rank correlations of as many encoders instead")
    options = parser.parse_args()
    limit_threads(1)
    if options.correlation:
        print("| encoders | coverage of 95 % intervals |\n|---|---:|")
        for items in options.seeds:
            print(f"| {items} | {100 * correlation_coverage(items, options.replications):.1f} |", flush=True)
        return
    print(
        f"Per cent of {options.replications:,} intervals of nominal 95 % with the true value: darla's (percentile).\n"
    )
    print("| scores | statistic | " + " | ".join(f"{units} seeds" for units in options.seeds) + " |")
    print("|---|---|" + "---:|" * len(options.seeds))
    for cells in rows(options.seeds, options.replications):
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
