"""What a metrics artefact holds: its kind, its files, and how its results are read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from darla.common import Artefact, InputError
from darla.common.checked_config import checked_value
from darla.common.files import read_json
from darla.common.jobs.sealed import read_if_sound, write_sealed
from darla.vision.metrics.core.registry import METRICS as ALL_METRICS
from darla.vision.metrics.core.result import Result

METRICS = "metrics"
"""Kind of the artefact."""
RESULTS, TABLE, MATRICES = "metrics.json", "table.md", "matrices"


def read_results(artefact: Artefact) -> tuple[dict[str, Result], tuple[str, ...]]:
    """Return the results by metric, in the order in which they are shown, and the names of the factors.

    Raises:
        InputError: the file does not hold what `darla.metrics` writes.
    """
    path = artefact.folder / RESULTS
    record = read_json(path)
    try:
        factors = checked_value("factors", record["factors"], tuple[str, ...])
        stored = {name: Result.from_dict(part) for name, part in record["results"].items()}
        for name, result in stored.items():
            _check_shapes(name, result, len(factors))
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(f"{path} does not hold results of metrics ({type(error).__name__}: {error})") from error
    # Metrics of packages that are not installed here come last.
    names = [*(name for name in ALL_METRICS if name in stored), *(name for name in stored if name not in ALL_METRICS)]
    return {name: stored[name] for name in names}, factors


def _check_shapes(name: str, result: Result, factors: int) -> None:
    for part, values in result.per_factor.items():
        if values.shape != (factors,):
            raise InputError(f"{part} of {name} is of shape {values.shape} for {factors} factors")
    if result.matrix is not None and (result.matrix.ndim != 2 or result.matrix.shape[1] != factors):
        raise InputError(f"the matrix of {name} is of shape {result.matrix.shape} for {factors} factors")
    latents = None if result.matrix is None else result.matrix.shape[0]
    for part, values in result.per_latent.items():
        latents = values.size if latents is None else latents
        if values.shape != (latents,):
            raise InputError(f"{part} of {name} is of shape {values.shape} for {latents} latents")


class KeptResults(dict[str, Result]):
    """Results of an unfinished scoring, in a folder: what was computed before it was interrupted.

    Args:
        folder: of the records, one for each metric.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        for name in ALL_METRICS:
            stored = read_if_sound(self._path(name), f"{name} is computed again")
            if stored is not None:
                super().__setitem__(name, Result.from_dict(stored))

    def __setitem__(self, name: str, result: Result) -> None:
        super().__setitem__(name, result)
        write_sealed(self._path(name), result.to_dict())

    def _path(self, name: str) -> Path:
        return self._folder / f"metric-{name}.json"


def describe_factors(results: Mapping[str, Result], names: Sequence[str]) -> str:
    """Return the names of the factors, and which were read as classes and which as points on a line."""
    kinds = next((r.per_factor["continuous"] for r in results.values() if "continuous" in r.per_factor), None)
    if kinds is None:
        return ", ".join(names)
    return ", ".join(f"{name} ({'continuous' if kind else 'classes'})" for name, kind in zip(names, kinds, strict=True))
