"""One screen for a running study: its jobs with their speed and time left, their curves so far, and the time left.

Everything is read from the study's folder (`status.py`) and from the lines of progress in the jobs' logs
(`darla.common.progress`), so it works for a study that runs elsewhere, and leaves the study alone.
"""

import re
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from darla.common.jobs import log as job_log
from darla.common.progress import duration
from darla.experiments.status import STATES, PartStatus, StudyStatus, study_status

_LINE = re.compile(
    r"^(?P<task>.+?): (?P<done>\d+)/(?P<total>\d+) (?P<unit>\w+), (?P<rate>[\d.e+]+)/s"
    r"(?:, (?P<left>[\dhmins ]+) left)?(?:, (?P<name>[a-z]\w*) (?P<value>\S+))?$"
)
_BARS = "▁▂▃▄▅▆▇█"
_CURVE = 24
"""Characters of a curve."""
_CLEAR, _HIDE, _SHOW = "\x1b[H\x1b[J", "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""Codes of a terminal: clear; to another screen, without a cursor; and back."""


@dataclass(frozen=True)
class JobProgress:
    """How far a job has come, from its log."""

    task: str
    """What it is doing, such as `learn to see`."""
    done: int
    total: int
    unit: str
    rate: float
    """Units per second."""
    left: str
    """Time left, in words; empty where it is not known."""
    number: str
    """Name of the number that is logged, such as `return` or `loss`; empty without one."""
    curve: tuple[float, ...]
    """Its values so far."""

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return self.done / self.total if self.total else 0.0


def job_progress(log: Path) -> JobProgress | None:
    """Return the progress of a job from its log; None if no line of it says any.

    Only the lines since the job was last started count, and of these those of the task that came last.
    """
    newest: re.Match[str] | None = None
    curve: list[float] = []
    for line in job_log.lines_since_start(log):
        match = _LINE.match(line.strip())
        if match is None:
            continue
        if newest is None or (match["task"], match["name"]) != (newest["task"], newest["name"]):
            curve = []
        newest = match
        if match["value"]:
            curve.append(float(match["value"]))
    if newest is None:
        return None
    return JobProgress(
        task=newest["task"],
        done=int(newest["done"]),
        total=int(newest["total"]),
        unit=newest["unit"],
        rate=float(newest["rate"]),
        left=newest["left"] or "",
        number=newest["name"] or "",
        curve=tuple(curve),
    )


def screen(status: StudyStatus, width: int = 100, height: int = 40) -> str:
    """Return the screen.

    Args:
        status: of the study.
        width: characters in a line, at most.
        height: lines, at most.
    """
    total, done = len(status.parts), status.count("done")
    state = "done" if status.is_done else "running" if status.running else "not running"
    left = "" if status.is_done else f", about {duration(status.seconds_left)} left"
    costs = sum(each.part.cost for each in status.parts) or 1.0
    share = sum(_share(each, status.folder) * each.part.cost for each in status.parts) / costs
    counts = ", ".join(f"{status.count(state)} {state}" for state in STATES if status.count(state))
    lines = [f"{status.name}: {state}{left}", f"{_bar(share, 40)} {share:.0%}, {done} of {total} jobs: {counts}"]
    failed = [each for each in status.parts if each.state == "failed"]
    if failed:
        lines += ["", *(f"failed: {each.part.label}: {each.message}" for each in failed)]
    running = [each for each in status.parts if each.state == "running"]
    if running:
        lines += ["", "running"]
        for each in running:
            lines += _running(each, status.folder)
    finished = _curves([each for each in status.parts if each.state == "done"], status.folder)
    room = height - len(lines) - 2
    if finished and room > 0:
        lines += ["", "done", *finished[-room:]]
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in lines[:height])


def watch(folder: Path | str, every: float = 5.0, output: TextIO | None = None) -> StudyStatus:
    """Show a study's screen and draw it again until the study is done; once, where the output is no terminal.

    Args:
        folder: of the study.
        every: seconds between two screens.
        output: where it is shown; standard output if None.

    Returns:
        The last status.

    Raises:
        InputError: no study has been started in `folder`.
    """
    output = output or sys.stdout
    status = study_status(folder)
    if not output.isatty():
        print(screen(status, width=10_000, height=10_000), file=output)
        return status
    output.write(_HIDE)
    try:
        while True:
            width, height = shutil.get_terminal_size()
            output.write(f"{_CLEAR}{screen(status, width, height - 1)}")
            output.flush()
            if status.is_done:
                break
            time.sleep(every)
            status = study_status(folder)
    except KeyboardInterrupt:
        pass
    finally:
        output.write(_SHOW)
        output.flush()
    print(screen(status), file=output)
    return status


def _running(each: PartStatus, folder: Path) -> list[str]:
    """Return the lines of a running job: what it is and how long it has run, how far it is, its curve."""
    where = f" on {each.host}" if each.host else ""
    lines = [f"  {each.part.label}{where}, for {duration(each.seconds or 0.0)}"]
    progress = job_progress(folder / each.log)
    if progress is None:
        return [*lines, f"    {each.message}"] if each.message else lines
    left = f", {progress.left} left" if progress.left else ""
    lines.append(
        f"    {_bar(progress.share, 20)} {progress.task}, {progress.done:,} of {progress.total:,} {progress.unit}, "
        f"{progress.rate:.4g}/s{left}"
    )
    if progress.curve:
        lines.append(f"    {_curve(progress)}")
    return lines


def _curves(parts: Sequence[PartStatus], folder: Path) -> list[str]:
    """Return a line for each finished job that has logged a number: its curve and the last value."""
    lines = []
    for each in parts:
        log = job_log.log_of(folder / each.part.folder, folder / "logs")
        progress = job_progress(log)
        if progress is not None and progress.curve:
            lines.append((each.part.label, _curve(progress)))
    longest = max((len(label) for label, _ in lines), default=0)
    return [f"  {label:<{longest}}  {curve}" for label, curve in lines]


def _curve(progress: JobProgress) -> str:
    return f"{sparkline(progress.curve)}  {progress.number} {progress.curve[-1]:.4g}"


def sparkline(values: Sequence[float], width: int = _CURVE) -> str:
    """Return a curve in one line of characters, its lowest value at the bottom and its highest at the top.

    Args:
        values: at least one.
        width: characters, at most; of more values than that, averages of neighbors are drawn.
    """
    groups = min(width, len(values))
    edges = [round(place * len(values) / groups) for place in range(groups + 1)]
    parts = [values[start:end] for start, end in pairwise(edges)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    if high == low:
        return _BARS[0] * groups
    return "".join(_BARS[round((value - low) / (high - low) * (len(_BARS) - 1))] for value in means)


def _bar(share: float, width: int) -> str:
    full = min(width, int(share * width))
    return "█" * full + "░" * (width - full)


def _share(each: PartStatus, folder: Path) -> float:
    """Return how much of a job is done, from 0 to 1."""
    if each.state == "done":
        return 1.0
    progress = job_progress(folder / each.log) if each.state == "running" else None
    return 0.0 if progress is None else progress.share
