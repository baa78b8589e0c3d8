"""A run in Weights & Biases."""

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import wandb

from darla.common.tracking.trackers import Cell, Picture, TrackedRun

_STEP = "global_step"
"""The horizontal axis of all curves. Weights & Biases' own step must not go back, as it does after an interruption."""


class WandbRun:
    """A run in the project that `WANDB_PROJECT` names, or `darla`; a study is a group."""

    def __init__(self, run: TrackedRun, known: Mapping[str, Any]) -> None:
        # Several runs may be open in one process, and none of them is the caller's own.
        self._run = wandb.init(
            project=known.get("project") or os.environ.get("WANDB_PROJECT") or "darla",
            entity=known.get("entity"),
            id=known.get("run_id"),
            name=run.name,
            group=os.environ.get("WANDB_RUN_GROUP") or run.study,
            job_type=run.kind,
            config={**run.config, "folder": str(run.folder)},
            resume="allow" if known.get("run_id") else None,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self._run.define_metric(_STEP, hidden=True)
        self._run.define_metric("*", step_metric=_STEP)

    @staticmethod
    def prepare() -> None:
        """Nothing is needed before the first run."""

    def identity(self) -> dict[str, Any]:
        """Return what the run is found by."""
        return {"run_id": self._run.id, "project": self._run.project, "entity": self._run.entity or None}

    def log_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers by name."""
        self._run.log({**values, _STEP: step})

    def log_picture(self, step: int, name: str, picture: Picture) -> None:
        """Log a picture."""
        self._run.log({name: wandb.Image(picture), _STEP: step})

    def log_film(self, step: int, name: str, gif: bytes) -> None:
        """Log an animated GIF."""
        self._run.log({name: wandb.Video(io.BytesIO(gif), format="gif"), _STEP: step})

    def log_table(self, step: int, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Log a table."""
        table = wandb.Table(columns=list(columns), data=[list(row) for row in rows], allow_mixed_types=True)
        self._run.log({name: table, _STEP: step})

    def close(self, *, failed: bool) -> None:
        """End the run."""
        self._run.finish(exit_code=int(failed))
