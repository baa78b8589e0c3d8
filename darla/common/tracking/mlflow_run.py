"""A run in MLflow."""

import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Metric, Param
from mlflow.exceptions import MlflowException

from darla.common.files import write_bytes
from darla.common.tracking.trackers import Cell, Picture, TrackedRun

_PARAMETERS = 100
"""MLflow takes as many in one call."""
_LONGEST = 500
"""Characters of a parameter's value that every store of MLflow takes."""
# An unreachable server is given up after some seconds, and not after the minutes that MLflow would try.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}


class MlflowRun:
    """A run in the experiment that `MLFLOW_EXPERIMENT_NAME` names, or `darla`; the study is a tag."""

    def __init__(self, run: TrackedRun, known: Mapping[str, Any]) -> None:
        self._client = _client()
        experiment = _experiment(self._client)
        self._id = self._continue(str(known["run_id"])) if known.get("run_id") else None
        if self._id is None:
            tags = {"kind": run.kind, "folder": str(run.folder)}
            if run.study is not None:
                tags["study"] = run.study
            self._id = self._client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
            parameters = [Param(_name(name), _short(value)) for name, value in _flat(run.config)]
            for start in range(0, len(parameters), _PARAMETERS):
                self._client.log_batch(self._id, params=parameters[start : start + _PARAMETERS])

    def _continue(self, run_id: str) -> str | None:
        """Return the id of a run that is continued; None if it is not in this store, or was deleted."""
        try:
            if self._client.get_run(run_id).info.lifecycle_stage != LifecycleStage.ACTIVE:
                return None
            self._client.update_run(run_id, status="RUNNING")
        except MlflowException:
            return None
        return run_id

    @staticmethod
    def prepare() -> None:
        """Make the store and the experiment, which several processes that begin at the same time would each make."""
        _experiment(_client())

    def identity(self) -> dict[str, Any]:
        """Return what the run is found by."""
        return {"run_id": self._id, "tracking_uri": self._client.tracking_uri}

    def log_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name."""
        now = int(time.time() * 1000)
        self._client.log_batch(self._id, [Metric(_name(name), value, now, step) for name, value in values.items()])

    def log_picture(self, step: int, name: str, picture: Picture) -> None:
        """Log a picture, as the artifact `NAME/STEP.png`."""
        self._client.log_image(self._id, picture, artifact_file=f"{_name(name)}/{step:09d}.png")

    def log_film(self, step: int, name: str, gif: bytes) -> None:
        """Log an animated GIF, as the artifact `NAME/STEP.gif`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{step:09d}.gif"
            write_bytes(path, gif)
            self._client.log_artifact(self._id, str(path), _name(name))

    def log_table(self, step: int, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Log a table, as the artifact `NAME.json`, which MLflow's page and `mlflow.load_table` show."""
        data = {column: [row[place] for row in rows] for place, column in enumerate(columns)}
        self._client.log_table(self._id, data, f"{_name(name)}.json")

    def close(self, *, failed: bool) -> None:
        """End the run."""
        self._client.set_terminated(self._id, "KILLED" if failed else "FINISHED")


def _client() -> MlflowClient:
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # tells every table that a new store has
    return MlflowClient()


def _experiment(client: MlflowClient) -> str:
    """Return the id of the experiment, which is made if there is none."""
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "darla"
    if (found := client.get_experiment_by_name(name)) is None:
        return str(client.create_experiment(name))
    return str(found.experiment_id)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _name(name: str) -> str:
    """Return a name without characters that MLflow refuses."""
    return re.sub(r"[^\w./ -]", "_", name)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
