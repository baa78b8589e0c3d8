"""Colors turned around the color wheel, and made brighter or darker, in HSV."""

import colorsys
from typing import Any

import numpy as np
import numpy.typing as npt

Color = tuple[float, float, float]
"""Red, green, blue in [0, 1]."""


def adjusted(color: Color, hue: float, brightness: float) -> Color:
    """Turn a color around the color wheel and make it brighter or darker.

    Args:
        color: in RGB.
        hue: added to its hue; a full turn is 1.
        brightness: times its HSV value, of which at most 1 is left.
    """
    if hue == 0.0 and brightness == 1.0:
        return color  # exactly: the way through HSV and back rounds
    own_hue, saturation, value = colorsys.rgb_to_hsv(*color)
    return colorsys.hsv_to_rgb((own_hue + hue) % 1.0, saturation, min(1.0, value * brightness))


def adjusted_pixels(pixels: npt.NDArray[np.uint8], hue: float, brightness: float) -> npt.NDArray[np.uint8]:
    """Do to each of many pixels what `adjusted` does to a color.

    Args:
        pixels: uint8 (..., 3).
        hue: as there.
        brightness: as there.

    Returns:
        uint8 of the same shape.
    """
    colors: npt.NDArray[Any] = pixels.astype(np.float64) / 255
    value, least = colors.max(-1), colors.min(-1)
    spread = value - least
    divisor = np.where(spread > 0, spread, 1.0)
    red, green, blue = (colors[..., channel] for channel in range(3))
    sixth = np.select(
        (value == red, value == green),
        ((green - blue) / divisor, 2 + (blue - red) / divisor),
        4 + (red - green) / divisor,
    )
    saturation = spread / np.where(value > 0, value, 1.0)
    value = np.minimum(1.0, value * brightness)
    # https://en.wikipedia.org/wiki/HSL_and_HSV#HSV_to_RGB_alternative
    turned = (np.array([5.0, 3.0, 1.0]) + (sixth + 6 * hue)[..., None]) % 6
    share = np.clip(np.minimum(turned, 4 - turned), 0.0, 1.0)
    mixed: npt.NDArray[Any] = value[..., None] * (1 - saturation[..., None] * share)
    return np.round(255 * mixed).astype(np.uint8)
