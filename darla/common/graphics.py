"""The system libraries that MiniWorld renders with, and the Debian packages that contain them.

Run as a script, it prints the packages that are missing, on one line, for a shell to install. It then needs nothing
but Python, so that they can be asked for before anything else is downloaded.
"""

import ctypes
import os
import sys

LIBRARIES = {
    "libEGL.so.1": "libegl1",  # opens a context without a display
    "libGL.so.1": "libgl1",  # the drawing calls
    "libGLU.so.1": "libglu1-mesa",  # pyglet imports it with GL
    "libfreetype.so.6": "libfreetype6",  # pyglet imports it with its fonts
}
"""Shared library to Debian package; found by installing one after the other on a bare Debian 12."""
DRIVERS = ("libEGL_mesa.so.0", "libEGL_nvidia.so.0")
"""EGL implementations, one of which is needed; Mesa's, in libegl-mesa0, draws on the CPU where there is no GPU."""


def missing_packages() -> list[str]:
    """Return the Debian packages to install before MiniWorld can draw; empty if nothing is missing."""
    missing = [package for library, package in LIBRARIES.items() if not _loads(library)]
    if not any(_loads(driver) for driver in DRIVERS):
        missing.append("libegl-mesa0")
    if missing:
        missing.append("libgl1-mesa-dri")  # the software rasteriser behind both; no library name of its own to ask for
    return missing


def require_graphics() -> None:
    """Check that MiniWorld can be imported.

    Raises:
        InputError: a library is missing; the message names the packages to install.
    """
    from darla.common.errors import InputError  # not at the top: as a script it has no packages around it

    if missing := missing_packages():
        raise InputError(
            "the graphics libraries that MiniWorld renders with are missing; on Debian or Ubuntu: "
            f"apt-get install {' '.join(missing)}"
        )


def prepare_renderer() -> None:
    """Make this process ready for an environment that may open a renderer; call it before the environment is imported.

    Loads triton's library first (see `llvm_order`). Without a display, tells pyglet to open its windows through EGL:
    MiniWorld imports `pyglet.window`, which looks for a display when it is imported and fails where there is none.
    """
    from darla.common.llvm_order import load_triton_first  # not at the top: as a script it has no packages around it

    load_triton_first()
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        import pyglet  # not at the top: the script runs where nothing is installed

        pyglet.options["headless"] = True


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    print(" ".join(missing_packages()))
