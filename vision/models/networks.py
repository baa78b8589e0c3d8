"""Convolutional encoders and decoders, by name.

Every convolution has stride 2, with kernel 4 and padding 1 (or 2 and none), so each halves (or, transposed, doubles)
the sides of its input: 64 -> 32 -> 16 -> 8 -> 4. Weights start as PyTorch's layers draw them.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from darla.common import InputError, unknown_name
from darla.vision.training.fused_conv import MLP, Down, Float32Linear, Ups, activate, known_activation

_ROUNDING = 1e-4
"""Share of a layer's largest output below which a difference between images is taken for rounding."""


@dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder; its decoder is the mirror image."""

    channels: tuple[int, int, int, int]
    """Output channels of the four convolutions."""
    hidden: tuple[int, ...]
    """Widths of the fully connected layers between convolutions and latents."""
    kernels: tuple[int, int, int, int] = (4, 4, 4, 4)
    """Kernels of the encoder's convolutions; the decoder's are all 4."""

    def widened(self, factor: int) -> "Architecture":
        """Return the architecture with `factor` times the channels and hidden units."""
        first, second, third, fourth = (factor * width for width in self.channels)
        hidden = tuple(factor * width for width in self.hidden)
        return Architecture((first, second, third, fourth), hidden, self.kernels)


ARCHITECTURES = {
    # Higgins et al. 2017, arXiv 1707.08475, appendix A.3, as later reimplementations report it.
    "darla": Architecture((32, 32, 64, 64), (256,)),
    # Locatello et al. 2019, arXiv 1811.12359, as disentanglement_lib has it: the last two kernels are 2.
    "locatello": Architecture((32, 32, 64, 64), (256,), (4, 4, 2, 2)),
    # Burgess et al. 2018, arXiv 1804.03599, as three open reimplementations agree on it.
    "burgess": Architecture((32, 32, 32, 32), (256, 256)),
}


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


class Encoder(nn.Module):
    """Four convolutions, fully connected layers, and a linear head in float32.

    Args:
        shape: the widths of the layers.
        image_shape: height, width, channels of the input.
        outputs: width of the head.
        activation: `relu` or `elu`, after every layer but the head.
    """

    def __init__(self, shape: Architecture, image_shape: tuple[int, int, int], outputs: int, activation: str) -> None:
        super().__init__()
        height, width, channels = image_shape
        self.activation = known_activation(activation)
        sizes = (channels, *shape.channels)
        self.convolutions = nn.ModuleList(
            Down(a, b, kernel) for (a, b), kernel in zip(pairwise(sizes), shape.kernels, strict=True)
        )
        widths = (shape.channels[-1] * (height // 16) * (width // 16), *shape.hidden)
        self.hidden = MLP(widths, activation)
        self.head = Float32Linear(widths[-1], outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to the head's outputs, float32 (N, outputs)."""
        x = images
        for convolution in self.convolutions:
            x = convolution(x, self.activation)
        found: Tensor = self.head(self.hidden(x.flatten(1)))
        return found

    @torch.no_grad()
    def silent(self, images: Tensor) -> float:
        """Return the share of channels and hidden units that put out the same for all images (N, C, H, W), N > 1.

        A ReLU that one large step has pushed below 0 for every image has no gradient to come back by; so a training
        whose losses look right may go on with a part of its network, or with nothing behind the first layers.
        """
        alive: list[Tensor] = []
        x = images
        for convolution in self.convolutions:
            x = convolution(x, self.activation)
            alive.append(_varies(x).flatten(1).any(1))
        x = x.flatten(1)
        for layer in self.hidden:
            x = activate(layer(x), self.activation)
            alive.append(_varies(x))
        return 1.0 - float(torch.cat(alive).float().mean())

    def features(self, images: Tensor, layer: int) -> Tensor:
        """Return what convolution number `layer` (from 1) puts out, before the activation, (N, C', H', W').

        Raises:
            InputError: the encoder has no such convolution.
        """
        if not 1 <= layer <= len(self.convolutions):
            raise InputError(f"the encoder has no convolution {layer}; it has {len(self.convolutions)}")
        x = images
        for convolution in self.convolutions[: layer - 1]:
            x = convolution(x, self.activation)
        last: Tensor = self.convolutions[layer - 1](x)
        return last


def _varies(x: Tensor) -> Tensor:
    """Tell which outputs of a layer, (N, ...), differ between images by more than rounding."""
    return (x.amax(0) - x.amin(0)) > _ROUNDING * x.abs().amax()


class FeatureDecoder(nn.Module):
    """Fully connected layers from latents to a feature vector; the last one is linear and in float32.

    Args:
        inputs: latents.
        hidden: widths of the layers between.
        outputs: features.
        activation: `relu` or `elu`, after every layer but the last.
    """

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int, activation: str) -> None:
        super().__init__()
        widths = (inputs, *hidden)
        self.hidden = MLP(widths, activation)
        self.head = Float32Linear(widths[-1], outputs)

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, inputs) to features, float32 (N, outputs)."""
        found: Tensor = self.head(self.hidden(latents))
        return found


class Decoder(nn.Module):
    """The mirror image of `Encoder`: fully connected layers, then four transposed convolutions.

    Args:
        shape: the widths of the encoder that it mirrors.
        image_shape: height and width of the output; its channels are `outputs`.
        inputs: width of the input.
        outputs: channels of the output.
        activation: `relu` or `elu`, after every layer but the last.
    """

    def __init__(
        self,
        shape: Architecture,
        image_shape: tuple[int, int, int],
        inputs: int,
        outputs: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.grid = (shape.channels[-1], image_shape[0] // 16, image_shape[1] // 16)
        widths = (inputs, *reversed(shape.hidden), self.grid[0] * self.grid[1] * self.grid[2])
        self.hidden = MLP(widths, activation)
        self.deconvolutions = Ups((*reversed(shape.channels), outputs), activation)

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, inputs) to (N, outputs, H, W)."""
        images: Tensor = self.deconvolutions(self.hidden(latents).reshape(-1, *self.grid))
        return images


class BroadcastDecoder(nn.Module):
    """Spatial broadcast decoder: the code is set at every place of a grid, with the place's coordinates beside it.

    Watters et al. 2019, arXiv 1901.07017. Theirs has the grid of the picture and stride 1; here the grid has an eighth
    of its side and three transposed convolutions lead up, which costs far less.

    Args:
        shape: the widths of the encoder; its last three convolutions are mirrored.
        image_shape: height and width of the output; its channels are `outputs`.
        inputs: width of the input.
        outputs: channels of the output.
        activation: `relu` or `elu`, after every layer but the last.
    """

    places: Tensor

    def __init__(
        self,
        shape: Architecture,
        image_shape: tuple[int, int, int],
        inputs: int,
        outputs: int,
        activation: str,
    ) -> None:
        super().__init__()
        down, across = (torch.linspace(-1, 1, side // 8) for side in image_shape[:2])
        self.register_buffer("places", torch.stack(torch.meshgrid(down, across, indexing="ij")), persistent=False)
        self.first = nn.Conv2d(inputs + 2, shape.channels[-1], kernel_size=3, padding=1)
        self.deconvolutions = Ups((*reversed(shape.channels[1:]), outputs), activation)

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, inputs) to (N, outputs, H, W)."""
        spread = latents[..., None, None].expand(-1, -1, *self.places.shape[1:])
        placed = torch.cat([spread, self.places.expand(len(latents), -1, -1, -1)], 1)
        images: Tensor = self.deconvolutions(activate(self.first(placed), self.deconvolutions.activation))
        return images
