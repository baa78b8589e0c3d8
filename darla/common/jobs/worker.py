"""The part of a job that runs in a worker process: do the work, and keep its output in a log."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darla.common import DarlaError, is_complete, user_code_error
from darla.common.errors import is_fault_of_user
from darla.common.jobs import log as job_log
from darla.common.progress import duration


def do_work(work: Callable[..., object], arguments: Mapping[str, Any], folder: Path, log: Path) -> str | None:
    """Do a job's work; its output goes to the log.

    Args:
        work: the function to call.
        arguments: its keyword arguments.
        folder: the artefact that `work` must write.
        log: the output is appended to it.

    Returns:
        Why the work failed; None if it did not.
    """
    with _printing_to(log):
        print(job_log.started(), flush=True)
        start = time.monotonic()
        problem = _try(work, arguments, folder)
        elapsed = duration(time.monotonic() - start)
        print(job_log.done(elapsed) if problem is None else job_log.failed(problem), flush=True)
    return problem


def _try(work: Callable[..., object], arguments: Mapping[str, Any], folder: Path) -> str | None:
    try:
        work(**arguments)
    except DarlaError as error:
        return str(error)
    except Exception as error:
        traceback.print_exc()
        if is_fault_of_user(error, in_ours=True):
            return str(user_code_error("your code failed", error))
        return f"{type(error).__name__}: {error}"
    return None if is_complete(folder) else f"it did not write {folder}"


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    """Redirect the output of this process to a file, including that of C libraries."""
    sys.stdout.flush()
    sys.stderr.flush()
    originals = os.dup(1), os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in zip((1, 2), originals, strict=True):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(file)
