"""What happens in the process that does a job's work: the work, and a log of what it prints."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from darla.common import DarlaError, is_complete
from darla.common.jobs import log as job_log
from darla.common.progress import duration


def do_work(work: Callable[..., object], arguments: Mapping[str, Any], folder: Path, log: Path) -> str | None:
    """Do a job's work, with what it prints in its log.

    Args:
        work: called with `arguments`.
        arguments: by name.
        folder: the artefact that must be there afterwards.
        log: what is printed goes to its end.

    Returns:
        What went wrong, if anything did.
    """
    with _printing_to(log):
        print(job_log.started(), flush=True)
        began = time.monotonic()
        problem = _try(work, arguments, folder)
        took = duration(time.monotonic() - began)
        print(job_log.done(took) if problem is None else job_log.failed(problem), flush=True)
    return problem


def _try(work: Callable[..., object], arguments: Mapping[str, Any], folder: Path) -> str | None:
    try:
        work(**arguments)
    except DarlaError as error:
        return str(error)
    except Exception as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return None if is_complete(folder) else f"it did not make {folder}"


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    """Send this process's output to a file, that of C libraries included."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(file)
