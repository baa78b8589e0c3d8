"""Expected times in words: rounded, with what they follow from."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from darla.common.speeds.records import Found, Speed, Work, find, kept

_SHORT = 5.0
"""Seconds of a measurement below which they are said."""


@dataclass(frozen=True)
class Part:
    """A part of what a stage is about to do."""

    work: Work
    amount: float
    """How many units of it."""
    label: str = ""
    """Label of the `Progress` that counts them, or a name of its own; empty for everything beside the other parts."""


@dataclass(frozen=True)
class Expected:
    """The expected time of some parts, from what was measured."""

    seconds: float
    """Of all parts whose speed is known."""
    known: tuple[tuple[Part, Found], ...]
    unknown: tuple[Part, ...]
    """Parts whose speed was never measured on this machine; what is done beside the parts is never among them."""

    @property
    def complete(self) -> bool:
        """Whether every part counts."""
        return bool(self.known) and not self.unknown


def expect(parts: Sequence[Part], side_by_side: int = 1, among: Sequence[Speed] | None = None) -> Expected:
    """Return the expected time of parts that are done one after another, or `side_by_side` at a time.

    What is done beside the parts is done once, by one process.

    Args:
        parts: what is done.
        side_by_side: processes that do parts with labels at the same time.
        among: what `kept` returned, where several estimates are made of it; the file is read if None.
    """
    speeds = kept() if among is None else among
    known: list[tuple[Part, Found]] = []
    unknown: list[Part] = []
    seconds = 0.0
    for part in parts:
        if part.amount <= 0:
            continue
        found = find(part.work, speeds)
        if found is None:
            if part.label or len(parts) == 1:
                unknown.append(part)
            continue
        known.append((part, found))
        seconds += part.amount / found.speed.rate / (side_by_side if part.label else 1)
    if all(not part.label for part, _ in known) and unknown:
        known, seconds = [], 0.0  # what comes beside the parts says nothing of how long they take
    return Expected(seconds, tuple(known), tuple(unknown))


def about(expected: Expected) -> str:
    """Return an expected time in words, with what it follows from."""
    least = "at least " if expected.unknown else ""
    return f"{least}about {roughly(expected.seconds)} ({basis(expected)})"


def sentence(name: str, expected: Expected) -> str:
    """Return the line that a stage prints before it begins; empty where there is nothing to do."""
    if not expected.known:
        if not expected.unknown:
            return ""
        return f"{name}: how long this takes has not been measured on this machine yet; this run measures it"
    text = f"{name}: {about(expected)}"
    if not expected.unknown:
        return text
    if len(expected.unknown) > 3:
        return f"{text}; {len(expected.unknown)} further parts have not been measured on this machine yet"
    labels = ", ".join(part.label for part in expected.unknown)
    return f"{text}; {labels}: not measured on this machine yet"


def basis(expected: Expected) -> str:
    """Return what an expected time follows from: units, their speed, and when and where that was measured."""
    main = [(part, found) for part, found in expected.known if part.label] or list(expected.known)
    if len(main) > 3:
        pieces = [f"{len(main)} parts"]
    elif len(main) > 1:
        pieces = [": ".join(filter(None, (part.label, _counted(part, found)))) for part, found in main]
    else:
        pieces = [_counted(part, found) for part, found in main]
    pieces = [piece for piece in pieces if piece]
    return ", ".join(filter(None, ["; ".join(pieces), measured([found for _, found in main])]))


def _counted(part: Part, found: Found) -> str:
    if part.work.unit == "run":
        return ""
    plural = "" if part.amount == 1 else "s"
    return f"{part.amount:,.0f} {part.work.unit}{plural} at {pace(found.speed.rate)}"


def pace(rate: float) -> str:
    """Return a speed in words: `48 a second`, `0.35 a second`."""
    return f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.2g} a second"


def measured(found: Sequence[Found]) -> str:
    """Return when, where and how speeds were measured; of several days the oldest."""
    oldest = min(found, key=lambda each: each.speed.day).speed
    hosts = {each.speed.host for each in found}
    where = "on this machine" if hosts == {socket.gethostname()} else f"on {oldest.host}, which has the same processor,"
    unlike = {difference for each in found for difference in each.unlike}
    caveat = ", ".join(f"{then} {_plural(name, then)} instead of {now}" for name, then, now in sorted(unlike))
    counted = [each.speed for each in found if each.speed.work.unit != "run"]
    short = f" for {roughly(counted[0].seconds)}" if len(counted) == 1 and counted[0].seconds < _SHORT else ""
    busy = ", while other work made it slow" if any(each.speed.was_busy for each in found) else ""
    return f"measured {where} on {oldest.day}{short}{f' with {caveat}' if caveat else ''}{busy}"


def _plural(name: str, count: str) -> str:
    return name.removesuffix("s") if count == "1" else name


def roughly(seconds: float) -> str:
    """Return a time as exactly as it can be expected: `10 seconds`, `2.5 minutes`, `14 minutes`, `3 h 10 min`."""
    if seconds < 7.5:
        return "5 seconds" if seconds >= 2.5 else "a second or two"
    if seconds < 118:
        return f"{5 * round(seconds / 5)} seconds"
    if seconds < 285:
        return f"{round(seconds / 30) / 2:g} minutes"
    if seconds < 5_370:
        return f"{round(seconds / 60)} minutes"
    if seconds < 36_000:
        tens = round(seconds / 600)
        return f"{tens // 6} h {tens % 6 * 10:02d} min"
    if seconds < 172_800:
        return f"{round(seconds / 3600)} hours"
    return f"{round(seconds / 86_400)} days"
