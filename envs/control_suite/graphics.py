"""MuJoCo, and the process's one OpenGL context that the tasks of dm_control are drawn in.

MuJoCo draws through EGL, which needs no display, unless the environment variable MUJOCO_GL says otherwise. The context
is made current before each drawing, and pyglet is told, so that MiniWorld's environments can be drawn in between.
"""

import atexit
import logging
import os
import sys
import weakref
from typing import Any, Protocol

from darla.common import InputError
from darla.common.llvm_order import load_triton_first

load_triton_first()  # a triton that PyTorch loads after Mesa has been opened ends the process
if sys.platform == "linux":
    os.environ.setdefault("MUJOCO_GL", "egl")  # read where MuJoCo and dm_control are imported
os.environ.setdefault("LP_NUM_THREADS", "0")  # see envs/seek_avoid/opengl.py; read once, with the driver
_PACKAGES = "on Debian or Ubuntu: apt-get install libegl1 libgl1 libegl-mesa0 libgl1-mesa-dri"
_BEFORE = 4
"""Major version of MuJoCo that dm_control 1.0 cannot read the models of, though it allows it."""


def _load() -> tuple[Any, ...]:
    try:
        import mujoco

        if int(mujoco.__version__.partition(".")[0]) >= _BEFORE:
            raise InputError(
                f"mujoco {mujoco.__version__} is installed, but dm_control's tasks need one below {_BEFORE}:"
                f" pip install 'mujoco<{_BEFORE}'"
            )
        from dm_control import manipulation, suite
        from dm_control.composer import Environment
        from dm_control.utils.rewards import tolerance
    except ModuleNotFoundError as error:
        raise InputError(
            "the control suite needs dm_control and mujoco; pip install 'darla[control]' brings them"
        ) from error
    except (ImportError, AttributeError, RuntimeError) as error:  # what PyOpenGL and MuJoCo raise without libraries
        raise _unavailable(error) from error
    return mujoco, suite, manipulation, Environment, tolerance


def _unavailable(error: BaseException) -> InputError:
    chosen = os.environ.get("MUJOCO_GL", "")
    return InputError(
        f"cannot render: MuJoCo could not open OpenGL (MUJOCO_GL is {chosen!r}; {type(error).__name__}: {error});"
        f" {_PACKAGES}"
    )


mujoco, suite, manipulation, Environment, tolerance = _load()
# Warnings that nobody who runs these tasks can do anything about: the cheetah's model is written in a form that MuJoCo
# calls deprecated each time, and the Jaco arm's start is searched for by trials, some of which fail.
_OF_NO_USE = ("'settotalmass' is deprecated", "Failed to converge after")
logging.getLogger("absl").addFilter(lambda record: not any(part in record.getMessage() for part in _OF_NO_USE))


class _Closable(Protocol):
    def close(self) -> None: ...


class _Context:
    """The context that every environment of this process draws in; opened by the first."""

    def __init__(self) -> None:
        self._opened: Any = None
        self._users: weakref.WeakSet[_Closable] = weakref.WeakSet()
        self._left: list[Any] = []

    def acquire(self, user: _Closable) -> None:
        """Open the context if it is not open, and make it current.

        Args:
            user: is closed before the process ends.

        Raises:
            InputError: no context can be made.
        """
        if self._opened is None:
            try:
                self._opened = _context_type()(1, 1)
            except Exception as error:  # a driver may raise anything
                raise _unavailable(error) from error
            # After MuJoCo's own, so that it runs before: nothing can be freed once the display is closed.
            atexit.register(self._close)
        self._users.add(user)
        self.switch_to()

    def switch_to(self) -> None:
        """Make this context current, let pyglet know that its own is not, and free what was left here."""
        self._opened.make_current()
        while self._left:
            self._left.pop().free()
        pyglet_gl: Any = sys.modules.get("pyglet.gl")
        if pyglet_gl is not None:
            pyglet_gl.current_context = None

    def free_later(self, drawing: Any) -> None:
        """Free a drawing of MuJoCo's when this context is current next.

        Where the garbage collector frees it, another context may be current, and its textures and lists of the same
        numbers would be deleted.
        """
        self._left.append(drawing)

    def _close(self) -> None:
        for user in list(self._users):
            user.close()
        self.switch_to()
        self._opened.free()
        self._opened = None


def _context_type() -> Any:
    # Not mujoco.GLContext alone: who imported MuJoCo before this module may not have chosen, and gets one with windows.
    if sys.platform == "linux" and os.environ["MUJOCO_GL"].strip().lower() == "egl":
        from mujoco.egl import GLContext

        return GLContext
    return mujoco.GLContext


context = _Context()
