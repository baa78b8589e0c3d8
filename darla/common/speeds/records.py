"""Speeds that were measured on this machine, in one small file of the user's cache.

    $DARLA_SPEEDS/speeds.json, or $XDG_CACHE_HOME/darla/speeds.json, or ~/.cache/darla/speeds.json

Nothing but expected times depends on the file: no result, no artefact, no digest. So it is never a reason to fail: one
that is missing, damaged or of somebody else has no speeds in it, and where it cannot be written nothing is kept.
`DARLA_SPEEDS=off` neither reads nor writes it.
"""

import json
import math
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from darla.common.errors import InputError
from darla.common.files import json_sha256, write_bytes
from darla.common.jobs.locks import only_one
from darla.common.threads import available_cores

VARIABLE = "DARLA_SPEEDS"
"""Environment variable: the folder of the file, or `off`."""
FILE = "speeds.json"
_OFF = ("off", "0", "no", "false")
_FORMAT = 1
_MOST = 300
"""Speeds that are kept, the newest ones."""
_LARGEST = 2**20
"""Bytes of a file that is read."""
_LONG = 30.0
"""Seconds after which a measurement replaces one that lasted longer."""

Facts = Mapping[str, str]


@dataclass(frozen=True)
class Work:
    """A kind of work, by everything that decides its speed on one machine."""

    stage: str
    """The verb of the command line."""
    unit: str
    """What is counted, in the singular."""
    facts: Facts = field(default_factory=dict)
    """What is done for each unit, and on which device. A speed counts only for equal facts."""
    how: Facts = field(default_factory=dict)
    """How it is spread: `workers`, `threads`, and `jobs` side by side, each 1 if it is not named. A speed with other
    values is used where there is no better one, and what differs is said."""


@dataclass(frozen=True)
class Speed:
    """A measurement."""

    work: Work
    rate: float
    """Units a second."""
    seconds: float
    """How long was measured."""
    day: str
    """Of the measurement, as `2026-01-31`."""
    host: str
    """Name of the machine."""
    machine: str
    """Its processor and its cores; a speed counts only where these are the same."""
    load: float = 0.0
    """Processes that wanted to run at its end, by the system's average over a minute."""

    @classmethod
    def from_dict(cls, data: Any) -> "Speed":
        """Read what the file holds.

        Raises:
            ValueError, TypeError, KeyError: it is not that.
        """
        of = data["work"]
        work = Work(str(of["stage"]), str(of["unit"]), _texts(of["facts"]), _texts(of["how"]))
        rate, seconds = float(data["rate"]), float(data["seconds"])
        if not (0 < rate < math.inf and 0 <= seconds < math.inf):
            raise ValueError("a speed is a positive number")
        day = date.fromisoformat(data["day"]).isoformat()
        return cls(work, rate, seconds, day, str(data["host"]), str(data["machine"]), float(data["load"]))

    @property
    def was_busy(self) -> bool:
        """Whether the machine had so much other work that it was slower than it is alone."""
        return self.load > 2 * available_cores()


@dataclass(frozen=True)
class Found:
    """A speed for some work."""

    speed: Speed
    unlike: tuple[tuple[str, str, str], ...] = ()
    """Where the speed was measured otherwise: name, value then, value now."""


def find(work: Work, among: Sequence[Speed] | None = None) -> Found | None:
    """Return the speed of some work on this machine: the one measured most alike, of several the newest.

    Args:
        work: facts that it does not have may have any value.
        among: what `kept` returned; the file is read if None.
    """
    best: Found | None = None
    for speed in kept() if among is None else among:
        known = speed.work
        if (known.stage, known.unit, speed.machine) != (work.stage, work.unit, this_machine()):
            continue
        if any(known.facts.get(name) != value for name, value in work.facts.items()):
            continue
        names = sorted(work.how.keys() | known.how.keys())
        unlike = tuple(
            (name, known.how.get(name, "1"), work.how.get(name, "1"))
            for name in names
            if known.how.get(name, "1") != work.how.get(name, "1")
        )
        if best is None or len(unlike) < len(best.unlike):
            best = Found(speed, unlike)
    return best


def kept() -> list[Speed]:
    """Return all speeds in the file, the newest first; none where it cannot be read."""
    path = speeds_file()
    if path is None:
        return []
    try:
        if path.stat().st_size > _LARGEST:
            return []
        data = json.loads(path.read_text(encoding="utf-8"))
        listed = data["speeds"] if data["format"] == _FORMAT else []
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return []
    speeds = []
    for each in listed if isinstance(listed, list) else []:
        with suppress(ValueError, TypeError, LookupError, AttributeError, OverflowError):
            speeds.append(Speed.from_dict(each))
    return speeds


def keep(measured: Sequence[tuple[Work, float, float]]) -> None:
    """Keep measurements: work, units, and seconds that these took.

    A measurement replaces the last one of the same work if it lasted as long, or half a minute; one on a busy machine
    is replaced by any. Without units or seconds it is nothing to go by, and is left out; nor is anything kept where the
    clock is beyond the years of a calendar: no run fails for its measurement.
    """
    path = speeds_file()
    try:
        today = date.today().isoformat()
    except (ValueError, OverflowError, OSError):
        return
    new = [
        Speed(work, amount / seconds, seconds, today, socket.gethostname(), this_machine(), _load())
        for work, amount, seconds in measured
        if amount > 0 and 0 < seconds < math.inf
    ]
    if path is None or not new:
        return
    # A disk that is full or read-only, a lock that is not to be had: the next run measures again.
    with suppress(InputError, OSError), only_one(path.parent):
        speeds = kept()
        for each in new:
            same = [old for old in speeds if _same(old, each)]
            if any(old.seconds > each.seconds and each.seconds < _LONG and not old.was_busy for old in same):
                continue
            speeds = [each, *(old for old in speeds if not _same(old, each))]
        record = {"format": _FORMAT, "speeds": [asdict(each) for each in speeds[:_MOST]]}
        write_bytes(path, (json.dumps(record, indent=1) + "\n").encode())


def _same(one: Speed, other: Speed) -> bool:
    return (one.work, one.machine) == (other.work, other.machine)


def speeds_file() -> Path | None:
    """Return the file of speeds; None where they are switched off, or where there is no place for them."""
    given = os.environ.get(VARIABLE, "").strip()
    if given.lower() in _OFF:
        return None
    if given:
        return Path(given) / FILE
    cached = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The specification of these folders says that a relative path is to be ignored.
        folder = Path(cached) if os.path.isabs(cached) else Path.home() / ".cache"
    except RuntimeError:  # no home
        return None
    return folder / "darla" / FILE


def _load() -> float:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return 0.0


@cache
def this_machine() -> str:
    """Return what decides the speed of a machine: its processor, and the cores that this process may use."""
    return f"{_processor()}, {available_cores()} cores"


def _processor() -> str:
    with suppress(OSError, ValueError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return os.uname().machine


_jobs = 1
"""Jobs of a study that run at the same time as those of this process, these included."""


def work_beside(jobs: int) -> None:
    """Note in a worker process that `jobs` jobs run on this machine at a time, which makes each of them slower."""
    global _jobs
    _jobs = jobs


def spread(jobs: int | None = None, **counts: int) -> dict[str, str]:
    """Return how work is spread (`Work.how`).

    Args:
        jobs: side by side; as many as there are beside this process if None.
        counts: `workers`, `threads`, ...
    """
    given = {"jobs": _jobs if jobs is None else jobs, **counts}
    return {name: str(count) for name, count in sorted(given.items()) if count != 1}


def settings_of(config: Any) -> str:
    """Return a short digest of the values of a configuration that decide the speed.

    These are texts, choices and whole numbers: networks, sizes, counts. Numbers with a fraction, such as weights of a
    loss, learning rates and probabilities, are left out, so that a sweep over them knows its speed.

    Args:
        config: plain, nested values.
    """
    return json_sha256(_without_fractions(config))[:10]


def _without_fractions(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_fractions(part) for key, part in value.items() if not isinstance(part, float)}
    if isinstance(value, list | tuple):
        return [_without_fractions(part) for part in value if not isinstance(part, float)]
    return value if isinstance(value, str | int | bool | None) else str(value)


def _texts(values: Any) -> dict[str, str]:
    if not isinstance(values, dict):
        raise TypeError("facts are an object")
    return {str(name): str(value) for name, value in values.items()}
