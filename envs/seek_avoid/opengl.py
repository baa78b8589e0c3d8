"""The process's one headless OpenGL context, and a frame buffer that is read back without conversions.

MiniWorld opens a window for each environment and asks for 16 samples a pixel. Environments here share one context, so
that a step never switches contexts, and ask for no more samples than the driver has.
"""

import ctypes
import os
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.common.graphics import require_graphics
from darla.common.llvm_order import load_triton_first

# Mesa's software rasteriser starts threads that cost more than they bring at 64x64 pixels: without them a frame takes
# a third less time, and environments in several processes do not fight for cores. It is read once, with the driver.
os.environ.setdefault("LP_NUM_THREADS", "0")

_MAX_SAMPLES = 0x8D57
_WANTED_SAMPLES = 8  # what MiniWorld asks for when it renders observations
_PACKAGES = "on Debian or Ubuntu: apt-get install libegl1 libgl1 libglu1-mesa libfreetype6 libegl-mesa0 libgl1-mesa-dri"


class RenderingUnavailableError(InputError):
    """OpenGL cannot be used on this machine; the message says what to install."""


def _load() -> tuple[Any, Any]:
    load_triton_first()  # a triton that PyTorch loads after Mesa has been opened ends the process
    require_graphics()
    import pyglet

    # Before anything of pyglet.gl is imported: no display server is needed, and error checks halve the speed.
    pyglet.options["headless"] = True
    pyglet.options["debug_gl"] = False
    try:
        gl = import_module("pyglet.gl")  # `pyglet.gl` would be a proxy that looks every name up in Python
    except Exception as error:
        raise RenderingUnavailableError(
            f"cannot render: OpenGL could not be loaded ({type(error).__name__}: {error}); {_PACKAGES}"
        ) from error
    return pyglet, gl


pyglet, gl = _load()


class _Context:
    """The context that every environment of this process draws with."""

    def __init__(self) -> None:
        self._window: Any = None
        self._users = 0

    def acquire(self) -> None:
        """Open the context if it is not open yet."""
        if self._window is None:
            try:
                # pyglet shares lists and textures, some of which are made once in a process, with the context that is
                # current when a window is opened; after MuJoCo has drawn, none of pyglet's is.
                if gl.current_context is None and gl._shadow_window is not None:
                    gl._shadow_window.switch_to()
                self._window = pyglet.window.Window(width=1, height=1, visible=False)
            except Exception as error:
                raise RenderingUnavailableError(
                    f"cannot render: no OpenGL context could be made ({type(error).__name__}: {error}); {_PACKAGES}"
                ) from error
            self._window.switch_to()
            gl.glEnable(gl.GL_DEPTH_TEST)
            gl.glEnable(gl.GL_CULL_FACE)
        self._users += 1

    def release(self) -> None:
        """Close the context with its last user."""
        self._users -= 1
        if self._users == 0 and self._window is not None:
            self._window.close()
            self._window = None

    def switch_to(self) -> None:
        """Make this context current; costs nothing where it already is."""
        if gl.current_context is not self._window.context:
            self._window.switch_to()


context = _Context()


class FrameBuffer:
    """A multisampled image of `height` x `width` pixels and its read-back.

    Drop-in for `miniworld.opengl.FrameBuffer` where environments render. Colors are kept in 8 bits, the precision
    they are read with, instead of 32-bit floats, and the depth buffer is resolved only when it is asked for.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        limit = gl.GLint()
        gl.glGetIntegerv(_MAX_SAMPLES, ctypes.byref(limit))
        self.samples = min(_WANTED_SAMPLES, limit.value)
        self._buffers = (gl.GLuint * 4)()
        self._frames = (gl.GLuint * 2)()
        gl.glGenRenderbuffers(4, self._buffers)
        gl.glGenFramebuffers(2, self._frames)
        self._drawn, self._resolved = self._frames[0], self._frames[1]
        self._attach(self._drawn, self._buffers[0], self._buffers[1], self.samples)
        self._attach(self._resolved, self._buffers[2], self._buffers[3], 0)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, 0)
        self._pixels = np.zeros((height, width, 4), np.uint8)
        self._pixels_at = self._pixels.ctypes.data_as(ctypes.POINTER(gl.GLubyte))

    def _attach(self, frame: int, color: int, depth: int, samples: int) -> None:
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, frame)
        for buffer, layout, point in (
            (color, gl.GL_RGBA8, gl.GL_COLOR_ATTACHMENT0),
            (depth, gl.GL_DEPTH_COMPONENT24, gl.GL_DEPTH_ATTACHMENT),
        ):
            gl.glBindRenderbuffer(gl.GL_RENDERBUFFER, buffer)
            gl.glRenderbufferStorageMultisample(gl.GL_RENDERBUFFER, samples, layout, self.width, self.height)
            gl.glFramebufferRenderbuffer(gl.GL_FRAMEBUFFER, point, gl.GL_RENDERBUFFER, buffer)
        status = gl.glCheckFramebufferStatus(gl.GL_FRAMEBUFFER)
        if status != gl.GL_FRAMEBUFFER_COMPLETE:
            raise RenderingUnavailableError(f"cannot render: the driver refuses a frame buffer (status {status:#x})")

    def bind(self) -> None:
        """Draw into this buffer from now on."""
        gl.glEnable(gl.GL_MULTISAMPLE)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._drawn)
        gl.glViewport(0, 0, self.width, self.height)

    def _resolve(self, mask: int) -> None:
        gl.glBindFramebuffer(gl.GL_READ_FRAMEBUFFER, self._drawn)
        gl.glBindFramebuffer(gl.GL_DRAW_FRAMEBUFFER, self._resolved)
        edges = (0, 0, self.width, self.height)
        gl.glBlitFramebuffer(*edges, *edges, mask, gl.GL_NEAREST)
        gl.glBindFramebuffer(gl.GL_FRAMEBUFFER, self._resolved)

    def resolve(self) -> npt.NDArray[np.uint8]:
        """Return a copy of the image, uint8 (height, width, 3), top row first."""
        self._resolve(gl.GL_COLOR_BUFFER_BIT)
        gl.glReadPixels(0, 0, self.width, self.height, gl.GL_RGBA, gl.GL_UNSIGNED_BYTE, self._pixels_at)
        # OpenGL's first row is the lowest; the copy also drops alpha and frees the buffer for the next frame.
        image = np.empty((self.height, self.width, 3), np.uint8)
        for channel in range(3):  # a third of the time of one copy, whose innermost loop would have three steps
            image[..., channel] = self._pixels[::-1, :, channel]
        return image

    def get_depth_map(self, z_near: float = 0.04, z_far: float = 100.0) -> npt.NDArray[np.float32]:
        """Return the distance along the viewing axis in meters, float32 (height, width, 1), top row first."""
        self._resolve(gl.GL_DEPTH_BUFFER_BIT)
        depth = np.zeros((self.height, self.width, 1), np.float32)
        at = depth.ctypes.data_as(ctypes.POINTER(gl.GLfloat))
        gl.glReadPixels(0, 0, self.width, self.height, gl.GL_DEPTH_COMPONENT, gl.GL_FLOAT, at)
        clip = 2.0 * depth[::-1] - 1.0
        return np.ascontiguousarray(2.0 * z_far * z_near / (z_far + z_near - clip * (z_far - z_near)))

    def close(self) -> None:
        """Free the buffers; the context must still be open."""
        gl.glDeleteFramebuffers(2, self._frames)
        gl.glDeleteRenderbuffers(4, self._buffers)
