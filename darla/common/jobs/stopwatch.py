"""Seconds of work on an artefact, over all the calls that it took."""

import contextlib
import math
import time
from pathlib import Path
from types import TracebackType

from darla.common.errors import InputError
from darla.common.files import read_json, write_json

SECONDS = "seconds.json"
"""Name of the file in which stages keep their seconds."""


class Stopwatch:
    """Time a piece of work that may be interrupted and resumed in another process.

    The seconds of earlier parts are read from a file, and those of this part are added to it at the end of the `with`
    block, whether the block succeeds or raises. A process that may be killed calls `save` after each finished part.

        with Stopwatch(folder / CHECKPOINT / SECONDS) as stopwatch:
            ...
        finish(..., wall_seconds=stopwatch.seconds)

    Args:
        path: JSON file that holds one number. It is not written while its folder does not exist, so that work that
            fails before it has begun leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = 0.0
        self._started: float | None = None

    def __enter__(self) -> "Stopwatch":
        self._before = _seconds_in(self._path)
        self._started = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._before, self._started = self.seconds, None
        self.save()

    @property
    def seconds(self) -> float:
        """Seconds of all parts so far; stands still after the `with` block."""
        return self._before + (time.monotonic() - self._started if self._started is not None else 0.0)

    def save(self) -> None:
        """Write the seconds so far to the file."""
        if self._path.parent.is_dir():
            write_json(self._path, self.seconds)


def _seconds_in(path: Path) -> float:
    """Return the seconds of earlier parts; 0 where they cannot be read: no result depends on them."""
    if not path.is_file():
        return 0.0
    with contextlib.suppress(InputError):
        return as_seconds(read_json(path)) or 0.0
    return 0.0


def as_seconds(value: object) -> float | None:
    """Return what a file gives as seconds, None if it cannot be seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    return None
