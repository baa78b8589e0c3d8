"""The writer of event files through which every stage logs; see `darla.common.tracking.event_files`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from darla.common.files import make_folder
from darla.common.tracking.repeater import Repeater
from darla.common.tracking.trackers import Cell, Picture

_RGB = 3
"""Channels, as TensorBoard numbers color spaces."""


class EventWriter(SummaryWriter):
    """TensorBoard's writer, which repeats scalars, pictures, films and tables to the chosen tracker.

    Args:
        folder: of the event files.
        purge_step: events from this step on, of an interrupted run, are hidden.
        repeater: to the tracker; None without one.
        prefix: of the names that the tracker gets.

    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(self, folder: Path, purge_step: int | None, repeater: Repeater | None, prefix: str = "") -> None:
        make_folder(folder)  # TensorBoard's own error does not say what to do
        super().__init__(str(folder), purge_step=purge_step)
        self._folder, self._repeater, self._prefix = folder, repeater, prefix

    def branch(self, name: str) -> "EventWriter":
        """Return a writer of a run below this one, such as one of several agents; it has to be closed.

        TensorBoard draws the curves of several runs over each other. A tracker gets them as `NAME/TAG` of one run.
        """
        return EventWriter(self._folder / name, None, self._repeater, f"{self._prefix}{name}/")

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int | None = None, *args: Any, **more: Any) -> None:
        """Log a number."""
        super().add_scalar(tag, scalar_value, global_step, *args, **more)
        if self._repeater is not None:
            self._repeater.scalar(f"{self._prefix}{tag}", float(scalar_value), global_step or 0)

    def add_picture(self, tag: str, picture: Picture, step: int) -> None:
        """Log a picture, uint8 (H, W, 3)."""
        self.add_image(tag, picture, step, dataformats="HWC")
        if self._repeater is not None:
            self._repeater.picture(f"{self._prefix}{tag}", np.ascontiguousarray(picture), step)

    def add_film(self, tag: str, gif: bytes, step: int) -> None:
        """Log an animated GIF, which TensorBoard plays among the pictures."""
        width, height = (int.from_bytes(gif[start : start + 2], "little") for start in (6, 8))
        image = Summary.Image(height=height, width=width, colorspace=_RGB, encoded_image_string=gif)
        summary = Summary(value=[Summary.Value(tag=tag, image=image)])
        self._get_file_writer().add_summary(summary, step)  # type: ignore[no-untyped-call]
        if self._repeater is not None:
            self._repeater.film(f"{self._prefix}{tag}", gif, step)

    def add_table(self, tag: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], step: int) -> None:
        """Log a table, which TensorBoard shows among the texts."""
        lines = [columns, ["---"] * len(columns), *rows]
        self.add_text(tag, "\n".join(f"| {' | '.join(map(_in_words, line))} |" for line in lines), step)
        if self._repeater is not None:
            self._repeater.table(f"{self._prefix}{tag}", columns, rows, step)

    def flush(self) -> None:
        """Write what has been logged."""
        super().flush()
        if self._repeater is not None:
            self._repeater.flush()

    def close(self) -> None:
        """Close the event file; while an error is on its way up, the tracker's run is marked as not finished."""
        super().close()
        if self._repeater is None:
            return
        if self._prefix:
            self._repeater.flush()
        else:
            self._repeater.close(failed=sys.exc_info()[0] is not None)


def _in_words(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell).replace("|", "\\|")
