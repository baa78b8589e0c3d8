"""Disks that are full, read-only, slow, broken, or go away at any change to the folder."""

import contextlib
import errno
import os
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

from children import at_moments, in_child, unexpected
from finishing import FINISHES, SPEAKS, STAGES, TRUE, finished, moments, stage_work, true_success
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import workshop

ERRORS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "no permission": errno.EACCES, "broken": errno.EIO}
_SAYS = {"full": "space", "read-only": "may write to", "no permission": "may write to"}
SAYS = "the message says what to do"
_SLOW = 0.02
"""Seconds that a change takes on a slow disk."""


@cache
def can_mount() -> bool:
    """Return whether this process may mount a file system of its own."""
    with workshop().scratch() as out:
        out.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(out)], capture_output=True).returncode:
            return False
        subprocess.run(["umount", str(out)], check=True)
        return True


def inputs() -> st.SearchStrategy[Any]:
    """Draw a stage, what becomes of the disk, and at which change it begins."""
    return st.sampled_from(STAGES).flatmap(
        lambda stage: st.tuples(
            st.sampled_from([*sorted(ERRORS), "goes away", "slow"]), st.just(stage), st.integers(1, moments(stage))
        )
    )


def attempt(value: tuple[str, str, int]) -> Checked:
    """Let the disk fail, and finish on a sound one."""
    what, stage, number = value
    with workshop().scratch() as out:

        def fail(count: int, event: str, path: str) -> None:
            if what == "slow":
                time.sleep(_SLOW if count >= number else 0.0)
            elif what == "goes away":
                if count == number:
                    shutil.rmtree(out, ignore_errors=True)
            elif count >= number and event not in ("os.remove", "os.rmdir", "shutil.rmtree"):
                raise OSError(ERRORS[what], os.strerror(ERRORS[what]), path)

        ended = in_child(stage_work(stage, out, lambda: at_moments(out, fail)), seconds=120)
        return judged(what, stage, out, ended)


def judged(what: str, stage: str, out: Path, ended: Any) -> Checked:
    """Return what is wrong with how a stage ended on a disk, and with what it left."""
    silent = None
    if ended.code == 2 and what in _SAYS and _SAYS[what] not in ended.stderr:
        silent = f"it says: {ended.last}"
    return {
        SPEAKS: unexpected(ended),
        SAYS: silent,
        TRUE: true_success(stage, out, ended),
        FINISHES: finished(stage, out),
    }


def of_real_ones() -> st.SearchStrategy[Any]:
    """Draw a stage and the kilobytes that a file system has."""
    return st.tuples(st.just("full"), st.sampled_from(STAGES), st.integers(4, 400))


def try_real_one(value: tuple[str, str, int]) -> Checked:
    """Write to a file system in memory that is too small, then with room enough."""
    what, stage, kilobytes = value
    with workshop().scratch() as out, mounted(out, f"size={kilobytes}k"):
        ended = in_child(stage_work(stage, out / "inside"), seconds=120)
        true = true_success(stage, out / "inside", ended)
        subprocess.run(["mount", "-o", "remount,size=64m", str(out)], check=True)
        return {**judged(what, stage, out / "inside", ended), TRUE: true}


def of_read_only_ones() -> st.SearchStrategy[Any]:
    """Draw a stage."""
    return st.tuples(st.just("read-only"), st.sampled_from(STAGES), st.just(0))


def try_read_only_one(value: tuple[str, str, int]) -> Checked:
    """Write to a file system that is read-only, then to one that is not."""
    what, stage, _ = value
    with workshop().scratch() as out, mounted(out, "ro"):
        ended = in_child(stage_work(stage, out / "inside"), seconds=120)
        subprocess.run(["mount", "-o", "remount,rw", str(out)], check=True)
        return judged(what, stage, out / "inside", ended)


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Any:
    """Mount a file system in memory."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


KINDS = (Kind("disk", inputs, attempt, 1.5, lambda value: value[0], batch=10),)
REAL = (
    Kind("disk of its own", of_real_ones, try_real_one, 0.5, lambda value: value[0], batch=5),
    Kind("disk of its own, read-only", of_read_only_ones, try_read_only_one, 0.2, lambda value: value[0], batch=4),
)
"""Those that need a file system of their own, which only root may mount."""
