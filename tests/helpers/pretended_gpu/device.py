"""The context in which a GPU seems to be there, and which storages are on it."""

import os
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._mode_utils import no_dispatch

_SWEEP = 4096
"""Marked storages between two sweeps of those that are gone."""


class MixedDevices(RuntimeError):
    """What PyTorch would raise on a GPU, or what a kernel would die of."""


class PretendedGPU:
    """Context in which a GPU seems to be there.

    Args:
        kind: `cuda`, or `mps`.
        float64: whether the device has it.
        bfloat16: whether it multiplies bfloat16 natively.
    """

    def __init__(self, kind: str = "cuda", *, float64: bool = True, bfloat16: bool = True) -> None:
        self.kind, self.float64, self.bfloat16 = kind, float64, bfloat16
        self.device = torch.device(kind, 0)
        self.counts: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.makes_here = False
        """Whether the call that is running makes its results on this device."""
        self._marked: dict[int, StorageWeakRef] = {}

    def __enter__(self) -> "PretendedGPU":
        from pretended_gpu.calls import Calls
        from pretended_gpu.operations import Operations

        self._stack = ExitStack()
        for name, value in {
            "is_available": lambda: self.kind == "cuda",
            "device_count": lambda: 1,
            "current_device": lambda: 0,
            "get_device_name": lambda *_: "pretended GPU",
            "is_bf16_supported": lambda *_, **__: self.bfloat16,
            "is_current_stream_capturing": lambda: False,
            "synchronize": lambda *_: None,
            "set_device": lambda *_: None,
            "manual_seed_all": lambda _: self.counts.update(["global generator seeded"]),
        }.items():
            self._stack.enter_context(mock.patch.object(torch.cuda, name, value))
        # PyTorch's build with CUDA believes in the GPU, and its optimizers ask the driver whether a graph is captured.
        self._stack.enter_context(mock.patch.object(torch.accelerator, "current_stream", _Stream))
        self._stack.enter_context(mock.patch.object(torch, "Generator", _Generator))
        grouped = torch.optim.Optimizer._group_tensors_by_device_and_dtype

        def regrouped(lists: Any, with_indices: bool = False) -> Any:
            # The grouping is C++ and sees the CPU; what an optimizer then moves to the group's device must go here.
            groups = grouped(lists, with_indices).items()
            return {(self.device if self.has(group[0][0][0]) else key[0], key[1]): group for key, group in groups}

        self._stack.enter_context(
            mock.patch.object(torch.optim.Optimizer, "_group_tensors_by_device_and_dtype", staticmethod(regrouped))
        )
        self._stack.enter_context(Operations(self))
        self._stack.enter_context(Calls(self))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def has(self, tensor: Tensor) -> bool:
        """Return whether a tensor is on this device."""
        return tensor.untyped_storage()._cdata in self._marked

    def mark(self, tensor: Tensor) -> Tensor:
        """Put a tensor's storage on this device, its values where they are."""
        storage = tensor.untyped_storage()
        # While the weak reference is kept, no other storage can have this address.
        self._marked.setdefault(storage._cdata, StorageWeakRef(storage))
        if len(self._marked) % _SWEEP == 0:
            self._marked = {key: ref for key, ref in self._marked.items() if not ref.expired()}
        if not self.float64 and tensor.dtype == torch.float64:
            raise MixedDevices(f"{self.kind} has no float64")
        return tensor

    def move(self, tensor: Tensor, here: bool, non_blocking: bool = False) -> Tensor:
        """Return a tensor on this device, or on the CPU; itself if it is there already."""
        if self.has(tensor) == here:
            return tensor
        self.count_copy(tensor, here)
        if here and not non_blocking:
            self.counts["blocking copies up"] += 1  # PyTorch ends such a copy with a synchronization of the stream
        before, self.makes_here = self.makes_here, False
        try:
            copy = _unmarked(tensor)
        finally:
            self.makes_here = before
        return self.mark(copy) if here else copy

    def count_copy(self, tensor: Tensor, up: bool) -> None:
        """Count a copy between host and device; the host waits for one down."""
        self.counts["copies up" if up else "copies down"] += 1
        self.counts["bytes up" if up else "bytes down"] += tensor.numel() * tensor.element_size()
        if not up:
            self.wait("copy to host")

    def wait(self, reason: str) -> None:
        """Count that the host waits for the device, in the innermost line that is not PyTorch's."""
        self.counts["waits"] += 1
        frame: Any = sys._getframe(1)
        own = os.path.dirname(__file__)
        while frame is not None:
            name = frame.f_code.co_filename
            if "/torch/" not in name and not name.startswith(own):
                self.waits[f"{os.path.relpath(name)}:{frame.f_lineno} {reason}"] += 1
                return
            frame = frame.f_back


class _Stream:
    """A stream on which no graph is captured."""

    def __init__(self, device: Any = None) -> None:
        pass

    def is_capturing(self) -> bool:
        return False


class _Generator(torch.Generator):
    """A generator with a device; its numbers are the CPU's."""

    def __new__(cls, device: Any = "cpu") -> "_Generator":
        made = super().__new__(cls)
        made._on = torch.device(device)
        return made

    def __init__(self, device: Any = "cpu") -> None:
        pass

    device = property(lambda self: self._on)


class _Copy(torch.autograd.Function):
    """A copy that `Operations` does not see, so that it is not marked; gradients go back as they are."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return tensor.detach().clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


def _unmarked(tensor: Tensor) -> Tensor:
    traced = tensor.requires_grad and torch.is_grad_enabled()
    with no_dispatch():
        if traced and not tensor.is_leaf:
            return _Copy.apply(tensor)
        return tensor.detach().clone().requires_grad_(traced)
