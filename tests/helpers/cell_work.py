"""What the cells of the tests do; worker processes import it."""

import os
import signal
import time
from pathlib import Path

from darla.base import InputError, begin, finish


def make(out: Path, text: str, needs: tuple[Path, ...] = ()) -> None:
    """Write an artefact that holds `text` and what it was made from."""
    for need in needs:
        text += (need / "text").read_text()
    record(out, "begins")
    begin(out, "text", {"text": text})
    (out / "text").write_text(text)
    print(f"made {out.name}", flush=True)
    finish(out, "text", {"text": text}, seed=0, inputs={}, wall_seconds=0.0)
    record(out, "ends")


def make_slowly(out: Path, text: str, needs: tuple[Path, ...] = ()) -> None:
    """Take a while over it."""
    time.sleep(0.3)
    make(out, text, needs)


def refuse(out: Path) -> None:
    """Fail as bad input does."""
    raise InputError(f"{out.name} cannot be made of this")


def break_down(out: Path) -> None:
    """Fail as a fault does."""
    raise ZeroDivisionError("division by zero")


def forget(out: Path) -> None:
    """Make nothing."""


def die(out: Path) -> None:
    """End as a process does that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)


def crash(out: Path) -> None:
    """End as a process does in which native libraries clash, once another cell is at work beside it."""
    _beside_another(out)
    os.kill(os.getpid(), signal.SIGSEGV)


def abort(out: Path) -> None:
    """End as a process does in which a native library gives up."""
    _beside_another(out)
    os.kill(os.getpid(), signal.SIGABRT)


def wait_for_bad(out: Path) -> None:
    """Be at work until the cell beside has died, and all are ended."""
    (out.parent / "at_work").touch()
    time.sleep(60)


def _beside_another(out: Path) -> None:
    while not (out.parent / "at_work").exists():
        time.sleep(0.01)


def record(out: Path, event: str) -> None:
    """Keep a diary of all cells, with the process that did it."""
    with (out.parent / "diary").open("a") as diary:
        diary.write(f"{event} {out.name} {os.getpid()}\n")
