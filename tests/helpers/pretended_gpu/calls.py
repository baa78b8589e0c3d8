"""Every call from Python: where a tensor is put, and where it is asked for."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from pretended_gpu import rules
from pretended_gpu.device import MixedDevices, PretendedGPU


class Calls(TorchFunctionMode):
    """Answers for the pretended device what PyTorch's own functions would answer for the CPU."""

    def __init__(self, gpu: PretendedGPU) -> None:
        super().__init__()
        self.gpu = gpu
        self.special = {
            Tensor.device.__get__: lambda x: gpu.device if gpu.has(x) else torch.device("cpu"),
            Tensor.is_cuda.__get__: lambda x: gpu.has(x) and gpu.kind == "cuda",
            Tensor.is_cpu.__get__: lambda x: not gpu.has(x),
            Tensor.is_mps.__get__: lambda x: gpu.has(x) and gpu.kind == "mps",
            Tensor.get_device: lambda x: 0 if gpu.has(x) else -1,
            Tensor.cpu: lambda x, *_, **__: gpu.move(x, here=False),
            Tensor.cuda: lambda x, *_, **__: gpu.move(x, here=True),
            Tensor.to: self.to,
            Tensor.numpy: self.numpy,
            Tensor.__array__: self.numpy,
            Tensor.tolist: self.tolist,
        }

    def numpy(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.gpu.has(tensor):
            raise MixedDevices(f"can't convert {self.gpu.device} device type tensor to numpy")
        return Tensor.__array__(tensor, *args) if args else Tensor.numpy(tensor)

    def tolist(self, tensor: Tensor) -> Any:
        if self.gpu.has(tensor):
            self.gpu.wait("tolist")
        return Tensor.tolist(tensor)

    def to(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        gpu = self.gpu
        like = next((each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)), None)
        copy, there, non_blocking = kwargs.pop("copy", False), gpu.has(tensor), False
        if like is not None:
            device, dtype, layout = gpu.device if gpu.has(like) else torch.device("cpu"), like.dtype, None
        else:
            device, dtype, non_blocking, layout = torch._C._nn._parse_to(*args, **kwargs)
        target = there if device is None else device.type == gpu.kind
        if not target and dtype == torch.float64 and there and not gpu.float64:
            tensor, there = gpu.move(tensor, here=False), False
        options: dict[str, Any] = {"copy": copy} | ({"dtype": dtype} if dtype else {})
        options |= {"memory_format": layout} if layout else {}
        if dtype is None or (dtype == tensor.dtype and not layout and not copy):
            options.pop("dtype", None)
        if len(options) > 1 or copy:
            tensor = Tensor.to(tensor, **options)
        return gpu.move(tensor, target, non_blocking)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        gpu, kwargs = self.gpu, dict(kwargs or {})
        if func in self.special:
            return self.special[func](*args, **kwargs)
        name = getattr(func, "__name__", "")
        inputs = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        near = any(gpu.has(each) for each in inputs)
        if near and gpu.kind == "cuda" and torch.is_autocast_enabled("cuda"):
            args, kwargs = self.autocast(name, args, kwargs)
        # The device that the call names, as whether it is this one; None if it names none.
        requested: bool | None = None
        if kwargs.get("device") is not None and name != "load":
            requested = torch.device(kwargs["device"]).type == gpu.kind
            kwargs["device"] = "cpu"
        here = near if requested is None else requested
        if (source := kwargs.get("generator")) is not None:
            place = gpu.kind if here else "cpu"
            if source.device.type != place:
                raise MixedDevices(f"expected a {place!r} device type for generator, not {source.device.type!r}")
        before, gpu.makes_here = gpu.makes_here, here
        try:
            out = func(*args, **kwargs)
        finally:
            gpu.makes_here = before
        if name in ("new_tensor", "new", "__deepcopy__") and requested is None and near:
            requested = True
        if requested is not None and isinstance(out, Tensor) and name != "__set__":
            same = out.untyped_storage()._cdata in {each.untyped_storage()._cdata for each in inputs}
            out = gpu.move(out, requested) if same or not requested else gpu.mark(out)
        return out

    def autocast(self, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        reduced = torch.get_autocast_dtype("cuda")
        if name == "binary_cross_entropy":
            raise MixedDevices("binary_cross_entropy is unsafe to autocast")
        if name not in rules.REDUCED and name not in rules.FULL:
            return args, kwargs
        target = reduced if name in rules.REDUCED else torch.float32

        def cast(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return type(value)(cast(each) for each in value)
            if isinstance(value, Tensor) and self.gpu.has(value) and value.is_floating_point():
                narrow = value.dtype in (torch.float16, torch.bfloat16)
                if value.dtype != torch.float64 and (target is not torch.float32 or narrow):
                    return value.to(target)
            return value

        return tuple(cast(each) for each in args), {key: cast(each) for key, each in kwargs.items()}
