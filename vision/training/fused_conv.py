"""The one convolution of this package, stride 2, kernel 4 and padding 1, up or down, with its activation.

Parameters, names and results are those of `nn.Conv2d` and `nn.ConvTranspose2d` followed by the activation. In
a reduced format on a CPU the three are one autograd node, for three reasons found with a profiler:

- oneDNN computes the bias gradient of a transposed convolution with a scalar reference loop, which took
  longer than the rest of a training step; here it is a plain sum;
- feature maps of a batch do not fit in a core's cache, so each pass over one that is spared counts;
- oneDNN's transposed convolution to the few channels of a picture takes almost twice as long as a plain one that
  computes the same (`_upwards_to_few`).

Elsewhere the plain operations run, which can be differentiated twice and transformed by `torch.func`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from darla.common import unknown_name

ACTIVATIONS = ("relu", "elu")
_STRIDE, _DILATION = [2, 2], [1, 1]
_FEW = 4
"""Channels, at most, of a transposed convolution that is computed as a plain one."""


def activate(x: Tensor, activation: str | None) -> Tensor:
    """Apply a named activation; None is the identity.

    Raises:
        InputError: there is no such activation.
    """
    if activation is None:
        return x
    return torch.relu(x) if known_activation(activation) == "relu" else functional.elu(x)


def known_activation(name: str) -> str:
    """Return the name of an activation.

    Raises:
        InputError: there is no such activation.
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return name


class MLP(nn.ModuleList):
    """Fully connected layers, each followed by the activation.

    Args:
        widths: of the input, then of each layer.
        activation: `relu` or `elu`.
    """

    def __init__(self, widths: Sequence[int], activation: str) -> None:
        super().__init__(nn.Linear(a, b) for a, b in pairwise(widths))
        self.activation = known_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, first width) to (N, last width)."""
        for layer in self:
            x = activate(layer(x), self.activation)
        return x


class Float32Linear(nn.Linear):
    """A linear layer in float32 whatever is around it.

    What it puts out is read to more digits than bfloat16 has, and it is too small for that to cost anything.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, inputs) to float32 (N, outputs)."""
        with torch.autocast(input.device.type, enabled=False):
            return functional.linear(input.float(), self.weight, self.bias)


class Down(nn.Conv2d):
    """Halves height and width.

    Args:
        inputs: channels.
        outputs: channels.
        kernel: its side, 4 or 2.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 4) -> None:
        super().__init__(inputs, outputs, kernel_size=kernel, stride=2, padding=kernel // 2 - 1)

    def forward(self, input: Tensor, activation: str | None = None) -> Tensor:
        """Map (N, C, H, W) to (N, C', H/2, W/2), the activation applied."""
        if _fuse(input):
            return _fused(input, self, activation, transposed=False)
        return activate(super().forward(input), activation)


class Up(nn.ConvTranspose2d):
    """Doubles height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel_size=4, stride=2, padding=1)

    def forward(self, input: Tensor, activation: str | None = None) -> Tensor:  # type: ignore[override]
        """Map (N, C, H, W) to (N, C', 2H, 2W), the activation applied."""
        if _fuse(input):
            return _fused(input, self, activation, transposed=True)
        return activate(super().forward(input), activation)


class Ups(nn.ModuleList):
    """Transposed convolutions, each but the last followed by the activation.

    Args:
        channels: of the input, then of each layer.
        activation: `relu` or `elu`.
    """

    def __init__(self, channels: Sequence[int], activation: str) -> None:
        super().__init__(Up(a, b) for a, b in pairwise(channels))
        self.activation = known_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', 2^n H, 2^n W) by n layers."""
        *before, last = self
        for layer in before:
            x = layer(x, self.activation)
        y: Tensor = last(x)
        return y


def _fuse(x: Tensor) -> bool:
    return x.device.type == "cpu" and torch.is_autocast_enabled("cpu")


def _fused(x: Tensor, layer: nn.Conv2d | nn.ConvTranspose2d, activation: str | None, transposed: bool) -> Tensor:
    y: Tensor = _Convolution.apply(
        x.to(torch.get_autocast_dtype("cpu")), layer.weight, layer.bias, activation, transposed
    )  # type: ignore[no-untyped-call]
    return y


def _upwards_to_few(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the transposed convolution of x, (N, C, H, W), to few channels, (N, C', 2H, 2W).

    Each block of 2 x 2 pixels of the result depends on 3 x 3 of the input. So a convolution of stride 1 computes four
    times as many channels, one for each place in the block, and the pixels are then put where they belong.
    """
    inputs, outputs = weight.shape[:2]
    spread = weight.new_zeros(outputs, 2, 2, inputs, 3, 3)
    reach = [3, 1], [2, 0]  # which taps of the kernel reach the upper (left) and the lower (right) pixel of a block
    for row, down in enumerate(reach):
        for column, across in enumerate(reach):
            taps = weight[:, :, down][..., across].transpose(0, 1)
            spread[:, row, column, :, row : row + 2, column : column + 2] = taps
    kernel = spread.view(4 * outputs, inputs, 3, 3).contiguous(memory_format=torch.channels_last)
    return functional.pixel_shuffle(functional.conv2d(x, kernel, bias.repeat_interleave(4), padding=1), 2)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, activation: str | None, transposed: bool) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            padding = [weight.shape[2] // 2 - 1] * 2
            narrow = weight.to(x.dtype)
            if transposed and weight.shape[1] <= _FEW:
                y = _upwards_to_few(x, narrow, bias.to(x.dtype))
            else:
                y = torch.convolution(x, narrow, bias.to(x.dtype), _STRIDE, padding, _DILATION, transposed, [0, 0], 1)
            # In place: nobody else has seen y, and both gradients can be computed from the activated value.
            if activation == "relu":
                y.relu_()
            elif activation == "elu":
                functional.elu_(y)
            elif activation is not None:
                raise unknown_name("activation", activation, ACTIVATIONS)
        ctx.save_for_backward(x, narrow, y if activation else None)
        ctx.activation, ctx.transposed = activation, transposed
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
        padding = [weight.shape[2] // 2 - 1] * 2
        for_x, for_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            x,
            weight,
            None,
            _STRIDE,
            padding,
            _DILATION,
            ctx.transposed,
            [0, 0],
            1,
            [needs_x, needs_weight, False],
        )
        # Accumulated in float32 as it is; asking for a float32 result would first copy the whole map.
        for_bias = gradient.sum((0, 2, 3)).float() if needs_bias else None
        return for_x, for_weight.float() if needs_weight else None, for_bias, None, None
