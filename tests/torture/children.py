"""Processes in which darla is tried: forked from this one, so that a try does not import PyTorch again.

What happens to a child (a kill, a full disk) is done at a chosen moment: the n-th time that Python opens a file to
write in the watched folder, renames, removes or makes something there. Python reports these to audit hooks.
"""

import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darla.cli.main import _explain, main

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.truncate")
"""Audit events of changes to a folder, besides `open`; the first argument is a path."""
GIGABYTES = 2**30
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
Moment = Callable[[str, str], None]
"""Called with the event and the path."""


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    """Exit code; less than 0 for a signal."""
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool
    """Whether it was stopped by us, because it was still at work."""
    orphans: int
    """Processes that it started and that outlived it by `PATIENCE`."""

    @property
    def last(self) -> str:
        """The last line of the standard error."""
        lines = self.stderr.strip().splitlines()
        return lines[-1] if lines else ""


PATIENCE = 5.0


def in_child(
    work: Callable[[], int | None],
    *,
    seconds: float = 60.0,
    memory: float | None = None,
    kill_after: float | None = None,
) -> Ended:
    """Run `work` in a fork of this process, and wait for it.

    Args:
        work: returns the exit code.
        seconds: after which it is stopped.
        memory: gigabytes of address space that it may use.
        kill_after: seconds after which it is killed.
    """
    with tempfile.TemporaryFile("w+b") as stdout, tempfile.TemporaryFile("w+b") as stderr:
        start = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _be_child(work, stdout.fileno(), stderr.fileno(), memory)
        descriptor = os.pidfd_open(child)
        try:
            limit = seconds if kill_after is None else kill_after
            ready = select.select([descriptor], [], [], limit)[0]
            timed_out = not ready and kill_after is None
            if not ready:
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        finally:
            os.close(descriptor)
        ended = time.monotonic() - start
        orphans = _end_group(child, wait=0.0 if timed_out else PATIENCE)
        texts = []
        for file in (stdout, stderr):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return Ended(os.waitstatus_to_exitcode(status), texts[0], texts[1], ended, timed_out, orphans)


def _be_child(work: Callable[[], int | None], stdout: int, stderr: int, memory: float | None) -> None:
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # as Python's own
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if memory is not None:
            limit = int(memory * GIGABYTES)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        code = work() or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _end_group(group: int, wait: float) -> int:
    """Wait for the processes that a child started, kill those that are left, and return whether there were any."""
    deadline = time.monotonic() + wait
    while _is_alive(group):
        if time.monotonic() > deadline:
            os.killpg(group, signal.SIGKILL)
            return 0 if wait == 0.0 else 1
        time.sleep(0.01)
    return 0


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def darla(words: Sequence[str], before: Callable[[], None] | None = None) -> Callable[[], int]:
    """Return the work of a command line."""

    def work() -> int:
        if before is not None:
            before()
        return main(words)

    return work


def explained(call: Callable[[], Any]) -> Callable[[], int]:
    """Return the work of a call in Python whose error is explained as the command line explains it."""

    def work() -> int:
        try:
            call()
        except BaseException as error:
            code, sentence = _explain(error)
            print(f"darla: {sentence}", file=sys.stderr)
            return code
        return 0

    return work


def at_moments(folder: Path, act: Callable[[int, str, str], None]) -> None:
    """Have `act` called with number, event and path before each change below a folder, in this process for good."""
    count, inside, start = 0, False, str(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count, inside
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & _WRITES:
                return
        elif event not in CHANGES:
            return
        path = arguments[0]
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if inside or not isinstance(path, str | os.PathLike):
            return
        name = os.fspath(path)
        if not isinstance(name, str) or not name.startswith(start):
            return
        count += 1
        inside = True  # what `act` does itself does not count
        try:
            act(count, event, name)
        finally:
            inside = False

    sys.addaudithook(hook)


def count_moments(work: Callable[[Callable[[], None]], Callable[[], int]], folder: Path) -> int:
    """Return how many moments there are in a folder while some work is done to its end.

    Args:
        work: returns the work, given what is to be called first in its process.
        folder: to watch.
    """
    with tempfile.NamedTemporaryFile("r") as note:

        def before() -> None:
            at_moments(folder, lambda number, *_: Path(note.name).write_text(str(number)) and None)

        ended = in_child(work(before))
        assert ended.code == 0, ended.stderr
        return int(note.read() or 0)


def unexpected(ended: Ended) -> str | None:
    """Return what is wrong with how a command ended, if it did not end in success or in one sentence."""
    if "Traceback" in ended.stderr:
        return f"a traceback: {ended.stderr.strip()[-500:]}"
    if "unexpected" in ended.last and "this is a bug in darla" in ended.last:
        return ended.last
    if ended.timed_out or ended.code in (0, 2, 130):
        return None
    return f"exit code {ended.code}: {ended.last or '(nothing said)'}"
