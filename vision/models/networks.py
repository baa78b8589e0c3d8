"""Convolutional encoders and decoders, by name.

All are plain stacks of layers. Sizes in comments are those of 64 x 64 images. Weights are initialized as PyTorch's
layers do it. Training on a CPU replaces convolution stacks by faster ones with the same results
(`darla.vision.training.fused_conv`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from darla.common import InputError, unknown_name

_ROUNDING = 1e-4
"""Differences between images below this fraction of a layer's largest output count as rounding."""
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "elu": nn.ELU}


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


def activation_layer(name: str) -> Callable[[], nn.Module]:
    """Return the class of a named activation, `relu` or `elu`.

    Raises:
        InputError: there is no such activation.
    """
    if name not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]


def fully_connected(widths: Sequence[int], activation: Callable[[], nn.Module]) -> nn.Sequential:
    """Return linear layers of the given widths, the first that of the input, each followed by an activation."""
    return nn.Sequential(*(layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), activation())))


class Float32Linear(nn.Linear):
    """A linear layer in float32, also where the layers around it run in a reduced format.

    Posterior parameters and features need more digits than bfloat16 has, and the layer is too small to cost anything.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, inputs) to float32 (N, outputs)."""
        with torch.autocast(input.device.type, enabled=False):
            return functional.linear(input.float(), self.weight, self.bias)


class Encoder(nn.Module):
    """Four convolutions of stride 2, fully connected layers, and a linear head in float32.

    Args:
        shape: the widths of the layers.
        image_shape: height, width, channels of the input.
        outputs: width of the head.
        activation: `relu` or `elu`, after every layer but the head.
    """

    def __init__(self, shape: Architecture, image_shape: tuple[int, int, int], outputs: int, activation: str) -> None:
        super().__init__()
        height, width, channels = image_shape
        active = activation_layer(activation)
        c1, c2, c3, c4 = shape.channels
        k1, k2, k3, k4 = shape.kernels
        # Padding 1 for kernel 4 and 0 for kernel 2, so that every convolution halves both sides.
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, c1, k1, stride=2, padding=k1 // 2 - 1), active(),  # 64 -> 32
            nn.Conv2d(c1, c2, k2, stride=2, padding=k2 // 2 - 1), active(),  # 32 -> 16
            nn.Conv2d(c2, c3, k3, stride=2, padding=k3 // 2 - 1), active(),  # 16 -> 8
            nn.Conv2d(c3, c4, k4, stride=2, padding=k4 // 2 - 1), active(),  # 8 -> 4
        )  # fmt: skip
        flat = c4 * (height // 16) * (width // 16)  # 64 * 4 * 4 = 1024
        widths = (flat, *shape.hidden)
        self.hidden = fully_connected(widths, active)  # 1024 -> 256
        self.head = Float32Linear(widths[-1], outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, C, H, W) to the head's outputs, float32 (N, outputs)."""
        outputs: Tensor = self.head(self.hidden(self.convolutions(images).flatten(1)))
        return outputs

    @torch.no_grad()
    def dead_units(self, images: Tensor) -> float:
        """Return the fraction of channels and hidden units whose output is the same for all images.

        A ReLU that a large step has pushed below 0 for every image gets no gradient and stays dead, while the losses
        look normal.

        Args:
            images: (N, C, H, W), N > 1.
        """
        alive: list[Tensor] = []
        x = images
        for layers in (self.convolutions, self.hidden):
            for layer in layers:
                x = layer(x)
                if not isinstance(layer, nn.Conv2d | nn.Linear):  # after the activation
                    alive.append(_varies(x).flatten(1).any(1) if x.ndim > 2 else _varies(x))
            x = x.flatten(1)
        return 1.0 - float(torch.cat(alive).float().mean())

    def features(self, images: Tensor, layer: int) -> Tensor:
        """Return the output of convolution number `layer` (from 1), before the activation, (N, C', H', W').

        Raises:
            InputError: the encoder has no such convolution.
        """
        count = len(self.convolutions) // 2
        if not 1 <= layer <= count:
            raise InputError(f"the encoder has no convolution {layer}; it has {count}")
        features: Tensor = self.convolutions[: 2 * layer - 1](images)
        return features


def _varies(x: Tensor) -> Tensor:
    """Return which outputs of a layer, (N, ...), differ between images by more than rounding, (...)."""
    return (x.amax(0) - x.amin(0)) > _ROUNDING * x.abs().amax()


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
        active = activation_layer(activation)
        c1, c2, c3, c4 = shape.channels
        grid = (c4, image_shape[0] // 16, image_shape[1] // 16)  # 64 x 4 x 4
        widths = (inputs, *reversed(shape.hidden), grid[0] * grid[1] * grid[2])
        self.hidden = fully_connected(widths, active)  # D -> 256 -> 1024
        self.unflatten = nn.Unflatten(1, grid)
        self.deconvolutions = nn.Sequential(
            nn.ConvTranspose2d(c4, c3, 4, stride=2, padding=1), active(),  # 4 -> 8
            nn.ConvTranspose2d(c3, c2, 4, stride=2, padding=1), active(),  # 8 -> 16
            nn.ConvTranspose2d(c2, c1, 4, stride=2, padding=1), active(),  # 16 -> 32
            nn.ConvTranspose2d(c1, outputs, 4, stride=2, padding=1),  # 32 -> 64
        )  # fmt: skip

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, inputs) to (N, outputs, H, W)."""
        images: Tensor = self.deconvolutions(self.unflatten(self.hidden(latents)))
        return images


class BroadcastDecoder(nn.Module):
    """Spatial broadcast decoder: the code at each position of a grid, beside the position's coordinates.

    Watters et al. 2019, arXiv 1901.07017. Their grid is as large as the image and all strides are 1; here the grid has
    an eighth of the image's side and three transposed convolutions enlarge it, which costs far less.

    Args:
        shape: the widths of the encoder; its last three convolutions are mirrored.
        image_shape: height and width of the output; its channels are `outputs`.
        inputs: width of the input.
        outputs: channels of the output.
        activation: `relu` or `elu`, after every layer but the last.
    """

    coordinates: Tensor

    def __init__(
        self,
        shape: Architecture,
        image_shape: tuple[int, int, int],
        inputs: int,
        outputs: int,
        activation: str,
    ) -> None:
        super().__init__()
        active = activation_layer(activation)
        _, c2, c3, c4 = shape.channels
        rows, columns = (torch.linspace(-1, 1, side // 8) for side in image_shape[:2])
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))  # 2 x 8 x 8
        self.register_buffer("coordinates", grid, persistent=False)
        self.deconvolutions = nn.Sequential(
            nn.Conv2d(inputs + 2, c4, 3, padding=1), active(),  # 8
            nn.ConvTranspose2d(c4, c3, 4, stride=2, padding=1), active(),  # 8 -> 16
            nn.ConvTranspose2d(c3, c2, 4, stride=2, padding=1), active(),  # 16 -> 32
            nn.ConvTranspose2d(c2, outputs, 4, stride=2, padding=1),  # 32 -> 64
        )  # fmt: skip

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, inputs) to (N, outputs, H, W)."""
        codes = latents[..., None, None].expand(-1, -1, *self.coordinates.shape[1:])
        coordinates = self.coordinates.expand(len(latents), -1, -1, -1)
        images: Tensor = self.deconvolutions(torch.cat([codes, coordinates], 1))
        return images


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
        self.hidden = fully_connected(widths, activation_layer(activation))  # D -> 256 -> 256
        self.head = Float32Linear(widths[-1], outputs)

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (N, inputs) to features, float32 (N, outputs)."""
        features: Tensor = self.head(self.hidden(latents))
        return features
