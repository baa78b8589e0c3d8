"""Of what a process ended, in words: its exit code or signal, and what that usually means."""

import contextlib
import faulthandler
import signal
import sys
import time
from collections.abc import Iterable
from multiprocessing.process import BaseProcess

from darla.base.errors import WorkerDiedError

RESUMES = "the same command goes on where it stopped"
DOCTOR = "run darla doctor"

_USUALLY = {
    "SIGSEGV": ("a segmentation fault", f"usually two native libraries that clash, or a graphics driver; {DOCTOR}"),
    "SIGKILL": ("a kill", "usually by the system, for lack of memory"),
    "SIGABRT": ("an abort", f"a native library gave up, and what it printed says why; {DOCTOR}"),
    "SIGBUS": ("a bus error", "usually a file in memory that became shorter, or a full disk or /dev/shm"),
    "SIGFPE": ("an arithmetic fault in a native library", DOCTOR),
    "SIGILL": ("an instruction that this processor does not have", f"a package was built for another one; {DOCTOR}"),
    "SIGTERM": ("a request to end", "by a person, or by what manages this machine's jobs"),
    "SIGXCPU": ("a limit", "the processor time that this machine allows a process is used up"),
}
"""By signal: what it is, and what it usually means."""

_PATIENCE = 5.0  # seconds until a process that has closed its pipe has surely ended


def cause_of_death(exit_code: int | None) -> str:
    """Say of what a process ended.

    Args:
        exit_code: as `multiprocessing` and `subprocess` have it: below 0 the number of a signal, otherwise what the
            process left with; None if it is not known.

    Returns:
        What follows "the process", such as `died of a kill (SIGKILL): usually by the system, for lack of memory`.
    """
    if exit_code is None:
        return "ended, nobody knows of what"
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
    """Return the process of a broken pool that took the pool with it.

    The pool sends SIGTERM to all others as soon as one has ended, so one that ended otherwise was the first. If all
    ended of SIGTERM somebody else has sent the first.

    Args:
        processes: of the pool; waited for, since the pool is told of an end a moment before it can be asked for.

    Returns:
        The process, or None where none has ended.
    """
    there = list(processes)
    deadline = time.monotonic() + _PATIENCE
    while any(process.exitcode is None for process in there) and time.monotonic() < deadline:
        time.sleep(0.01)
    ended = [process for process in there if process.exitcode is not None]
    return next((process for process in ended if process.exitcode != -signal.SIGTERM), ended[0] if ended else None)


def worker_died(who: str, process: BaseProcess | None, *, resumes: bool = False) -> WorkerDiedError:
    """Return the error that says that a process has ended, and of what.

    Args:
        who: the subject of the sentence, such as `environment worker 1`.
        process: that has ended; None where nobody knows which.
        resumes: whether to say that the same command goes on where it stopped.
    """
    exit_code = process.exitcode if process is not None else None
    tail = f"; {RESUMES}" if resumes else ""
    pid = process.pid if process is not None else None
    return WorkerDiedError(f"{who} {cause_of_death(exit_code)}{tail}", pid, exit_code)


def report_faults() -> None:
    """Let this process print where it was when a native library ends it, on whatever its standard error is then."""
    if sys.stderr is not None:
        # Not `sys.stderr` but its number: a job's standard error is led to its log by number, and back again.
        with contextlib.suppress(OSError):
            faulthandler.enable(2)
