"""Every score of codes whose quality is known: robust preset beside the dlib preset, as a Markdown table.

    python -m benchmarks.metric_table
    python -m benchmarks.metric_table --names mig sap --codes perfect circle --sizes 3 6 8 8

Codes are made from factors alone (`tests/helpers/known_codes.py`), 10,000 rows each, so nothing is trained and nothing
downloaded. A dash stands where the dlib preset has no finite value, `...` for what takes minutes and needs `--slow`:
disentanglement_lib's boosted trees fit as many trees as there are factor values, and more of them at dSprites' sizes.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from darla.common import InputError, limit_threads
from darla.vision.metrics import METRICS, Sample
from darla.vision.metrics.names import PRESETS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

WORLDS = ((3, 6, 8, 8), (3, 6, 40, 32, 32))
COLUMNS = {
    "mig": ("mig",),
    "mig_sup": ("mig_sup",),
    "modularity": ("modularity",),
    "med": ("med",),
    "infomec": ("infom", "infoc", "infoe"),
    "irs": ("irs",),
    "jemmig": ("jemmig",),
    "dcimig": ("dcimig",),
    "mcc": ("mcc",),
    "dci": ("disentanglement", "completeness", "informativeness_test"),
    "sap": ("sap",),
    "beta_vae_score": ("beta_vae_score",),
    "factor_vae_score": ("factor_vae_score",),
    "snc_nk": ("snc",),
    "explicitness": ("test",),
    "r2": ("linear",),
}
"""Metrics of the table, and which of their values it shows."""
MINUTES = (("dci", "dlib"),)
"""Metric and preset that take minutes for each code."""


def rows(
    sizes: Sequence[int], names: Sequence[str], chosen: Sequence[str], count: int, slow: bool
) -> Iterator[list[str]]:
    """Yield the table's rows: the name of a value, and it in both presets for each code."""
    from known_codes import CODES, world

    factors = world(sizes, count)
    codes = {name: CODES[name](factors) for name in chosen}
    samples = {(name, p): Sample(codes[name], factors, preset=p) for name in codes for p in PRESETS}
    for name in names:
        result: dict[tuple[str, str], dict[str, float] | str] = {}
        for (code, preset), sample in samples.items():
            print(f"{name} {code} {preset}", file=sys.stderr, flush=True)
            result[code, preset] = _values(METRICS[name], sample, slow)
        for value in COLUMNS[name]:
            cells = [name if value == name else f"{name}: {value}"]
            for code in codes:
                cells.append(" / ".join(_shown(result[code, preset], value) for preset in PRESETS))
            yield cells


def _values(metric: Any, sample: Sample, slow: bool) -> dict[str, float] | str:
    if (metric.name, sample.preset) in MINUTES and not slow:
        return "..."
    try:
        # Only the scores: chance levels are not in this table, and cost as much again.
        result = metric.scores(sample)
    except InputError:
        return "-"
    values = {metric.name: float(result.score), **{name: float(value) for name, value in result.values.items()}}
    return values


def _shown(values: dict[str, float] | str, name: str) -> str:
    if isinstance(values, str):
        return values
    number = values[name]
    return f"{number + 0.0:.2f}".replace("-0.00", "0.00") if abs(number) < 1e6 else "-"


def main() -> None:
    """Print one table for each world."""
    from known_codes import CODES

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", nargs="+", choices=list(COLUMNS), default=list(COLUMNS))
    parser.add_argument("--codes", nargs="+", choices=list(CODES), default=list(CODES))
    parser.add_argument("--sizes", nargs="+", type=int, help="factor sizes; both worlds if left out")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--slow", action="store_true", help="also what takes minutes for each code")
    options = parser.parse_args()
    limit_threads(1)
    for sizes in [tuple(options.sizes)] if options.sizes else WORLDS:
        print(f"\nFactor sizes {list(sizes)}, {options.rows:,} rows; robust / dlib.\n")
        print("| score | " + " | ".join(options.codes) + " |")
        print("|---|" + "---|" * len(options.codes))
        for cells in rows(sizes, options.names, options.codes, options.rows, options.slow):
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
