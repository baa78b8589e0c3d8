"""A triton that says how it was loaded: in which process, with what open, and in which way.

Processes that find its folder first on their path write a line to `TRITON_RECORD` each time that its library is loaded.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import safetensors

# Python runs it when a process starts.
_SITECUSTOMIZE = """
import ctypes, json, os, sys

load = ctypes.CDLL.__init__

def loading(self, name, *rest, **more):
    if not name or "libtriton" not in str(name):
        return load(self, name, *rest, **more)
    gl = sys.modules.get("pyglet.gl")
    line = {
        "process": os.getpid(),
        "renderer_open": gl is not None and gl.current_context is not None,
        "llvm_there": "libLLVM" in open("/proc/self/maps").read(),
        "looks_at_itself_first": bool(more["mode"] & os.RTLD_DEEPBIND),
    }
    load(self, name, *rest, **more)
    with open(os.environ["TRITON_RECORD"], "a") as record:
        print(json.dumps(line), file=record)

ctypes.CDLL.__init__ = loading
"""


def make(folder: Path) -> dict[str, str]:
    """Make it in `folder`, and return the environment of a process that shall meet it."""
    library = folder / "triton" / "_C" / "libtriton.so"
    library.parent.mkdir(parents=True)
    (folder / "triton" / "__init__.py").write_text("raise ImportError('a stand-in is not for use')\n")
    # Any library does that needs no other one.
    built = next(Path(safetensors.__file__).parent.glob("*.so"))
    shutil.copyfile(built, library)
    (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
    path = os.pathsep.join([str(folder), str(Path(__file__).parent), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "TRITON_RECORD": str(folder / "record")}


def run(program: str, environment: dict[str, str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Run a program that meets it; return the lines that it printed and what was recorded."""
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    record = Path(environment["TRITON_RECORD"])
    lines = record.read_text().splitlines() if record.exists() else []
    return done.stdout.splitlines(), [json.loads(line) for line in lines]
