"""Errors that the command line prints as one sentence, without a traceback."""

import difflib
import math
import re
import sysconfig
import traceback
from collections.abc import Iterable
from types import FrameType
from typing import Any

_ELSEWHERE = ("<frozen", *(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")))
"""How the names of files begin that are neither darla's in a checkout nor the user's: Python's, and packages'."""
_OUT_OF_MEMORY = re.compile(
    r"^OutOfMemoryError|DefaultCPUAllocator: can't allocate memory|Storage size calculation overflowed"
    r"|numel: integer multiplication overflow|^ValueError: array is too big"
)
"""Type or text of the errors that PyTorch raises where memory is full, on a GPU and on a CPU, and of those that PyTorch
and NumPy raise for arrays larger than any memory."""


class DarlaError(Exception):
    """Base of every error that darla raises on purpose. The message is one sentence for the user."""


class InputError(DarlaError, ValueError):
    """A value, file or folder that was given cannot be used.

    The message names the value and what was expected. The command line prints it and exits with code 2.
    """


class ArtefactError(InputError):
    """An artefact is missing, incomplete, damaged, or of another kind than needed."""


class UserCodeError(InputError):
    """Code that the user brought (an environment, a module, a network) raised an error; see `user_code_error`."""


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


def user_code_error(what: str, error: BaseException) -> UserCodeError:
    """Build the error for code of the user that failed, to be raised `from error`, which keeps the traceback.

    Args:
        what: the subject of the sentence and what it was doing, such as `environment 'Corridor-v0' failed at reset`.
        error: what the code raised.

    Returns:
        An error whose sentence names the type and message of `error`, and the last line of the user's own code that it
        came through. Lines of installed packages are named only where there is no other.
    """
    text = " ".join(str(error).split())
    kind = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return UserCodeError(f"{what}: {type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})")
    return UserCodeError(f"{what}: {kind}{_place(error)}")


def is_fault_of_user(error: BaseException, *, in_ours: bool = False) -> bool:
    """Return whether an error comes from code that is not darla's.

    Args:
        error: what was raised below a call of darla's into other code.
        in_ours: whether that code is darla's too, so that only lines of the user's own files make it the user's fault.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [frame for frame in frames if not frame.f_code.co_filename.startswith(_ELSEWHERE)]
    if own and not _is_ours(own[-1]):
        return True
    return not in_ours and bool(frames) and not _is_ours(frames[-1])


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory is full, or that something is larger than any memory."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(f"{type(error).__name__}: {error}"))


def _place(error: BaseException) -> str:
    """Return file, line and function of the user's code that raised an error, in brackets."""
    foreign = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not _is_ours(frame) and not frame.f_code.co_filename.startswith("<frozen")
    ]
    own = [part for part in foreign if not part[0].f_code.co_filename.startswith(_ELSEWHERE)]
    if not foreign:
        return ""
    frame, line = (own or foreign)[-1]
    name = frame.f_code.co_name
    return f" ({frame.f_code.co_filename}, line {line}{'' if name == '<module>' else f', in {name}'})"


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).split(".")[0] == "darla"


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
    hint = f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(repr(known) for known in folded(names))
    return InputError(f"unknown {kind} {name!r}; {hint}")


def folded(names: Iterable[str]) -> list[str]:
    """Return names in their order, but one for a family of names with slashes: `control/{a,b}/{color,camera}`.

    A family has a first part in common, and every combination of its other parts.
    """
    whole = list(names)
    families: dict[tuple[str, int], list[tuple[str, ...]]] = {}
    for name in whole:
        first, *others = name.split("/")
        families.setdefault((first, len(others)), []).append(tuple(others))
    shown: dict[str, None] = {}
    for name in whole:
        first, *others = name.split("/")
        members = families[first, len(others)]
        choices = [list(dict.fromkeys(parts)) for parts in zip(*members, strict=True)]
        if len(members) > 1 and len(set(members)) == math.prod(map(len, choices)):
            groups = (parts[0] if len(parts) == 1 else f"{{{','.join(parts)}}}" for parts in choices)
            name = "/".join((first, *groups))
        shown[name] = None
    return list(shown)
