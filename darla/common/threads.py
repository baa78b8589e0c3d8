"""How many threads a process may use: two PyTorch processes that both use all cores slow each other down."""

import os
import sys

from darla.common.errors import InputError


def available_cores() -> int:
    """Return the number of cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def default_threads(processes: int = 1) -> int:
    """Return the number of threads for each of `processes` that share this machine: at least one."""
    return max(1, available_cores() // max(1, processes))


def check_workers(workers: int | None) -> None:
    """Refuse a number of worker processes that is none.

    Args:
        workers: None for as many as there are cores.

    Raises:
        InputError: it is less than 1.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}, but must be at least 1")


def limit_threads(threads: int) -> None:
    """Limit PyTorch's intra-operation threads in this process and in the processes that it starts."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when PyTorch is loaded
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
