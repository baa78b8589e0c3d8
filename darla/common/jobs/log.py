"""What a job's log says of the job: when work on it began, where, and how it ended.

A log holds what the work prints, between marks:

    [darla 2026-01-31T09:00:00+00:00] started on HOST, process 4711
    ...
    [darla 2026-01-31T09:04:10+00:00] done in 4 min 10 s

An interrupted job has a start without an end, and another start once it goes on. Logs are appended to, so they work
the same for processes of this machine and for those of a cluster that share its folder.
"""

import os
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

_TAIL = 65_536  # bytes at a log's end in which its last mark is looked for
_MARK = re.compile(r"^\[darla (\S+)\] (started|done|failed)(.*)$")
_START = re.compile(r" on (.*), process (\d+)$")


@dataclass(frozen=True)
class LogEvent:
    """The last thing that a log says of its job as a whole."""

    when: datetime
    kind: Literal["started", "done", "failed"]
    told: str
    """The reason of a failure; empty otherwise."""
    host: str = ""
    """Where it was started."""
    process: int | None = None
    """Which process of that host started on it."""


def log_of(folder: Path, logs: Path) -> Path:
    """Return the log of the job that makes `folder`."""
    return logs / f"{folder.parent.name}-{folder.name}.log"


def now() -> datetime:
    """Return the time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def started() -> str:
    """Return the line that says that this process has begun."""
    return _line(f"started on {socket.gethostname()}, process {os.getpid()}")


def done(seconds: str) -> str:
    """Return the line that says that the work is done."""
    return _line(f"done in {seconds}")


def failed(reason: str) -> str:
    """Return the line that says that the work has failed; the reason is put on one line."""
    return _line(f"failed: {' '.join(reason.split())}")


def last_mark(log: Path) -> LogEvent | None:
    """Return the last mark in a log; None where there is none."""
    for line in reversed(_last_lines(log)):
        if match := _MARK.match(line):
            when, kind, rest = match.groups()
            place = _START.match(rest)
            return LogEvent(
                datetime.fromisoformat(when),
                kind,  # type: ignore[arg-type]
                rest.removeprefix(": ") if kind == "failed" else "",
                place[1] if place else "",
                int(place[2]) if place else None,
            )
    return None


def last_line(log: Path) -> str:
    """Return the last thing that the work printed since it was started; nothing if it has said nothing yet."""
    for line in reversed(_last_lines(log)):
        if _MARK.match(line):
            return ""
        if line.strip():
            return line.strip()
    return ""


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read().decode(errors="replace").split("\n")
    except OSError:
        return []


def _line(text: str) -> str:
    return f"[darla {now().isoformat()}] {text}"
