"""A job's log: what its work printed, and when and where it started and how it ended.

Lines that begin with `[darla TIME]` are written by the worker, all others by the work:

    [darla 2026-01-31T09:00:00+00:00] started on HOST, process 4711
    ...
    [darla 2026-01-31T09:04:10+00:00] done in 4 min 10 s

An interrupted job has a start without an end, and another start when it resumes. Logs are only appended to, so they
work for processes of this machine and for those of a cluster that share the folder.
"""

import os
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

_TAIL = 65_536  # bytes at a log's end that are searched for its last mark
_MARK = re.compile(r"^\[darla (\S+)\] (started|done|failed)(.*)$")
_START = re.compile(r" on (.*), process (\d+)$")


@dataclass(frozen=True)
class LogEvent:
    """The last line that a worker wrote about the job."""

    when: datetime
    kind: Literal["started", "done", "failed"]
    reason: str
    """Why it failed; empty otherwise."""
    host: str = ""
    """Host name of the machine it was started on."""
    process: int | None = None
    """Process id of the worker on that host."""


def log_of(folder: Path, logs: Path) -> Path:
    """Return the log of the job that makes `folder`."""
    return logs / f"{folder.parent.name}-{folder.name}.log"


def now() -> datetime:
    """Return the time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def started() -> str:
    """Return the line for the start of the work in this process."""
    return _line(f"started on {socket.gethostname()}, process {os.getpid()}")


def done(seconds: str) -> str:
    """Return the line for finished work."""
    return _line(f"done in {seconds}")


def failed(reason: str) -> str:
    """Return the line for failed work; the reason is put on one line."""
    return _line(f"failed: {' '.join(reason.split())}")


def last_mark(log: Path) -> LogEvent | None:
    """Return the last line of the worker in a log; None if there is none."""
    for line in reversed(_last_lines(log)):
        if match := _MARK.match(line):
            when, kind, rest = match.groups()
            place = _START.match(rest)
            try:
                time = datetime.fromisoformat(when)
            except ValueError:
                continue  # the work has printed something that looks like a mark
            if time.tzinfo is None:
                continue
            return LogEvent(
                time,
                kind,  # type: ignore[arg-type]
                rest.removeprefix(": ") if kind == "failed" else "",
                place[1] if place else "",
                int(place[2]) if place else None,
            )
    return None


def last_line(log: Path) -> str:
    """Return the last line that the work printed since it was last started; empty if there is none."""
    for line in reversed(_last_lines(log)):
        if _MARK.match(line):
            return ""
        if line.strip():
            return line.strip()
    return ""


def lines_since_start(log: Path) -> list[str]:
    """Return what the work printed since it was last started; nothing if there is no log."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return []
    starts = [place for place, line in enumerate(lines) if (match := _MARK.match(line)) and match[2] == "started"]
    since = lines[starts[-1] + 1 :] if starts else lines
    return [line for line in since if not _MARK.match(line)]


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read().decode(errors="replace").split("\n")
    except OSError:
        return []


def _line(text: str) -> str:
    return f"[darla {now().isoformat()}] {text}"
