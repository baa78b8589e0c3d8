"""Run jobs, each of which makes one artefact, in worker processes or on a Ray cluster.

A job names the jobs it needs, and jobs run in any order that respects that. A finished job is never run again, an
interrupted one resumes where its stage stopped, and a job that fails blocks only the jobs that need it.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darla.common import InputError, is_complete
from darla.common.errors import WorkerDiedError
from darla.common.files import make_folder
from darla.common.jobs.log import last_line, last_mark, log_of
from darla.common.jobs.order import urgencies
from darla.common.jobs.processes import worker_pool
from darla.common.jobs.ray_pool import ray_pool
from darla.common.jobs.worker import do_work
from darla.common.jobs.worker_errors import RESUMES, cause_of_death
from darla.common.progress import duration
from darla.common.speeds.records import work_beside
from darla.common.threads import available_cores

_SECONDS_BETWEEN_LINES = 15.0


@dataclass(frozen=True)
class Job:
    """One piece of work."""

    label: str
    """Its name in messages, such as `encoder beta-4, seed 0`."""
    folder: Path
    """The artefact that it makes; also the identity of the job."""
    work: Callable[..., object]
    """A module-level function that makes `folder`; called with `arguments` in a worker process."""
    arguments: Mapping[str, Any]
    needs: tuple[Path, ...] = ()
    """Folders of the jobs that must be finished first."""
    cost: float = 1.0
    """Expected seconds on one core. Only the order of the jobs and the estimate of the time left depend on it."""


@dataclass(frozen=True)
class Failure:
    """A job that failed."""

    job: Job
    reason: str
    log: Path


@dataclass
class _Running:
    job: Job
    started: float = field(default_factory=time.monotonic)


def run_jobs(
    jobs: Sequence[Job], workers: int | None, logs: Path, *, ray: str | None = None, afterwards: float = 0.0
) -> None:
    """Finish every job; see `finish_jobs`.

    Raises:
        InputError: a job failed; the sentence names the first one, its reason and its log.
    """
    if failures := finish_jobs(jobs, workers, logs, ray=ray, afterwards=afterwards):
        raise as_error(failures)


def as_error(failures: Sequence[Failure]) -> InputError:
    """Return one error for all jobs that failed; it names the first."""
    first = failures[0]
    more = f" ({len(failures)} jobs failed)" if len(failures) > 1 else ""
    return InputError(f"{first.job.label} failed: {first.reason}{more}; log: {first.log}")


def finish_jobs(
    jobs: Sequence[Job], workers: int | None, logs: Path, *, ray: str | None = None, afterwards: float = 0.0
) -> list[Failure]:
    """Finish every job that can be finished.

    Args:
        jobs: in any order.
        workers: worker processes, each with one thread; as many as there are cores if None.
        logs: folder for what each job prints; `darla.common.jobs.log` reads it.
        ray: address of a Ray cluster to run the jobs on, `local` to start one here; None for processes on this machine.
        afterwards: expected seconds on one core of the work that follows, for the estimate of the time left.

    Returns:
        The jobs that failed, in order; those that need them were not started.

    Raises:
        WorkerDiedError: a worker process died, which ends the pool; the message says why, and names its job and log.
    """
    _check(jobs)
    todo = {job.folder: job for job in jobs if not is_complete(job.folder)}
    total, finished = len(jobs), len(jobs) - len(todo)
    if finished:
        _print_status(f"{finished} of {total} jobs are done already")
    failures: list[Failure] = []
    if not todo:
        return failures
    urgency = urgencies(list(todo.values()))
    running: dict[Future[str | None], _Running] = {}
    make_folder(logs)
    with _naming_jobs(running, logs), _open_pool(workers, ray, len(todo)) as (pool, parallel):
        estimate = _Estimate(parallel, afterwards)
        while todo or running:
            _submit(pool, todo, running, parallel, urgency, logs)
            if not running:
                break  # the remaining jobs need one that failed
            ended, _ = wait(running, timeout=_SECONDS_BETWEEN_LINES, return_when=FIRST_COMPLETED)
            for future in ended:
                problem = _problem(future)  # raises if the pool broke; `running` must still have the job then
                done = running.pop(future)
                seconds = time.monotonic() - done.started
                if problem is not None:
                    failures.append(Failure(done.job, problem, log_of(done.job.folder, logs)))
                    _print_status(f"{done.job.label}: failed: {problem}")
                    continue
                finished += 1
                estimate.learn(done.job.cost, seconds)
                left = estimate.left(todo.values(), running.values())
                _print_status(
                    f"[{finished}/{total}] {done.job.label}: {duration(seconds)}; about {duration(left)} left"
                )
            if not ended:
                _print_status("  ".join(_progress_line(part, logs) for part in running.values()))
    return failures


@contextmanager
def _open_pool(workers: int | None, ray: str | None, jobs: int) -> Iterator[tuple[Executor, int]]:
    """Open the pool, and yield it with the number of jobs that it runs at a time."""
    if ray is not None:
        with ray_pool(ray, workers) as cluster:
            yield cluster, cluster.workers
        return
    parallel = available_cores() if workers is None else workers
    processes = min(parallel, jobs)
    with worker_pool(processes, work_beside, (processes,)) as pool:
        yield pool, parallel


@contextmanager
def _naming_jobs(running: Mapping[Future[str | None], _Running], logs: Path) -> Iterator[None]:
    """Name the job of a worker that has died, in the error."""
    try:
        yield
    except WorkerDiedError as error:
        candidates = [part.job for part in running.values()]
        marks = {job.folder: last_mark(log_of(job.folder, logs)) for job in candidates}
        # A job's log begins with the process id of its worker, unless the worker died before it wrote that.
        of_worker = [job for job in candidates if (mark := marks[job.folder]) and mark.process == error.pid]
        jobs = (of_worker if error.pid is not None else []) or candidates
        names = ", ".join(job.label for job in jobs)
        job_logs = ", ".join(str(log_of(job.folder, logs)) for job in jobs)
        raise WorkerDiedError(
            f"{names}: the worker process {cause_of_death(error.exit_code)}; log: {job_logs}; {RESUMES}",
            error.pid,
            error.exit_code,
        ) from error


def _problem(future: "Future[str | None]") -> str | None:
    """Return why a job that has ended failed; None if it did not."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise  # every job of the pool is lost
    except Exception as error:
        return f"its process was lost ({type(error).__name__}: {error})"


def _progress_line(part: _Running, logs: Path) -> str:
    last = last_line(log_of(part.job.folder, logs)) or "started"
    return f"{part.job.label} ({duration(time.monotonic() - part.started)}): {last}"


def _check(jobs: Sequence[Job]) -> None:
    folders = {job.folder for job in jobs}
    if len(folders) < len(jobs):
        raise ValueError("two jobs make the same folder")
    for job in jobs:
        if missing := [need for need in job.needs if need not in folders]:
            raise ValueError(f"{job.label} needs {missing[0]}, which no job makes")


def _submit(
    pool: Executor,
    todo: dict[Path, Job],
    running: dict[Future[str | None], _Running],
    parallel: int,
    urgency: Mapping[Path, float],
    logs: Path,
) -> None:
    """Start the most urgent jobs that can start, one for each idle worker."""
    for job in sorted(todo.values(), key=lambda job: -urgency[job.folder]):
        if len(running) >= parallel:
            return
        if all(is_complete(need) for need in job.needs):
            del todo[job.folder]
            future = pool.submit(do_work, job.work, dict(job.arguments), job.folder, log_of(job.folder, logs))
            running[future] = _Running(job)


class _Estimate:
    """The time left, from the expected costs and the actual times of the jobs so far."""

    def __init__(self, workers: int, afterwards: float) -> None:
        self._workers, self._afterwards = workers, afterwards
        self._expected = self._taken = 0.0

    def learn(self, expected: float, taken: float) -> None:
        self._expected += expected
        self._taken += taken

    def left(self, waiting: Iterable[Job], running: Iterable[_Running]) -> float:
        pace = self._taken / max(self._expected, 1e-9)
        now = time.monotonic()
        seconds = pace * (self._afterwards + sum(job.cost for job in waiting))
        seconds += sum(max(0.0, pace * part.job.cost - (now - part.started)) for part in running)
        return seconds / self._workers


def _print_status(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
