"""What a metrics artefact holds: its kind, its files, and how its results are read."""

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
