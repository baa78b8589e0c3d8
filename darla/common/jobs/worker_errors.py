"""Why a process ended, in words: its exit code or signal, and what that usually means."""

import contextlib
import faulthandler
import signal
import sys
import time
from collections.abc import Iterable
from multiprocessing.process import BaseProcess

from darla.common.errors import WorkerDiedError

RESUMES = "the same command resumes where it stopped"
DOCTOR = "run darla doctor"

_USUALLY = {
    "SIGSEGV": ("a segmentation fault", f"usually two native libraries that clash, or a graphics driver; {DOCTOR}"),
    "SIGKILL": ("a kill", "usually by the system, for lack of memory"),
    "SIGABRT": ("an abort", f"a native library gave up, and what it printed says why; {DOCTOR}"),
    "SIGBUS": ("a bus error", "usually a file in memory that became shorter, or a full disk or /dev/shm"),
    "SIGFPE": ("an arithmetic fault in a native library", DOCTOR),
    "SIGILL": ("an instruction that this processor does not have", f"a package was built for another one; {DOCTOR}"),
    "SIGTERM": ("a request to end", "by a user, or by this machine's job manager"),
    "SIGXCPU": ("a limit", "the processor time that this machine allows a process is used up"),
}
"""By signal: what it is, and what it usually means."""

_PATIENCE = 5.0  # seconds; a process that has closed its pipe ends sooner


def cause_of_death(exit_code: int | None) -> str:
    """Return why a process ended, in words.

    Args:
        exit_code: as in `multiprocessing` and `subprocess`: below 0 the number of a signal, else the exit code; None if
            unknown.

    Returns:
        A predicate for "the process", such as `died of a kill (SIGKILL): usually by the system, for lack of memory`.
    """
    if exit_code is None:
        return "ended for an unknown reason"
    if exit_code >= 0:
        return f"ended by itself with exit code {exit_code} before its work was done; what it printed may say why"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name not in _USUALLY:
        return f"died of {name}"
    what, usually = _USUALLY[name]
    return f"died of {what} ({name}): {usually}"


def first_to_die(processes: Iterable[BaseProcess]) -> BaseProcess | None:
    """Return the process whose death broke a pool.

    The pool sends SIGTERM to all others as soon as one has ended, so one that ended otherwise was the first. If all
    ended by SIGTERM, the first signal came from outside.

    Args:
        processes: of the pool. They are waited for: the pool notices an end shortly before the exit code is known.

    Returns:
        The process, or None if none has ended.
    """
    candidates = list(processes)
    deadline = time.monotonic() + _PATIENCE
    while any(process.exitcode is None for process in candidates) and time.monotonic() < deadline:
        time.sleep(0.01)
    ended = [process for process in candidates if process.exitcode is not None]
    return next((process for process in ended if process.exitcode != -signal.SIGTERM), ended[0] if ended else None)


def worker_died(who: str, process: BaseProcess | None, *, resumes: bool = False) -> WorkerDiedError:
    """Return the error that says that a process has ended, and why.

    Args:
        who: the subject of the sentence, such as `environment worker 1`.
        process: that has ended; None if it is unknown which.
        resumes: whether to say that the same command resumes.
    """
    exit_code = process.exitcode if process is not None else None
    tail = f"; {RESUMES}" if resumes else ""
    pid = process.pid if process is not None else None
    return WorkerDiedError(f"{who} {cause_of_death(exit_code)}{tail}", pid, exit_code)


def report_faults() -> None:
    """Make this process print its Python stack to standard error when a native library crashes it."""
    if sys.stderr is not None:
        # The file number, not `sys.stderr`: a job's standard error is redirected to its log by number.
        with contextlib.suppress(OSError):
            faulthandler.enable(2)
