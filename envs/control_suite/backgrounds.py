"""Backgrounds that are drawn instead of downloaded: patterns that a number decides, still or moving."""

import colorsys
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import unknown_name

Image = npt.NDArray[np.uint8]

PATTERNS = ("stripes", "checks", "dots", "clouds")
"""What a background can show."""
NUMBERS = 1_000
"""How many backgrounds each pattern has."""
FASTEST = 0.02
"""Image widths that a pattern of motion 1 moves in one control step."""
_DISCS, _WAVES = 12, 6


class Background:
    """A pattern that fills an image and, if it moves, never ends.

    Args:
        pattern: one of `PATTERNS`.
        number: 0 to `NUMBERS` - 1: decides colors, sizes and directions.
        size: pixels on a side.

    Raises:
        InputError: an unknown pattern.
    """

    def __init__(self, pattern: str, number: int, size: int) -> None:
        if pattern not in PATTERNS:
            raise unknown_name("pattern", pattern, PATTERNS)
        # The pattern takes part, so that stripes and checks of one number share no colors.
        self._rng = np.random.default_rng([number, PATTERNS.index(pattern)])
        self._draw = getattr(self, f"_{pattern}")
        middles = (np.arange(size) + 0.5) / size
        self._x, self._y = np.meshgrid(middles, middles)
        self._colors = np.array([self._color() for _ in range(3)])
        self._direction = self._rng.uniform(0.0, 2 * math.pi)
        self._scale = float(self._rng.uniform(2.0, 6.0))
        self._discs = self._rng.uniform(0.0, 1.0, (_DISCS, 4))  # place, direction and radius of each
        self._waves = self._rng.uniform(0.0, 1.0, (_WAVES, 3))
        self._cycles = self._rng.integers(-3, 4, (_WAVES, 2))

    def draw(self, moved: float) -> Image:
        """Return the pattern, uint8 (size, size, 3).

        Args:
            moved: how far it has moved since the episode began, in image widths.
        """
        image: Image = np.round(255 * self._draw(moved)).astype(np.uint8)
        return image

    def _color(self) -> tuple[float, float, float]:
        hue, saturation, value = self._rng.uniform((0.0, 0.2, 0.15), (1.0, 0.9, 0.9))
        return colorsys.hsv_to_rgb(hue, saturation, value)

    def _turned(self, moved: float) -> tuple[Any, Any]:
        """Return coordinates along and across the pattern's direction."""
        cos, sin = math.cos(self._direction), math.sin(self._direction)
        return self._x * cos + self._y * sin - moved, self._y * cos - self._x * sin

    def _stripes(self, moved: float) -> Any:
        along, _ = self._turned(moved)
        return self._mixed(0.5 + 0.5 * np.sin(2 * math.pi * self._scale * along))

    def _checks(self, moved: float) -> Any:
        along, across = self._turned(moved)
        return self._colors[(np.floor(self._scale * along) + np.floor(self._scale * across)).astype(int) % 2]

    def _dots(self, moved: float) -> Any:
        image = np.broadcast_to(self._colors[0], (*self._x.shape, 3)).copy()
        for number, (x, y, direction, radius) in enumerate(self._discs):
            angle = 2 * math.pi * direction
            # The distance on a torus: a disc that leaves on one side comes back on the other.
            right = (self._x - x - moved * math.cos(angle) + 0.5) % 1.0 - 0.5
            below = (self._y - y - moved * math.sin(angle) + 0.5) % 1.0 - 0.5
            image[right**2 + below**2 < (0.05 + 0.1 * radius) ** 2] = self._colors[1 + number % 2]
        return image

    def _clouds(self, moved: float) -> Any:
        total = np.zeros_like(self._x)
        for (right, below), (phase, speed, height) in zip(self._cycles, self._waves, strict=True):
            cycles = right * self._x + below * self._y + phase + 2 * (speed - 0.5) * moved
            total += (0.3 + height) * np.sin(2 * math.pi * cycles)
        return self._mixed(0.5 + 0.5 * np.tanh(total))

    def _mixed(self, share: Any) -> Any:
        """Return the first color where the share is 0, the third where it is 1, and the second half-way."""
        first, second, third = self._colors
        share = share[..., None]
        return np.where(share < 0.5, first + 2 * share * (second - first), second + (2 * share - 1) * (third - second))
