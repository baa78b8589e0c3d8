"""Ctrl-C and a request to end, kept until the work is at a point from which it can resume."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_USUAL: Mapping[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
"""What Python does with these signals if nobody has changed it."""


class Interrupts:
    """Signals that have arrived; see `delayed_interrupts`."""

    def __init__(self) -> None:
        self.received: list[int] = []

    @property
    def requested(self) -> bool:
        """Whether the work is to stop at the next point from which it can resume."""
        return bool(self.received)

    def stop(self) -> None:
        """Do what the signal would have done.

        Raises:
            KeyboardInterrupt: it was Ctrl-C.
        """
        if signal.SIGINT in self.received:
            raise KeyboardInterrupt
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _say(text: str) -> None:
    """Print on the standard error from a handler of signals, which may have interrupted another print."""
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except RuntimeError:  # a reentrant call, which Python's buffered files refuse
        with suppress(OSError):
            os.write(2, text.encode())


@contextmanager
def delayed_interrupts(
    numbers: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM), *, announcement: str = ""
) -> Iterator[Interrupts]:
    """Keep signals in the block, which looks at `requested` where it can resume, saves its state, and calls `stop`.

    At the end of the block a signal that is left does what it would have done. A second one does so at once. Where a
    signal is ignored or has a handler already, and in threads, nothing changes.

    Args:
        numbers: the signals.
        announcement: printed when the first one arrives, where the point may be some time away.
    """
    interrupts = Interrupts()

    def receive(number: int, frame: FrameType | None) -> None:
        second = interrupts.requested
        interrupts.received.append(number)
        if second:
            interrupts.stop()
        elif announcement:
            _say(f"\n{announcement}\n")

    in_main = threading.current_thread() is threading.main_thread()
    kept = [number for number in numbers if in_main and signal.getsignal(number) == _USUAL[number]]
    for number in kept:
        signal.signal(number, receive)
    try:
        yield interrupts
    finally:
        for number in kept:
            signal.signal(number, _USUAL[number])
    if interrupts.requested:
        interrupts.stop()
