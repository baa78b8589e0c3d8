"""Worker processes that start clean, use one thread each and never outlive the process that started them."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any

from darla.common.jobs.spawn_checks import check_main_is_guarded
from darla.common.jobs.worker_errors import first_to_die, report_faults, worker_died
from darla.common.threads import limit_threads

_SECONDS_TO_SAVE = 10.0


class _Pool(ProcessPoolExecutor):
    """A pool that notices at once when any of its workers dies.

    Python's pool watches the workers that existed when its manager thread was last woken, and `submit` wakes it before
    it starts a worker for the task. The death of that worker would be noticed only when another task ends.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start `function`, and watch the process that runs it."""
        future = super().submit(function, *args, **kwargs)
        with self._shutdown_lock:
            self._executor_manager_thread_wakeup.wakeup()
        return future


@contextmanager
def worker_pool(
    workers: int,
    start: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
    *,
    who: str = "a worker process",
) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of worker processes.

    Workers are spawned, since a forked copy of an OpenGL context or of PyTorch's threads does not work. Leaving the
    block by an exception ends the workers at once: whatever they write is written aside and renamed, so no partial file
    has a final name. At Ctrl-C they are asked to end first, and have ten seconds to write a checkpoint.

    Args:
        workers: number of processes.
        start: called once in each worker before its first task.
        arguments: given to `start`.
        who: the subject of the error if a worker dies, such as `a collecting process`.

    Raises:
        InputError: a script starts the workers outside of `if __name__ == "__main__":`.
        WorkerDiedError: a worker ended before its work was done; the message says why, and that the same command
            resumes, so the work must be resumable.
    """
    check_main_is_guarded()
    pool = _Pool(workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(start, arguments))
    try:
        yield pool
        pool.shutdown()
    except BaseException as error:
        started = list((pool._processes or {}).values())
        # With a cause, the pool broke because a result could not be unpickled: no process has died by itself.
        died = isinstance(error, BrokenProcessPool) and error.__cause__ is None
        first = first_to_die(started) if died else None
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, KeyboardInterrupt):
            _ask_to_end(started)
        for worker in started:
            worker.kill()
        if died:
            raise worker_died(who, first, resumes=True) from error
        raise


def at_end_of_worker(close: Callable[[], None]) -> None:
    """Call `close` when this worker process has no more tasks.

    Some environments are processes of their own, as ViZDoom's: where nobody closes them, they outlive the worker.
    """
    # A worker runs the finalizers of multiprocessing, but no `atexit` and no `__del__` of what is still referred to.
    Finalize(None, close, exitpriority=1)


def _ask_to_end(workers: Sequence[BaseProcess]) -> None:
    """Let workers save what they can resume from; those that have nothing to save end at once."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + _SECONDS_TO_SAVE
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # A terminal sends Ctrl-C to every process; the parent alone reacts, and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    report_faults()
    limit_threads(1)
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    """End this process when the parent ends, however it ends: a killed parent cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
