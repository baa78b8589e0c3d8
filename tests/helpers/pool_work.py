"""What workers of the tests' pools do; worker processes import it."""

import os
import signal
import time
from pathlib import Path

from darla.common.jobs.processes import at_end_of_worker


def draw() -> int:
    """Draw a SeekAvoid world."""
    from darla.envs import make, tasks

    env = make(tasks.get("conjunction").source)
    image, _ = env.reset(seed=0)
    env.close()
    return int(image.max())


def die_of(number: int, meeting: Path | None = None) -> None:
    """Send this process a signal, once another worker is at its work in `meeting`."""
    while meeting is not None and not meeting.exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.Signals(number))


def wait_long(meeting: Path) -> None:
    """Be at work until the pool is over."""
    meeting.touch()
    time.sleep(60)


def leave(code: int) -> None:
    """End without a word."""
    os._exit(code)


class Unreadable:
    """An answer that can be sent and not be read."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("no number",)


def answer_badly() -> Unreadable:
    """Return what cannot be read."""
    return Unreadable()


def save_when_asked(path: str) -> None:
    """Work without end, and write a file when asked to stop."""
    from darla.common.jobs.interrupts import delayed_interrupts

    with delayed_interrupts() as interrupts:
        Path(f"{path}.begun").touch()
        while True:
            time.sleep(0.05)
            if interrupts.requested:
                Path(path).touch()
                interrupts.stop()


def note_the_end(path: Path) -> None:
    """Begin as a worker that writes a file when it has no more tasks."""
    at_end_of_worker(path.touch)


def nothing() -> None:
    """Do nothing."""
