"""Random changes of hue: a corruption of images for the denoising autoencoder, and an augmentation for agents."""

import math

import torch
from torch import Tensor


def random_hue_warp(images: Tensor, prob: float, generator: torch.Generator | None = None) -> Tensor:
    """Replace HSV hue h by h + f(h), f a random periodic function for each image.

    A rotation by a constant could be undone from one object of known color, so f has two harmonics beside the constant.
    Saturation and value stay, so grays stay gray.

    Args:
        images: (N, 3, H, W) in [0, 1]; not changed.
        prob: probability that an image is changed at all.
        generator: source of the functions.

    Returns:
        The changed images, (N, 3, H, W).
    """
    count, device = len(images), images.device
    drawn = torch.rand((7, count, 1, 1), generator=generator, device=device)
    red, green, blue = images.unbind(1)
    value, low = images.amax(1), images.amin(1)
    chroma = value - low
    divisor = chroma.clamp(min=1e-6)  # a gray pixel has no hue, and none is needed: chroma 0 below
    # RGB to hue, in sixths of the circle.
    hue = torch.where(
        value == red,
        ((green - blue) / divisor) % 6.0,
        torch.where(value == green, (blue - red) / divisor + 2.0, (red - green) / divisor + 4.0),
    )
    rotation, (first, second), (first_phase, second_phase) = drawn[0], drawn[1:3], drawn[3:5]
    angle = hue * (math.pi / 3.0)
    shift = 6.0 * rotation + 3.0 * first * torch.sin(angle + 2 * math.pi * first_phase)
    shift = shift + 1.5 * second * torch.sin(2 * angle + 2 * math.pi * second_phase)
    hue = hue + torch.where(drawn[5] < prob, shift, 0.0)
    # HSV to RGB: channel = value - chroma * clamp(min(k, 4 - k), 0, 1) with k = (offset + hue) mod 6.
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = (hue + offset) % 6.0
        channels.append(value - chroma * torch.minimum(k, 4.0 - k).clamp(0.0, 1.0))
    return torch.stack(channels, 1)
