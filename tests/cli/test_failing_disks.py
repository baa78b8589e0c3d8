"""Errors of the system that no part of darla has put into words are explained by the command line."""

import errno
import os

import pytest

from darla.cli.main import _explain


@pytest.mark.parametrize(
    ("number", "name", "sentence"),
    [
        (errno.ENOSPC, "a.csv", "the disk is full (a.csv); free some space, and the same command resumes"),
        (errno.EROFS, "a.csv", "could not write a.csv: Read-only file system; choose a folder that you may write to"),
        (errno.EACCES, "tensorboard/events.out.tfevents.1", "Permission denied; choose a folder that you may write to"),
        (errno.EIO, "tensorboard/events.out.tfevents.1", "could not write tensorboard/events.out.tfevents.1: Input"),
        (errno.EACCES, "a.csv", "[Errno 13] Permission denied: 'a.csv'"),
    ],
)
def test_what_failed_on_a_disk_says_what_to_do(number: int, name: str, sentence: str) -> None:
    code, said = _explain(OSError(number, os.strerror(number), name))
    assert code == 2
    assert sentence in said


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("Storage size calculation overflowed with sizes=[4611686018427387904, 4]"),
        RuntimeError("numel: integer multiplication overflow"),
        ValueError("array is too big; `arr.size * arr.dtype.itemsize` is larger than the maximum possible size."),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
    ids=["Python", "PyTorch on a CPU", "storage", "numel", "NumPy", "PyTorch on a GPU"],
)
def test_memory_that_is_full_is_named(error: BaseException) -> None:
    assert _explain(error) == (2, "there is not enough memory; the same command resumes where it stopped")
