"""TensorBoard's event files, written without a traceback where the disk is full."""

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darla.common.tracking.event_writer import EventWriter

_WRITING_THREAD = "_AsyncWriterThread"
"""TensorBoard's thread that writes. What it raises, it raises in the thread that adds events as well."""


def open_event_writer(folder: Path, purge_step: int | None) -> "EventWriter":
    """Return a writer of TensorBoard events, which also writes to the tracker that is chosen (`tracking`).

    Args:
        folder: of the event files, in the folder of the artefact that is being written.
        purge_step: what an interrupted run wrote from this step on is hidden; it will be written again.
    """
    from darla.common.tracking.event_writer import EventWriter  # PyTorch's writer takes a second to import
    from darla.common.tracking.repeater import Repeater

    _report_once()
    return EventWriter(folder, purge_step, Repeater.chosen(folder))


@cache
def _report_once() -> None:
    """Leave out the traceback that Python prints for an error in TensorBoard's thread, once for this process."""
    before = threading.excepthook

    def report(args: Any) -> None:
        if type(args.thread).__name__ != _WRITING_THREAD:
            before(args)

    threading.excepthook = report
