"""The error a person can act on: one sentence, no traceback on the command line."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something that was given to darla cannot be used.

    The message is one sentence that names the value and what was expected. The command line prints it and exits
    with code 2.
    """


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
