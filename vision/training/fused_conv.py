"""Faster convolution stacks for training on a CPU in bfloat16, with the results of the plain ones up to rounding.

`fuse_for_cpu(model)` replaces stacks of convolutions and activations (`nn.Sequential`) by a subclass with the same
parameters under the same names. Under autocast on a CPU it computes a convolution of stride 2, its bias and its
activation as one autograd node, for three reasons found with a profiler:

- oneDNN computes the bias gradient of a transposed convolution with a scalar reference loop, which took longer than the
  rest of a training step; here it is a plain sum;
- the feature maps of a batch do not fit in a core's cache, so every pass over one that is avoided counts;
- oneDNN's transposed convolution to the few channels of an image takes almost twice as long as a plain convolution that
  computes the same (`_upwards_to_few`).

`fused_convolution` is that node, for networks with other shapes.

Elsewhere (float32, GPU) the stack runs as it is, and can be differentiated twice and transformed by `torch.func`.
"""

from collections import OrderedDict
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

M = TypeVar("M", bound=nn.Module)
_DILATION = [1, 1]
_FEW = 4
"""Channels, at most, of a transposed convolution that is computed as a plain one."""


def fuse_for_cpu(model: M) -> M:
    """Replace a model's stacks of convolutions by `FusedSequential`s, in place; parameters and their names stay.

    Does nothing to a model that has been treated before, or that is run as it is (`ImageModel.is_foreign`).

    Returns:
        The model.
    """
    if getattr(model, "is_foreign", False):
        return model
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Sequential and any(_can_be_fused(layer) for layer in child):
                fused = FusedSequential(OrderedDict(child.named_children()))
                setattr(module, name, fused.train(child.training))
    return model


class FusedSequential(nn.Sequential):
    """An `nn.Sequential` that fuses each convolution with the activation behind it, under autocast on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        """Map the input through all layers."""
        x = input
        if not (x.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
            plain: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
            return plain
        layers = [*self, None]
        skip = False
        for layer, following in zip(layers, [*layers[1:], None], strict=True):
            if skip or layer is None:
                skip = False
                continue
            if _can_be_fused(layer):
                assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
                assert layer.bias is not None
                activation = _activation(following)
                padding = layer.kernel_size[0] // 2 - 1
                x = fused_convolution(
                    x.to(torch.get_autocast_dtype("cpu")),
                    layer.weight,
                    layer.bias,
                    activation,
                    stride=(2, 2),
                    padding=(padding, padding),
                    transposed=isinstance(layer, nn.ConvTranspose2d),
                )
                skip = activation is not None  # it has been applied
            else:
                x = layer(x)
        return x


def _can_be_fused(layer: nn.Module) -> bool:
    """Return whether a layer is a convolution as in networks.py: stride 2, kernel 4 or 2, sides halved or doubled."""
    if type(layer) not in (nn.Conv2d, nn.ConvTranspose2d):
        return False
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    kernel = layer.kernel_size[0]
    return (
        layer.kernel_size in ((4, 4), (2, 2))
        and layer.stride == (2, 2)
        and layer.padding == (kernel // 2 - 1,) * 2
        and layer.dilation == (1, 1)
        and layer.output_padding == (0, 0)
        and layer.groups == 1
        and layer.bias is not None
        and layer.padding_mode == "zeros"
    )


def _activation(layer: nn.Module | None) -> str | None:
    """Return the name of an activation that can be fused, None for any other layer."""
    if type(layer) is nn.ReLU:
        return "relu"
    if type(layer) is nn.ELU and layer.alpha == 1.0:
        return "elu"
    return None


def fused_convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    activation: str | None,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int] = (0, 0),
    transposed: bool = False,
) -> Tensor:
    """Return the activated convolution of x in the number format of x, as one autograd node.

    Args:
        x: (N, C, H, W), channels last, in a reduced format.
        weight: (C', C, K, k), or (C, C', K, k) of a transposed convolution.
        bias: (C',).
        activation: `relu`, `elu`, or None.
        stride: of rows and columns.
        padding: rows and columns of zeros at each side.
        transposed: whether it is the transposed convolution.

    Returns:
        (N, C', H', W'). Gradients of weight and bias are float32.
    """
    y: Tensor = _Convolution.apply(x, weight, bias, activation, transposed, list(stride), list(padding))  # type: ignore[no-untyped-call]
    return y


def _upwards_to_few(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the transposed convolution of x, (N, C, H, W), to few channels, (N, C', 2H, 2W).

    Each block of 2 x 2 pixels of the result depends on 3 x 3 of the input. So a convolution of stride 1 computes four
    times as many channels, one for each position in the block, and `pixel_shuffle` puts them in their positions.
    """
    inputs, outputs = weight.shape[:2]
    kernels = weight.new_zeros(outputs, 2, 2, inputs, 3, 3)
    taps_of = [3, 1], [2, 0]  # taps of the kernel that reach the upper (left) and the lower (right) pixel of a block
    for row, down in enumerate(taps_of):
        for column, across in enumerate(taps_of):
            taps = weight[:, :, down][..., across].transpose(0, 1)
            kernels[:, row, column, :, row : row + 2, column : column + 2] = taps
    kernel = kernels.view(4 * outputs, inputs, 3, 3).contiguous(memory_format=torch.channels_last)
    return functional.pixel_shuffle(functional.conv2d(x, kernel, bias.repeat_interleave(4), padding=1), 2)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        activation: str | None,
        transposed: bool,
        stride: list[int],
        padding: list[int],
    ) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            narrow = weight.to(x.dtype)
            if transposed and weight.shape[1] <= _FEW:
                y = _upwards_to_few(x, narrow, bias.to(x.dtype))
            else:
                y = torch.convolution(x, narrow, bias.to(x.dtype), stride, padding, _DILATION, transposed, [0, 0], 1)
            # In place: y is used nowhere else, and both gradients can be computed from the activated value.
            if activation == "relu":
                y.relu_()
            elif activation == "elu":
                functional.elu_(y)
        ctx.save_for_backward(x, narrow, y if activation else None)
        ctx.activation, ctx.transposed, ctx.stride, ctx.padding = activation, transposed, stride, padding
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        if ctx.activation == "relu":
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        elif ctx.activation == "elu":
            gradient = torch.ops.aten.elu_backward(gradient, 1.0, 1.0, 1.0, True, y)
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        for_x, for_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            x,
            weight,
            None,
            ctx.stride,
            ctx.padding,
            _DILATION,
            ctx.transposed,
            [0, 0],
            1,
            [needs_x, needs_weight, False],
        )
        # `sum` accumulates in float32 anyway; a float32 result would first copy the whole map.
        for_bias = gradient.sum((0, 2, 3)).float() if needs_bias else None
        return for_x, for_weight.float() if needs_weight else None, for_bias, None, None, None, None
