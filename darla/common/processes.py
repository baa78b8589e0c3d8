"""Worker processes that start clean, use one thread each and never outlive the process that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from darla.common.threads import limit_threads


@contextmanager
def worker_pool(
    processes: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of worker processes.

    Workers are spawned, since a forked copy of an OpenGL context or of PyTorch's threads does not work. Leaving the
    block by an exception (Ctrl-C among them) ends the workers at once: whatever they write is written aside and
    renamed, so nothing half-written stays under its final name.

    Args:
        processes: how many.
        start: called once in each worker before its first task.
        arguments: given to `start`.
    """
    pool = ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(start, arguments)
    )
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        workers = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.kill()
        raise


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # A terminal sends Ctrl-C to every process; the parent decides what becomes of the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    limit_threads(1)
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    """End this process when the parent ends, however it ends: a killed parent cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
