"""How many threads a process may use: two PyTorch processes that both use all cores slow each other down."""

import os
import sys


def available_cores() -> int:
    """Return the number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def default_threads(processes: int = 1) -> int:
    """Return the number of threads for each of `processes` that share this machine: at least one."""
    return max(1, available_cores() // max(1, processes))


def limit_threads(threads: int) -> None:
    """Limit PyTorch's intra-operation threads in this process and in the processes that it starts."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when PyTorch is loaded
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
