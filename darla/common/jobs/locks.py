"""Locks on folders, so that two processes never write one folder at the same time.

The kernel gives a lock back when the process that holds it ends, however it ends.
"""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from darla.common.errors import InputError
from darla.common.files import make_folder, why_not_written

LOCK = ".lock"
"""The file in a folder that is locked; it says who has locked it."""
_PATIENCE = 5.0
"""Seconds to wait for a lock: workers of a killed process hold it until they notice."""


@contextmanager
def only_one(folder: Path, what: Path | None = None) -> Iterator[None]:
    """Lock a folder for this process.

    Args:
        folder: made if it is not there.
        what: the folder to name where another process has the lock; `folder` if None.

    Raises:
        InputError: another process has locked it; says which.
    """
    make_folder(folder)
    deadline = time.monotonic() + _PATIENCE
    with _opened(folder / LOCK) as file:
        while not _locked(file.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                file.seek(0)
                holder = file.read().strip()
                raise InputError(
                    f"another darla process{f' ({holder})' if holder else ''} is working in {what or folder}; "
                    "wait for it or choose another folder"
                )
            time.sleep(0.1)
        file.truncate(0)
        file.write(f"{os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _opened(path: Path) -> IO[str]:
    """Open a lock's file, which is made if it is not there.

    Raises:
        InputError: it cannot be written.
    """
    try:
        return path.open("a+")
    except OSError as error:
        raise InputError(f"could not write {path}: {why_not_written(error)}") from error


def is_held(folder: Path) -> bool:
    """Return whether a process has locked `folder`."""
    try:
        with (folder / LOCK).open("r") as file:
            return not _locked(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locked(file: int, kind: int) -> bool:
    """Try to lock an open file; a file system without locks lets everybody have one."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
