"""A generator and a discriminator, mirror images of each other.

They differ from `Encoder` and `Decoder` in batch normalization, without which the generator of a GAN this size learns
slowly or not at all (Radford et al. 2016, arXiv 1511.06434), and in leaky ReLUs where gradients go to the generator.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from darla.vision.models.networks import Architecture, Float32Linear

_LEAK = 0.1
"""Slope of the leaky ReLUs below 0; appendix C of the InfoGAN paper."""
_RECOGNIZER_WIDTH = 128
"""Units of the layer between the trunk and Q; appendix C of the InfoGAN paper."""


def _layer(layer: nn.Module, norm: nn.Module | None, activation: Callable[[], nn.Module]) -> list[nn.Module]:
    return [layer, *([] if norm is None else [norm]), activation()]


class ImageGenerator(nn.Module):
    """Fully connected layers, then four transposed convolutions; batch normalization and ReLUs between them.

    Args:
        shape: the widths of the discriminator that it mirrors.
        image_shape: height, width, channels of the output.
        inputs: codes and noise variables.
    """

    def __init__(self, shape: Architecture, image_shape: tuple[int, int, int], inputs: int) -> None:
        super().__init__()
        height, width, channels = image_shape
        c1, c2, c3, c4 = shape.channels
        grid = (c4, height // 16, width // 16)  # 64 x 4 x 4
        widths = (inputs, *reversed(shape.hidden), grid[0] * grid[1] * grid[2])
        # No biases before batch normalization, which subtracts the mean.
        dense = (_layer(nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU) for a, b in pairwise(widths))
        self.hidden = nn.Sequential(*(part for layer in dense for part in layer))
        self.unflatten = nn.Unflatten(1, grid)
        upwards = (
            _layer(nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU)
            for a, b in pairwise((c4, c3, c2, c1))  # 4 -> 8 -> 16 -> 32
        )
        self.deconvolutions = nn.Sequential(
            *(part for layer in upwards for part in layer),
            nn.ConvTranspose2d(c1, channels, 4, stride=2, padding=1),  # 32 -> 64
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map codes and noise (N, inputs) to images, float32 (N, C, H, W) in [0, 1]."""
        logits: Tensor = self.deconvolutions(self.unflatten(self.hidden(inputs)))
        return logits.float().sigmoid()


class ImageDiscriminator(nn.Module):
    """Four convolutions of stride 2 and fully connected layers, with two heads: real or generated, and Q(c|x).

    Args:
        shape: the widths of the layers.
        image_shape: height, width, channels of the input.
        outputs: parameters of Q.
        batch_norm: whether there is batch normalization, after every layer but the first. A gradient penalty forbids
            it: the penalty is on the gradient of each image's output, which must not depend on the other images.
    """

    def __init__(
        self, shape: Architecture, image_shape: tuple[int, int, int], outputs: int, *, batch_norm: bool
    ) -> None:
        super().__init__()
        height, width, channels = image_shape

        def leaky() -> nn.Module:
            return nn.LeakyReLU(_LEAK)

        def dense(a: int, b: int) -> list[nn.Module]:
            norm = nn.BatchNorm1d(b) if batch_norm else None
            return _layer(nn.Linear(a, b, bias=not batch_norm), norm, leaky)

        def convolution(a: int, b: int) -> list[nn.Module]:
            norm = nn.BatchNorm2d(b) if batch_norm else None
            return _layer(nn.Conv2d(a, b, 4, stride=2, padding=1, bias=not batch_norm), norm, leaky)

        self.convolutions = nn.Sequential(
            *_layer(nn.Conv2d(channels, shape.channels[0], 4, stride=2, padding=1), None, leaky),  # 64 -> 32
            *(part for a, b in pairwise(shape.channels) for part in convolution(a, b)),  # 32 -> 16 -> 8 -> 4
        )
        flat = shape.channels[-1] * (height // 16) * (width // 16)
        widths = (flat, *shape.hidden)
        self.hidden = nn.Sequential(*(part for a, b in pairwise(widths) for part in dense(a, b)))
        self.judge = Float32Linear(widths[-1], 1)
        self.recognizer = nn.Sequential(
            *dense(widths[-1], _RECOGNIZER_WIDTH), Float32Linear(_RECOGNIZER_WIDTH, outputs)
        )

    def trunk(self, images: Tensor) -> Tensor:
        """Return what both heads read, (N, hidden)."""
        features: Tensor = self.hidden(self.convolutions(images).flatten(1))
        return features

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, C, H, W) to one logit or value each, float32 (N,), and to Q's parameters, (N, outputs)."""
        features = self.trunk(images)
        return self.judge(features).squeeze(1), self.recognizer(features)

    def value(self, images: Tensor) -> Tensor:
        """Return the first output of `forward` alone, float32 (N,)."""
        value: Tensor = self.judge(self.trunk(images))
        return value.squeeze(1)


def apply_frozen(network: nn.Module, *inputs: Tensor) -> Any:
    """Apply a network so that gradients reach its inputs, but not its parameters, and its buffers stay as they are."""
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    return functional_call(network, parameters | _buffers(network), inputs)


def apply_without_statistics(network: nn.Module, *inputs: Tensor) -> Any:
    """Apply a network so that its buffers, the running statistics of batch normalization, stay as they are."""
    return functional_call(network, _buffers(network), inputs)


def _buffers(network: nn.Module) -> dict[str, Tensor]:
    return {name: torch.clone(buffer) for name, buffer in network.named_buffers()}
