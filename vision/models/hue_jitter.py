"""Pictures with other hues: damage from which a denoising autoencoder learns what has a colour of its own."""

import math

import torch
from torch import Tensor


def random_hue_warp(images: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Replace the hues of each picture by others: HSV hue h becomes h + f(h), f a random periodic function.

    One rotation for all hues could be undone from a single thing of known colour. Saturation and value stay, so that
    greys stay what they are.

    Args:
        images: (N, 3, H, W) in [0, 1]; not changed.
        share: share of the pictures that are damaged at all.
        generator: source of the functions.

    Returns:
        The recoloured images, (N, 3, H, W).
    """
    count, device = len(images), images.device
    drawn = torch.rand((7, count, 1, 1), generator=generator, device=device)
    red, green, blue = images.unbind(1)
    value, low = images.amax(1), images.amin(1)
    spread = value - low
    safe = spread.clamp(min=1e-6)
    hue = torch.where(
        value == red,
        ((green - blue) / safe) % 6.0,
        torch.where(value == green, (blue - red) / safe + 2.0, (red - green) / safe + 4.0),
    )
    turn, (first, second), (phase, other) = drawn[0], drawn[1:3], drawn[3:5]
    angle = hue * (math.pi / 3.0)
    shift = 6.0 * turn + 3.0 * first * torch.sin(angle + 2 * math.pi * phase)
    shift = shift + 1.5 * second * torch.sin(2 * angle + 2 * math.pi * other)
    hue = hue + torch.where(drawn[5] < share, shift, 0.0)
    channels = []
    for offset in (5.0, 3.0, 1.0):
        ramp = (hue + offset) % 6.0
        channels.append(value - spread * torch.minimum(ramp, 4.0 - ramp).clamp(0.0, 1.0))
    return torch.stack(channels, 1)
