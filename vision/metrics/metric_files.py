"""What a metrics artefact holds: its kind, its files, and how its results are read."""

from collections.abc import Mapping, Sequence

from darla.common import Artefact
from darla.common.files import read_json
from darla.vision.metrics.core.registry import METRICS as ALL_METRICS
from darla.vision.metrics.core.result import Result

METRICS = "metrics"
"""Kind of the artefact."""
RESULTS, TABLE, MATRICES = "metrics.json", "table.md", "matrices"


def read_results(artefact: Artefact) -> tuple[dict[str, Result], tuple[str, ...]]:
    """Return the results by metric, in the order in which they are shown, and the names of the factors."""
    record = read_json(artefact.folder / RESULTS)
    stored = record["results"]
    # Metrics of packages that are not installed here come last.
    names = [*(name for name in ALL_METRICS if name in stored), *(name for name in stored if name not in ALL_METRICS)]
    return {name: Result.from_dict(stored[name]) for name in names}, tuple(record["factors"])


def describe_factors(results: Mapping[str, Result], names: Sequence[str]) -> str:
    """Return the names of the factors, and which were read as classes and which as points on a line."""
    kinds = next((r.per_factor["continuous"] for r in results.values() if "continuous" in r.per_factor), None)
    if kinds is None:
        return ", ".join(names)
    return ", ".join(f"{name} ({'continuous' if kind else 'classes'})" for name, kind in zip(names, kinds, strict=True))
