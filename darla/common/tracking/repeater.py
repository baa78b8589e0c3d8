"""What a stage logs, passed on to a tracker whose failures cost the stage nothing but a warning."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from darla.common.errors import DarlaError
from darla.common.files import read_json, write_json
from darla.common.tracking.trackers import (
    Cell,
    Picture,
    TrackedRun,
    Tracker,
    chosen_tracker,
    tracker_class,
    without_failing,
)


class Repeater:
    """Passes on what one stage logs. After the first failure of the tracker it does nothing.

    Scalars of one step are passed on together.

    Args:
        name: of the tracker.
        events: folder of the stage's event files. The run's identity is kept there, so that a resumed stage continues
            the run.
    """

    def __init__(self, name: str, events: Path) -> None:
        self._name = name
        self._scalars: dict[str, float] = {}
        self._step = 0
        self._tracker: Tracker | None = without_failing(name, lambda: self._begin(events))

    @classmethod
    def chosen(cls, events: Path) -> "Repeater | None":
        """Return a repeater to the tracker that is chosen for this process; None if there is none."""
        name = chosen_tracker()
        return None if name is None else cls(name, events)

    def _begin(self, events: Path) -> Tracker:
        path = events / f"{self._name}.json"
        known: object = {}
        if path.is_file():
            with contextlib.suppress(DarlaError):  # a damaged note begins a new run
                known = read_json(path)
        tracker = tracker_class(self._name)(TrackedRun.of(events.parent), known if isinstance(known, dict) else {})
        write_json(path, tracker.identity())
        return tracker

    def scalar(self, name: str, value: float, step: int) -> None:
        """Pass on a number; it is kept until one of another step comes."""
        if step != self._step:
            self.flush()
            self._step = step
        self._scalars[name] = value

    def picture(self, name: str, picture: Picture, step: int) -> None:
        """Pass on a picture, uint8 (H, W, 3)."""
        self._call(lambda tracker: tracker.log_picture(step, name, picture))

    def film(self, name: str, gif: bytes, step: int) -> None:
        """Pass on an animated GIF."""
        self._call(lambda tracker: tracker.log_film(step, name, gif))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], step: int) -> None:
        """Pass on a table."""
        self._call(lambda tracker: tracker.log_table(step, name, columns, rows))

    def flush(self) -> None:
        """Pass on the numbers that are kept."""
        if self._scalars:
            scalars, self._scalars = self._scalars, {}
            self._call(lambda tracker: tracker.log_scalars(self._step, scalars))

    def close(self, *, failed: bool) -> None:
        """End the run; a second call does nothing."""
        self.flush()
        self._call(lambda tracker: tracker.close(failed=failed))
        self._tracker = None

    def _call(self, call: Callable[[Tracker], None]) -> None:
        tracker = self._tracker
        if tracker is None:
            return

        def done() -> bool:
            call(tracker)
            return True

        if without_failing(self._name, done) is None:
            self._tracker = None
