"""Load triton's LLVM before Mesa's: two LLVMs in one process crash otherwise.

PyPI's PyTorch for Linux depends on triton, whose `libtriton.so` carries an LLVM of its own and exports its symbols.
Mesa draws on the CPU with another one (llvmpipe: `libLLVM-15.so`), and its loader opens the driver with `RTLD_GLOBAL`,
which puts that LLVM's symbols before those of any library that is loaded later. A `libtriton.so` that is loaded then
calls Mesa's LLVM by names of its own (12,006 symbols of triton 3.8 were bound to `libLLVM-15.so`; `LD_DEBUG=bindings`
shows them), and the process dies of a segmentation fault while it is being loaded. darla does not use triton; PyTorch
loads it by itself where the first optimizer is made (`torch.optim.Optimizer.__init__` imports `torch._dynamo`, which
looks whether triton can be imported). Drawing a picture and then making an optimizer is all it takes.

Loaded before a renderer is opened, `libtriton.so` finds its own symbols, and Mesa keeps to its own as well, since
Python loads extensions without `RTLD_GLOBAL`. Where a renderer has been opened already, by a program that uses darla,
`RTLD_DEEPBIND` makes it look up its own symbols first. That is not the default, since it bypasses a preloaded malloc.
"""

import contextlib
import ctypes
import functools
import importlib.util
import os
import sys
from pathlib import Path

_LLVM_FUNCTION = "_ZN4llvm11raw_ostream5writeEPKcm"
"""`llvm::raw_ostream::write(char const*, unsigned long)`: every LLVM has it, and both call it."""


@functools.cache
def load_triton_first() -> None:
    """Load triton's library, if triton is installed, so that a renderer can be opened in this process.

    Call it before a renderer is opened, and before an optimizer is made in a process in which a renderer may be open.
    Further calls do nothing. A triton that cannot be loaded is ignored here.

    The cost, once a process: 0.1 ms where triton is not installed; 20 ms where it is (3.8), with 74 MB of a file that
    processes share, and which PyTorch would load with its first optimizer. `import triton` would take 105 ms.
    `python -c "from darla.common.llvm_order import load_triton_first as f; import time; t = time.perf_counter(); f();
    print(time.perf_counter() - t)"`
    """
    if sys.platform != "linux":
        return  # elsewhere there is no triton, and no Mesa that exports its LLVM
    with contextlib.suppress(ImportError, ValueError, OSError):
        for library in _libraries():
            mode = os.RTLD_NOW | (os.RTLD_DEEPBIND if llvm_is_global() else 0)
            ctypes.CDLL(str(library), mode=mode)  # an `import triton` later on finds it loaded


def llvm_is_global() -> bool:
    """Return whether a library loaded now would bind to another library's LLVM before its own."""
    return hasattr(ctypes.CDLL(None), _LLVM_FUNCTION)


def _libraries() -> list[Path]:
    """Return the libraries of triton that contain LLVM, without importing triton."""
    spec = importlib.util.find_spec("triton")
    folders = (spec.submodule_search_locations if spec else None) or ()
    return [library for folder in folders for library in sorted((Path(folder) / "_C").glob("libtriton*.so"))]
