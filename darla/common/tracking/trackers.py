"""Trackers of experiments: which there are, which one is chosen, and what each has to do."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np

from darla.common.errors import InputError, unknown_name
from darla.common.files import read_json

R = TypeVar("R")
VARIABLE = "DARLA_TRACK"
"""Environment variable that names the tracker. Worker processes inherit it."""
_STUDY = "study.json"
"""The file by which the folder of a study is known."""
Picture = np.ndarray[Any, np.dtype[np.uint8]]
"""uint8 (H, W, 3)."""
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker is told of a run."""

    folder: Path
    """The artefact that is being written."""
    kind: str
    """Of the artefact: `encoder`, `agent`, `transfer`, ..."""
    name: str
    """Last two parts of the folder's path, such as `runs/encoder`."""
    study: str | None
    """Name of the study's folder, for a run of a study."""
    config: Mapping[str, Any]
    """The run's configuration."""

    @classmethod
    def of(cls, folder: Path) -> "TrackedRun":
        """Describe the run that is being written to a folder; without `config.json` it has no configuration."""
        folder = folder.absolute()
        path = folder / "config.json"
        record = read_json(path) if path.is_file() else {}
        study = folder.parent.parent
        return cls(
            folder,
            str(record.get("kind", "run")),
            "/".join(folder.parts[-2:]),
            study.name if (study / _STUDY).is_file() else None,
            record.get("config", {}),
        )


class Tracker(Protocol):
    """One run in a tracker. Every method may raise anything; a stage goes on without the tracker then."""

    def __init__(self, run: TrackedRun, known: Mapping[str, Any]) -> None:
        """Begin a run, or continue the one that `known` describes, which `identity` returned before."""

    @staticmethod
    def prepare() -> None:
        """Do what has to be done once, before several processes begin runs."""

    def identity(self) -> dict[str, Any]:
        """Return what the run is found by: `run_id`, and where."""

    def log_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name."""

    def log_picture(self, step: int, name: str, picture: Picture) -> None:
        """Log a picture."""

    def log_film(self, step: int, name: str, gif: bytes) -> None:
        """Log an animated GIF."""

    def log_table(self, step: int, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Log a table."""

    def close(self, *, failed: bool) -> None:
        """End the run."""


TRACKERS: Mapping[str, str] = MappingProxyType(
    {
        "wandb": "darla.common.tracking.wandb_run:WandbRun",
        "mlflow": "darla.common.tracking.mlflow_run:MlflowRun",
    }
)
"""`MODULE:CLASS` by name. The name is also that of the package and of darla's extra."""


def tracker_class(name: str) -> type[Tracker]:
    """Return the class of a tracker.

    Raises:
        InputError: there is no such tracker, or its package is not installed.
    """
    if name not in TRACKERS:
        raise unknown_name("tracker", name, TRACKERS)
    if importlib.util.find_spec(name) is None:
        raise InputError(f"{name} is not installed; pip install 'darla[{name}]' brings it")
    module, _, found = TRACKERS[name].partition(":")
    tracker: type[Tracker] = getattr(import_module(module), found)
    return tracker


def without_failing(name: str, call: Callable[[], R]) -> R | None:
    """Call something of a tracker; print a warning and return None if it raises."""
    try:
        return call()
    except Exception as error:
        lines = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        print(f"{name} is left out, TensorBoard has everything ({reason})", file=sys.stderr, flush=True)
        return None


def chosen_tracker() -> str | None:
    """Return the name of the tracker that stages of this process use besides TensorBoard; None for no tracker."""
    return os.environ.get(VARIABLE) or None


@contextmanager
def tracking(tracker: str | None) -> Iterator[None]:
    """Let every stage within the block repeat what it writes to TensorBoard to a tracker as well.

        with darla.tracking("mlflow"):
            encoder = darla.see("runs/frames", "runs/encoder")

    Scalars, pictures, films and tables are repeated. Where to is set as always with this tracker: `WANDB_PROJECT`,
    `WANDB_MODE=offline`, `MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME` and so on; project and experiment are `darla`
    if nothing else is said. A stage that is resumed continues its run. A tracker that fails is left out, with one
    warning. Worker processes, of a study for instance, do the same; they find the name in `DARLA_TRACK`, which can also
    be set by hand.

    Args:
        tracker: `wandb` or `mlflow`; None changes nothing.

    Raises:
        InputError: there is no such tracker, or its package is not installed.
    """
    if tracker is None:
        yield
        return
    prepare = tracker_class(tracker).prepare
    without_failing(tracker, prepare)
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = tracker
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
