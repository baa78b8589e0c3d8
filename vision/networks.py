"""Convolutional encoders and decoders, by name.

Every convolution has kernel 4, stride 2 and padding 1, so each halves (or, transposed, doubles) the sides of its
input: 64 -> 32 -> 16 -> 8 -> 4. Weights start as PyTorch's layers draw them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from darla.base import InputError, unknown_name


@dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder; its decoder is the mirror image."""

    channels: tuple[int, int, int, int]
    """Output channels of the four convolutions."""
    hidden: tuple[int, ...]
    """Widths of the fully connected layers between convolutions and latents."""

    def widened(self, factor: int) -> "Architecture":
        """Return the architecture with `factor` times the channels and hidden units."""
        first, second, third, fourth = (factor * width for width in self.channels)
        return Architecture((first, second, third, fourth), tuple(factor * width for width in self.hidden))


ARCHITECTURES = {
    # Higgins et al. 2017 (DARLA), appendix A.3, as later reports give it: reference darla.md, 2c.
    "darla": Architecture((32, 32, 64, 64), (256,)),
    # Burgess et al. 2018, arXiv 1804.03599, as three open reimplementations agree on it.
    "burgess": Architecture((32, 32, 32, 32), (256, 256)),
}

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "elu": F.elu}


def architecture(name: str, width: int = 1) -> Architecture:
    """Return a named architecture, `width` times as wide as published.

    Raises:
        InputError: there is no such architecture, or `width` is below 1.
    """
    if name not in ARCHITECTURES:
        raise unknown_name("network", name, ARCHITECTURES)
    if width < 1:
        raise InputError(f"network width must be at least 1, not {width}")
    return ARCHITECTURES[name].widened(width)


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """Return a named activation function.

    Raises:
        InputError: there is no such activation.
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]


class Encoder(nn.Module):
    """Four convolutions, fully connected layers, and a linear head in float32.

    Args:
        shape: the widths of the layers.
        image_shape: height, width, channels of the input.
        outputs: width of the head.
        nonlinearity: the activation after every layer but the head.
    """

    def __init__(
        self, shape: Architecture, image_shape: tuple[int, int, int], outputs: int, nonlinearity: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        height, width, channels = image_shape
        self.nonlinearity = nonlinearity
        sizes = (channels, *shape.channels)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(sizes))
        widths = (shape.channels[-1] * (height // 16) * (width // 16), *shape.hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.head = nn.Linear(widths[-1], outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to the head's outputs, float32 (N, outputs)."""
        x = self.nonlinearity(self.features(images, len(self.convolutions))).flatten(1)
        for layer in self.hidden:
            x = self.nonlinearity(layer(x))
        # A code is read to more digits than bfloat16 has; the head is too small for that to cost anything.
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.float(), self.head.weight, self.head.bias)

    def features(self, images: Tensor, layer: int) -> Tensor:
        """Return what convolution number `layer` (from 1) puts out, before the activation, (N, C', H', W')."""
        x = images
        for number, convolution in enumerate(self.convolutions, start=1):
            x = convolution(x)
            if number == layer:
                return x
            x = self.nonlinearity(x)
        raise InputError(f"the encoder has no convolution {layer}; it has {len(self.convolutions)}")


class Deconvolution(nn.ConvTranspose2d):
    """A transposed convolution whose bias is added afterwards.

    The sum is the same. But oneDNN computes the bias gradient of a transposed convolution with a scalar reference loop,
    which took longer than everything else of a training step together.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (N, C, H, W) to (N, C', 2H, 2W)."""
        assert self.bias is not None
        y = F.conv_transpose2d(input, self.weight, None, self.stride, self.padding)
        return y + self.bias.to(y.dtype)[:, None, None]


class Decoder(nn.Module):
    """The mirror image of `Encoder`: fully connected layers, four transposed convolutions, no final activation.

    Args:
        shape: the widths of the encoder that it mirrors.
        image_shape: height and width of the output; its channels are `outputs`.
        inputs: width of the input.
        outputs: channels of the output.
        nonlinearity: the activation after every layer but the last.
    """

    def __init__(
        self,
        shape: Architecture,
        image_shape: tuple[int, int, int],
        inputs: int,
        outputs: int,
        nonlinearity: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.nonlinearity = nonlinearity
        self.grid = (shape.channels[-1], image_shape[0] // 16, image_shape[1] // 16)
        widths = (inputs, *reversed(shape.hidden), self.grid[0] * self.grid[1] * self.grid[2])
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        sizes = (*reversed(shape.channels), outputs)
        self.deconvolutions = nn.ModuleList(
            Deconvolution(a, b, 4, stride=2, padding=1) for a, b in pairwise(sizes)
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, inputs) to (N, outputs, H, W)."""
        x = latents
        for layer in self.hidden:
            x = self.nonlinearity(layer(x))
        x = x.unflatten(1, self.grid)
        for number, deconvolution in enumerate(self.deconvolutions):
            x = deconvolution(x if number == 0 else self.nonlinearity(x))
        return x
