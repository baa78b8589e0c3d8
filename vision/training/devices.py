"""Where and how a model is trained: device, number format, memory layout, processes."""

import atexit
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from darla.common import InputError, unknown_name
from darla.vision.models.image_model import ImageModel

PRECISIONS = ("auto", "float32", "bfloat16")


def cpu_has_bfloat16() -> bool:
    """Return whether this CPU multiplies bfloat16 matrices in hardware (AVX-512 BF16 or AMX)."""
    cpu: Any = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())


def choose_device(name: str) -> torch.device:
    """Return the device of a name, if this machine has it.

    Args:
        name: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:0`, ... Among processes that `torchrun` started,
            `auto` and `cuda` are the GPU of this process.

    Raises:
        InputError: an unknown name, or a device that this machine does not have.
    """
    requested = name
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _unknown(requested) from error
    if device.type == "cpu" or (device.type == "mps" and torch.backends.mps.is_available()):
        return device
    if device.type != "cuda":  # devices of PyTorch without numbers, such as meta, and those that nobody has tried
        raise _unknown(requested)
    if not torch.cuda.is_available():
        raise InputError(f"device {requested!r} was requested, but PyTorch finds no GPU on this machine")
    count = torch.cuda.device_count()
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]) % count)
    if (device.index or 0) >= count:
        gpus = ", ".join(f"cuda:{index}" for index in range(count))
        raise InputError(f"device {requested!r} was requested, but the GPUs of this machine are {gpus}")
    return device


def _unknown(name: str) -> InputError:
    return InputError(f"unknown device {name!r}; known: 'auto', 'cpu', 'cuda', 'cuda:0', ...")


def device_name(device: torch.device) -> str:
    """Return what decides the speed of a device: `cpu`, or the name of the GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def place(model: ImageModel, device: torch.device) -> None:
    """Move a model to a device, its convolutions in channels-last memory format as the images are.

    A network that is not darla's keeps its own format.
    """
    model.to(device)
    if not model.is_foreign:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclass(frozen=True)
class DevicePrecision:
    """Where and in which number format a model is trained; its parameters are always float32."""

    device: torch.device
    reduced: torch.dtype | None
    """The format of convolutions and matrix products: bfloat16, float16 (with loss scaling), or None for
    float32."""

    @classmethod
    def choose(cls, precision: str, device: str) -> "DevicePrecision":
        """Choose for this machine.

        Args:
            precision: `auto` is bfloat16 where the hardware has it, float16 on older GPUs, float32 elsewhere.
            device: `auto`, `cpu`, `cuda` or `cuda:0`, ...

        Raises:
            InputError: an unknown name, or a device that this machine does not have.
        """
        if precision not in PRECISIONS:
            raise unknown_name("precision", precision, PRECISIONS)
        chosen = choose_device(device)
        if precision == "float32":
            return cls(chosen, None)
        if precision == "bfloat16":
            return cls(chosen, torch.bfloat16)
        if chosen.type == "cuda":
            native = torch.cuda.is_bf16_supported(including_emulation=False)
            return cls(chosen, torch.bfloat16 if native else torch.float16)
        return cls(chosen, torch.bfloat16 if cpu_has_bfloat16() else None)

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in the reduced format within this context."""
        if self.reduced is None:
            return nullcontext()
        # The context caches casts of weights, so each is cast once per forward pass; the cache ends with the context.
        return torch.autocast(self.device.type, dtype=self.reduced)

    @contextmanager
    def fast_float32(self) -> Iterator[None]:
        """Use TF32 for the remaining float32 operations on a GPU; the global setting is restored afterwards."""
        before = torch.get_float32_matmul_precision()
        convolutions = torch.backends.cudnn.allow_tf32
        if self.device.type == "cuda" and self.reduced is not None:
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.allow_tf32 = True
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
            torch.backends.cudnn.allow_tf32 = convolutions


@cache
def disable_malloc_trim() -> None:
    """Make glibc keep the memory of freed activations for the next step, once for this process.

    By default it returns large blocks to the kernel, which zeroes every page before it hands them out again; that takes
    a quarter of a training step. No effect with other C libraries.
    """
    if not sys.platform.startswith("linux"):
        return
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # names of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(mmap_threshold, 32 << 20)
    mallopt(trim_threshold, 512 << 20)
    mallopt(top_pad, 64 << 20)


_PATIENCE = timedelta(days=1)
"""How long processes wait for the leading one, which writes probes and images: NCCL's own barrier gives up after ten
minutes."""


@cache
def _join_process_group(backend: str) -> "dist.ProcessGroup":
    """Join the processes of `torchrun`, once, and return a group for waiting that uses no GPU."""
    if not dist.is_initialized():
        dist.init_process_group(backend)
        atexit.register(dist.destroy_process_group)
    group: dist.ProcessGroup = dist.new_group(timeout=_PATIENCE, backend="gloo")
    return group


@dataclass(frozen=True)
class DistributedContext:
    """This process among those that `torchrun` started; a single process without it."""

    rank: int = 0
    world: int = 1
    waiting: "dist.ProcessGroup | None" = None
    """The group in which they wait for each other."""

    @classmethod
    def join(cls, device: torch.device) -> "DistributedContext":
        """Join the process group that `torchrun`'s environment variables describe, if there are any."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1 and not (dist.is_available() and dist.is_initialized()):
            return cls()
        if device.type == "cuda":
            torch.cuda.set_device(device)  # what NCCL, and code that names no device, uses
        waiting = _join_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size(), waiting)

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.world > 1:
            dist.barrier(self.waiting)

    def mean(self, values: Tensor) -> Tensor:
        """Average over processes."""
        if self.world > 1:
            dist.all_reduce(values)
            values = values / self.world
        return values
