"""What a metrics artefact holds: its kind, its files, and how its results are read."""

from darla.common import Artefact
from darla.common.files import read_json
from darla.vision.metrics.core.result import Result
from darla.vision.metrics.names import NAMES

METRICS = "metrics"
"""Kind of the artefact."""
RESULTS, TABLE, MATRICES = "metrics.json", "table.md", "matrices"


def read_results(artefact: Artefact) -> tuple[dict[str, Result], tuple[str, ...]]:
    """Return what `metrics` found, by metric in the order of the suite, and the names of the factors."""
    found = read_json(artefact.folder / RESULTS)
    stored = found["results"]
    return {name: Result.from_dict(stored[name]) for name in NAMES if name in stored}, tuple(found["factors"])
