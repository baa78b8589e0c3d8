"""Progress of long work: a bar on a terminal, plain lines with rate and time left elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any

from tqdm import tqdm

from darla.common.speeds.meter import Lap

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Show the progress of a piece of work, within a `with` block, and measure its speed (`darla.common.speeds`).

    Args:
        total: the amount of work in `unit`s.
        label: its name.
        unit: what is counted.
        done: the amount that an earlier, interrupted run has finished.
    """

    def __init__(self, total: int, label: str, unit: str = "step", *, done: int = 0) -> None:
        self.total, self.label, self.unit = total, label, unit
        self._done = self._done_at_start = done
        self._started = self._last_line = time.monotonic()
        self._last_printed: int | None = None
        self._numbers: dict[str, Any] = {}
        self._lap: Lap | None = None
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> "Progress":
        self._lap = Lap.begin(self.label, self.total - self._done_at_start)
        if sys.stderr.isatty():
            self._bar = tqdm(total=self.total, initial=self._done, desc=self.label, unit=self.unit, dynamic_ncols=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lap is not None:
            self._lap.end(self._done - self._done_at_start)
        if self._bar is not None:
            self._bar.close()
        elif kind is None and self._last_printed != self._done:
            self._line()

    def update(self, amount: int = 1, **numbers: float) -> None:
        """Count `amount` more as done, and show `numbers` beside it."""
        self._done += amount
        self._numbers.update(numbers)
        if self._bar is not None:
            if numbers:
                self._bar.set_postfix({name: f"{value:.4g}" for name, value in self._numbers.items()}, refresh=False)
            self._bar.update(amount)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._line()

    def _line(self) -> None:
        self._last_line, self._last_printed = time.monotonic(), self._done
        rate = (self._done - self._done_at_start) / max(self._last_line - self._started, 1e-9)
        left = (self.total - self._done) / rate if rate > 0 else float("inf")
        numbers = "".join(f", {name} {value:.4g}" for name, value in self._numbers.items())
        remaining = f", {duration(left)} left" if self._done < self.total and left != float("inf") else ""
        print(
            f"{self.label}: {self._done}/{self.total} {self.unit}s, {rate:.4g}/s{remaining}{numbers}",
            file=sys.stderr,
            flush=True,
        )


def duration(seconds: float) -> str:
    """Return a time in words: `42 s`, `3 min 05 s`, `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
