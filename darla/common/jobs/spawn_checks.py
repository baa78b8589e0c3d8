"""What has to hold before worker processes are started, checked where the message can still say what to do.

A spawned process imports the script that started it. A script that starts workers outside of
`if __name__ == "__main__":` would start them again in every worker, which Python refuses there, with a traceback for
each worker; the process that started them sees only that they ended.
"""

import ast
import pickle
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from darla.common.errors import InputError

_GUARD = 'if __name__ == "__main__":'


def check_main_is_guarded() -> None:
    """Check that the script that is running can be imported by worker processes.

    Raises:
        InputError: this call comes from a line of the script that is outside of `if __name__ == "__main__":`.
    """
    main = sys.modules["__main__"]
    path, spec = getattr(main, "__file__", None), main.__spec__
    if path is None or not Path(path).is_file() or (spec is not None and spec.name.endswith(".__main__")):
        return  # a prompt, a notebook, or `python -m PACKAGE`: workers import none of these
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals is vars(main) and frame.f_code.co_name == "<module>":
            if not _is_guarded(Path(path), frame.f_lineno):
                raise InputError(
                    f"{path}, line {frame.f_lineno}, starts worker processes, which import this script again: put what "
                    f"it does below a line `{_GUARD}`, or use workers=1"
                )
            return
        frame = frame.f_back


def _is_guarded(path: Path, line: int) -> bool:
    """Return whether a line of a script runs only under a condition on `__name__`."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True  # no script of Python's own kind
    return any(
        node.body[0].lineno <= line <= (node.end_lineno or line)
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and any(isinstance(name, ast.Name) and name.id == "__name__" for name in ast.walk(node.test))
    )


def pickled_bytes(value: Any, what: str) -> int:
    """Return how many bytes it takes to send a value to a worker process; large arrays are not copied to find out.

    Args:
        value: what is sent.
        what: what the error calls it.

    Raises:
        InputError: it cannot be pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        rest = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    except Exception as error:  # each class has errors of its own
        reason = " ".join(str(error).split())
        raise InputError(
            f"{what} cannot be sent to worker processes ({type(error).__name__}: {reason}); use workers=1"
        ) from error
    return len(rest) + sum(buffer.raw().nbytes for buffer in buffers)
