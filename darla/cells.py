"""Run a study's cells: pieces of work that each make one artefact, in as many processes as there are cores.

A cell says what it needs, so cells run in any order that respects it. A finished cell is never run again, a cell that
was interrupted goes on where its stage stopped, and a cell that fails holds up only the cells that need it.
"""

import fcntl
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darla.base import InputError, is_complete
from darla.base.errors import WorkerDiedError
from darla.base.progress import duration
from darla.base.ray_pool import ray_pool
from darla.base.threads import available_cores
from darla.base.worker_errors import RESUMES, cause_of_death
from darla.base.workers import worker_pool
from darla.cell_log import last_line, last_mark, log_of
from darla.cell_process import do_work

_SECONDS_BETWEEN_LINES = 15.0
_LOCK = ".lock"


@dataclass(frozen=True)
class Cell:
    """One piece of work."""

    label: str
    """What is made, for a person: `encoder beta-4, seed 0`."""
    folder: Path
    """The artefact that the work makes; also the cell's name."""
    work: Callable[..., object]
    """A function of a module, called with `arguments` in a worker process; it makes `folder`."""
    arguments: Mapping[str, Any]
    needs: tuple[Path, ...] = ()
    """Folders of the cells that must be finished before."""
    cost: float = 1.0
    """Expected seconds on one core: decides the order of work and the estimate of the time left, nothing else."""


@dataclass(frozen=True)
class Failure:
    """A cell that could not be finished."""

    cell: Cell
    reason: str
    log: Path


@dataclass
class _Running:
    cell: Cell
    started: float = field(default_factory=time.monotonic)


def run_cells(
    cells: Sequence[Cell], processes: int | None, logs: Path, *, ray: str | None = None, afterwards: float = 0.0
) -> None:
    """Finish every cell; see `finish_cells`.

    Raises:
        InputError: a cell failed; the sentence names the first one, its reason and its log.
    """
    if failures := finish_cells(cells, processes, logs, ray=ray, afterwards=afterwards):
        raise as_error(failures)


def as_error(failures: Sequence[Failure]) -> InputError:
    """Return the error that tells of cells that failed."""
    first = failures[0]
    more = f" ({len(failures)} parts failed)" if len(failures) > 1 else ""
    return InputError(f"{first.cell.label} failed: {first.reason}{more}; its log is {first.log}")


def finish_cells(
    cells: Sequence[Cell], processes: int | None, logs: Path, *, ray: str | None = None, afterwards: float = 0.0
) -> list[Failure]:
    """Finish every cell that can be finished.

    Args:
        cells: in any order.
        processes: cells that run at the same time, each in one process with one thread; one for each core if None.
        logs: folder for what each cell prints; `darla.cell_log` reads it.
        ray: address of a Ray cluster to run the cells on, `local` to start one here; None for processes of our own.
        afterwards: expected seconds on one core of what follows; a part of the estimate of the time left.

    Returns:
        The cells that failed, in order; those that need them were not begun.

    Raises:
        WorkerDiedError: a worker process died, and with it the pool; the sentence says of what, and names the cell that
            it worked on and its log.
    """
    _check(cells)
    todo = {cell.folder: cell for cell in cells if not is_complete(cell.folder)}
    total, finished = len(cells), len(cells) - len(todo)
    if finished:
        _say(f"{finished} of {total} parts are there already")
    failures: list[Failure] = []
    if not todo:
        return failures
    urgency = _urgency(list(todo.values()))
    running: dict[Future[str | None], _Running] = {}
    logs.mkdir(parents=True, exist_ok=True)
    with _naming_cells(running, logs), _open_pool(processes, ray, len(todo)) as (pool, parallel):
        estimate = _Estimate(parallel, afterwards)
        while todo or running:
            _submit(pool, todo, running, parallel, urgency, logs)
            if not running:
                break  # what is left needs a cell that failed
            ended, _ = wait(running, timeout=_SECONDS_BETWEEN_LINES, return_when=FIRST_COMPLETED)
            for future in ended:
                problem = _problem(future)  # a broken pool raises: what ran is still in `running`
                done = running.pop(future)
                seconds = time.monotonic() - done.started
                if problem is not None:
                    failures.append(Failure(done.cell, problem, log_of(done.cell.folder, logs)))
                    _say(f"{done.cell.label}: failed: {problem}")
                    continue
                finished += 1
                estimate.learn(done.cell.cost, seconds)
                left = estimate.left(todo.values(), running.values())
                _say(f"[{finished}/{total}] {done.cell.label}: {duration(seconds)}; about {duration(left)} left")
            if not ended:
                _say("  ".join(_told(part, logs) for part in running.values()))
    return failures


@contextmanager
def _open_pool(processes: int | None, ray: str | None, cells: int) -> Iterator[tuple[Executor, int]]:
    """Open what runs the cells, and tell how many of them it runs at a time."""
    if ray is not None:
        with ray_pool(ray, processes) as cluster:
            yield cluster, cluster.processes
        return
    parallel = available_cores() if processes is None else processes
    with worker_pool(min(parallel, cells)) as pool:
        yield pool, parallel


@contextmanager
def _naming_cells(running: Mapping[Future[str | None], _Running], logs: Path) -> Iterator[None]:
    """Say of a worker that has died which cell it worked on."""
    try:
        yield
    except WorkerDiedError as error:
        at_work = [part.cell for part in running.values()]
        marks = {cell.folder: last_mark(log_of(cell.folder, logs)) for cell in at_work}
        # Each log begins with the process that works on the cell. One that died before it wrote that is not there.
        its_own = [cell for cell in at_work if (mark := marks[cell.folder]) and mark.process == error.pid]
        cells = (its_own if error.pid is not None else []) or at_work
        names = ", ".join(cell.label for cell in cells)
        kept = ", ".join(str(log_of(cell.folder, logs)) for cell in cells)
        raise WorkerDiedError(
            f"{names}: the worker process {cause_of_death(error.exit_code)}; log: {kept}; {RESUMES}",
            error.pid,
            error.exit_code,
        ) from error


def _problem(future: "Future[str | None]") -> str | None:
    """Return what went wrong with a cell that has ended, if anything did."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise  # every cell of the pool is lost
    except Exception as error:
        return f"its process was lost ({type(error).__name__}: {error})"


def _told(part: _Running, logs: Path) -> str:
    last = last_line(log_of(part.cell.folder, logs)) or "started"
    return f"{part.cell.label} ({duration(time.monotonic() - part.started)}): {last}"


def _check(cells: Sequence[Cell]) -> None:
    known = {cell.folder for cell in cells}
    if len(known) < len(cells):
        raise ValueError("two cells make the same folder")
    for cell in cells:
        if missing := [need for need in cell.needs if need not in known]:
            raise ValueError(f"{cell.label} needs {missing[0]}, which no cell makes")


def _submit(
    pool: Executor,
    todo: dict[Path, Cell],
    running: dict[Future[str | None], _Running],
    parallel: int,
    urgency: Mapping[Path, float],
    logs: Path,
) -> None:
    """Start the most urgent cells that can start, as many as there are idle processes."""
    for cell in sorted(todo.values(), key=lambda cell: -urgency[cell.folder]):
        if len(running) >= parallel:
            return
        if all(is_complete(need) for need in cell.needs):
            del todo[cell.folder]
            future = pool.submit(do_work, cell.work, dict(cell.arguments), cell.folder, log_of(cell.folder, logs))
            running[future] = _Running(cell)


def _urgency(cells: Sequence[Cell]) -> dict[Path, float]:
    """Return for each cell the cost of the longest chain of work that begins with it."""
    users: dict[Path, list[Cell]] = {}
    for cell in cells:
        for need in cell.needs:
            users.setdefault(need, []).append(cell)
    known: dict[Path, float] = {}

    def chain(cell: Cell) -> float:
        if cell.folder not in known:
            known[cell.folder] = cell.cost + max((chain(user) for user in users.get(cell.folder, [])), default=0.0)
        return known[cell.folder]

    return {cell.folder: chain(cell) for cell in cells}


class _Estimate:
    """The time left, from the expected costs and how this machine has kept to them so far."""

    def __init__(self, processes: int, afterwards: float) -> None:
        self._processes, self._afterwards = processes, afterwards
        self._expected = self._taken = 0.0

    def learn(self, expected: float, taken: float) -> None:
        self._expected += expected
        self._taken += taken

    def left(self, waiting: Iterable[Cell], running: Iterable[_Running]) -> float:
        pace = self._taken / max(self._expected, 1e-9)
        now = time.monotonic()
        seconds = pace * (self._afterwards + sum(cell.cost for cell in waiting))
        seconds += sum(max(0.0, pace * part.cell.cost - (now - part.started)) for part in running)
        return seconds / self._processes


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process alone.

    Raises:
        InputError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"another darla process is working in {folder}; wait for it or choose another folder"
            ) from error
        yield


def is_held(folder: Path) -> bool:
    """Tell whether a process holds `folder`."""
    try:
        with (folder / _LOCK).open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
