"""Every operation that reaches a kernel, those of the backward pass included."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pretended_gpu import rules
from pretended_gpu.device import MixedDevices, PretendedGPU


class Operations(TorchDispatchMode):
    """Marks what operations on GPU tensors make, and refuses those on tensors of both devices."""

    def __init__(self, gpu: PretendedGPU) -> None:
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        gpu, kwargs = self.gpu, kwargs or {}
        with torch._C.DisableTorchFunction():
            inputs = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
            there = [each for each in inputs if gpu.has(each)]
            name = func._schema.name.split("::")[1]
            if there:
                gpu.counts["operations"] += 1
                gpu.counts["float64 operations"] += any(each.dtype == torch.float64 for each in there)
                if len(there) < len(inputs):
                    self.check(func, name, args, [each for each in inputs if not gpu.has(each)])
                if name in rules.WAITS or (name.startswith("index") and _is_mask(args)):
                    gpu.wait(name)
            before = {each.untyped_storage()._cdata for each in inputs}
            out = _divide(name, args) if there and _by_a_number(name, args, kwargs) else func(*args, **kwargs)
            if there or (gpu.makes_here and not inputs):
                for each in tree_leaves(out):
                    if isinstance(each, Tensor) and each.untyped_storage()._cdata not in before:
                        gpu.mark(each)
            return out

    def check(self, func: Any, name: str, args: Any, on_cpu: list[Tensor]) -> None:
        """Refuse an operation on tensors of both devices, unless PyTorch takes it.

        Raises:
            MixedDevices: it does not.
        """
        gpu = self.gpu
        if name in ("copy_", "_copy_from", "set_"):
            if name == "copy_":
                gpu.count_copy(args[1], up=gpu.has(args[0]))
            return
        if name.startswith("index") and len(args) > 1 and isinstance(args[1], list | tuple) and gpu.has(args[0]):
            others = [each for each in on_cpu if not any(each is index for index in args[1])]
            if all(each.ndim == 0 for each in others):
                gpu.counts["indices copied up"] += 1
                return
        pointwise = torch.Tag.pointwise in func.tags or name in rules.TAKE_CPU_SCALARS
        if pointwise and all(each.ndim == 0 for each in on_cpu):
            return
        tensors = [each for each in tree_leaves(args) if isinstance(each, Tensor)]
        shown = ", ".join(f"{gpu.kind if gpu.has(each) else 'cpu'} {each.dtype}{tuple(each.shape)}" for each in tensors)
        raise MixedDevices(f"{name} of tensors on both devices: {shown[:600]}")


def _by_a_number(name: str, args: Any, kwargs: Any) -> bool:
    if name not in ("div", "div_") or kwargs or not isinstance(args[1], int | float):
        return False
    return bool(args[0].is_floating_point())


def _divide(name: str, args: Any) -> Tensor:
    """Divide as CUDA does: by a number means times its reciprocal, which may differ in the last bit."""
    inverse = 1.0 / torch.tensor(float(args[1]), dtype=args[0].dtype)
    return args[0].mul_(inverse) if name == "div_" else args[0] * inverse


def _is_mask(args: Any) -> bool:
    indices = args[1] if len(args) > 1 and isinstance(args[1], list | tuple) else ()
    return any(isinstance(each, Tensor) and each.dtype in (torch.bool, torch.uint8) for each in indices)
