"""Measure a stage while it works: the expected time before it begins, and its speed for the next time.

    with measuring("learn to act", [Part(work, steps, label="learn to act"), Part(rest, 1)]):
        with Progress(steps, "learn to act"):
            ...

The line with the expected time is printed on the standard error when the first `Progress` of the stage begins, which
knows what an interrupted run has done already. Each `Progress` counts for the part of its label, less what others in
it take, and what is left of the stage's time is that of the part without a label. A stage inside another one measures
itself; the outer one speaks for both.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from darla.common.speeds.records import keep, speeds_file
from darla.common.speeds.wording import Part, expect, sentence

_LONG_ENOUGH = 30.0
"""Seconds of a part of a stage that was stopped, from which its speed is kept."""


def say_expected(name: str, parts: Sequence[Part], side_by_side: int = 1) -> None:
    """Print how long some parts will take, unless speeds are switched off or nothing is left to do.

    Args:
        name: of the stage, as the line on the standard error has it.
        parts: what it will do.
        side_by_side: processes that do parts with labels at the same time.
    """
    if speeds_file() is not None and (line := sentence(name, expect(parts, side_by_side))):
        print(line, file=sys.stderr, flush=True)


@dataclass
class Meter:
    """The time of a stage that is running."""

    name: str
    parts: list[Part]
    inner: list[Part]
    """Parts of stages inside this one, which measure themselves."""
    side_by_side: int
    outer: "Meter | None"
    quiet: bool
    counted: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Units and seconds so far, by label."""
    elsewhere: float = 0.0
    """Seconds of stages inside this one."""
    announced: bool = False

    def announce(self) -> None:
        """Print how long the stage will take, once, unless the stage around it has."""
        if self.outer is not None:
            self.outer.announce()
        if self.announced:
            return
        self.announced = True
        if self.outer is None and not self.quiet:
            say_expected(self.name, [*self.parts, *self.inner], self.side_by_side)

    def begin(self, label: str, left: float) -> None:
        """Note that a part begins, of which `left` units are to be done."""
        meter: Meter | None = self
        while meter is not None:
            for listed in (meter.parts, meter.inner):
                listed[:] = [replace(part, amount=left) if part.label == label else part for part in listed]
            meter = meter.outer
        self.announce()

    def skip(self, label: str) -> None:
        """Note that a part was done before."""
        self.parts = [replace(part, amount=0) if part.label == label else part for part in self.parts]

    def count(self, label: str, amount: float, seconds: float) -> None:
        """Add what was done of a part."""
        before = self.counted.get(label, (0.0, 0.0))
        self.counted[label] = before[0] + amount, before[1] + seconds

    def close(self, seconds: float, finished: bool) -> None:
        """Keep the speeds of a stage that took `seconds`; of one that was stopped, only what was measured for long."""
        measured, rest = [], seconds - self.elsewhere
        for part in self.parts:
            amount, taken = self.counted.get(part.label, (0.0, 0.0)) if part.label else (0.0, 0.0)
            rest -= taken / self.side_by_side
            if finished or taken >= _LONG_ENOUGH:
                measured.append((part.work, amount, taken))
        if finished:
            measured += [(part.work, part.amount, rest) for part in self.parts if not part.label]
        if not self.quiet:
            keep(measured)


_current: ContextVar[Meter | None] = ContextVar("_current", default=None)


@contextmanager
def measuring(
    name: str, parts: Sequence[Part], *, inner: Sequence[Part] = (), side_by_side: int = 1, quiet: bool = False
) -> Iterator[Meter]:
    """Measure what is done within this context.

    Args:
        name: of the stage, as the line on the standard error has it.
        parts: what it will do.
        inner: what stages inside it will do.
        side_by_side: processes that do parts with labels at the same time.
        quiet: neither print nor keep anything, in a process that another one speaks for.
    """
    meter = Meter(name, list(parts), list(inner), side_by_side, _current.get(), quiet)
    token = _current.set(meter)
    started, finished = time.monotonic(), False
    try:
        yield meter
        finished = True
    finally:
        _current.reset(token)
        seconds = time.monotonic() - started
        if meter.outer is not None:
            meter.outer.elsewhere += seconds
        meter.close(seconds, finished)


@dataclass
class Lap:
    """The time of one `Progress`, less that of others inside it."""

    label: str
    meter: Meter | None
    around: "Lap | None"
    started: float
    inside: float = 0.0

    @classmethod
    def begin(cls, label: str, left: float) -> "Lap":
        """Begin the time of a `Progress` that has `left` units to count."""
        meter = _current.get()
        if meter is not None:
            meter.begin(label, left)
        lap = cls(label, meter, _lap.get(), time.monotonic())
        _lap.set(lap)
        return lap

    def end(self, amount: float) -> None:
        """End it, with what was done in it."""
        seconds = time.monotonic() - self.started
        _lap.set(self.around)
        if self.around is not None and self.around.meter is self.meter:
            self.around.inside += seconds
        if self.meter is not None:
            self.meter.count(self.label, amount, seconds - self.inside)


_lap: ContextVar[Lap | None] = ContextVar("_lap", default=None)
