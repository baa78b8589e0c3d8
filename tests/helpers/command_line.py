"""Run darla as a person does: in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MORE = {"OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def darla(
    *words: str | Path, code: int = 0, before: Callable[[], None] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line and check its exit code, and that it is told in sentences.

    Args:
        *words: what follows `darla`.
        code: the exit code that it must have.
        before: called in the new process before darla starts.
        **environment: variables besides this process's own.
    """
    done = subprocess.run(
        [sys.executable, "-m", "darla", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=1800,
        preexec_fn=before,
        env={**os.environ, **MORE, **environment},
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


def refusal(*words: str | Path, before: Callable[[], None] | None = None, **environment: str) -> str:
    """Run a command line that must fail with code 2, and return its one sentence."""
    done = darla(*words, code=2, before=before, **environment)
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("darla"), done.stderr
    return last


def leftovers(folder: Path) -> list[Path]:
    """Files that were being written when something went wrong."""
    return [path for path in folder.rglob("*") if path.name.endswith(".partial")]


def hear_ctrl_c() -> None:
    """Let a child be stopped with Ctrl-C even where the tests run in the background of a shell, which ignores it there.

    For `preexec_fn`.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
