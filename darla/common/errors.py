"""Errors that the command line prints as one sentence, without a traceback."""

import difflib
from collections.abc import Iterable
from typing import Any


class DarlaError(Exception):
    """Base of every error that darla raises on purpose. The message is one sentence for the user."""


class InputError(DarlaError, ValueError):
    """A value, file or folder that was given cannot be used.

    The message names the value and what was expected. The command line prints it and exits with code 2.
    """


class ArtefactError(InputError):
    """An artefact is missing, incomplete, damaged, or of another kind than needed."""


class TrainingDivergedError(DarlaError, ArithmeticError):
    """A loss or a gradient was no longer a finite number."""


class WorkerDiedError(DarlaError, RuntimeError):
    """A worker process ended before its work was done.

    The message says by which signal or exit code, and what that usually means; see `darla.common.jobs.worker_errors`.

    Args:
        message: the sentence.
        pid: the process that ended.
        exit_code: as `multiprocessing` has it: below 0 the number of the signal that ended it; None if unknown.
    """

    def __init__(self, message: str, pid: int | None = None, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.pid, self.exit_code = pid, exit_code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.pid, self.exit_code)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Build the error for a name that is not in a registry.

    Args:
        kind: what the name should have been, such as `"model"`.
        name: the name that was given.
        known: every name that would have been accepted.

    Returns:
        An error whose sentence offers the closest known name, or all of them where none is close.
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(repr(known) for known in names)
    return InputError(f"unknown {kind} {name!r}; {hint}")
