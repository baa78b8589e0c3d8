"""dSprites redrawn: one white sprite on black, 64 x 64 pixels, rendered on demand instead of downloaded.

The data set of Matthey et al. 2017 (https://github.com/deepmind/dsprites-dataset) at its factor sizes and values. The
sizes, the path of the center, the sense of rotation and the outlines were fitted to the animation that its authors
publish with it. Its 202 frames and ours differ by at most six pixels on a sprite's edge each, 0.4 % of the white pixels
in all.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from darla.envs.image_data.ground_truth import Factors, GroundTruthData, Images, checked_factors

SHAPES = ("square", "ellipse", "heart")
SIDE = 64
"""Pixels."""
SCALES = np.linspace(0.5, 1.0, 6)
ORIENTATIONS = 40
POSITIONS = 32

# All lengths in pixels, at scale 1.
_SQUARE = 9.6
"""Half a side."""
_ELLIPSE = (12.8, 7.2)
"""Semi-axes."""
_HEART_WIDTH = 9.6
"""Half the width."""
_HEART_SHOULDER = -4.1
"""Where the heart is widest, above (negative) its center of rotation."""
_HEART_LOBE, _HEART_POINT = 5.25, 14.25
"""How far the lobes reach above the widest place, and the point below it."""
_REACH = math.hypot(_SQUARE, _SQUARE)
"""No part of any sprite is further than this from its center."""
_WINDOW = 28
"""Side of the square of pixels that holds a sprite wherever its center falls: pixel centers within `_REACH`."""
_BATCH = 64
"""Sprites drawn together; their intermediate results stay in a core's cache."""
_FIRST_CENTER, _TRAVEL = 16.0, 32.0
"""The center moves over the middle half of the image."""

_Float = npt.NDArray[np.float32]


class Sprites(GroundTruthData):
    """A square, an ellipse or a heart in 6 scales, 40 orientations and 32 x 32 positions.

    Images are uint8 (64, 64, 1), 0 or 255: a pixel is white where its center lies in the sprite, without
    anti-aliasing. Rows of the grid are in dSprites' own order (shape, scale, orientation, position x, position y).

    Two properties of dSprites bound what any code can know of the orientation. Its 40 values run from 0 to 2 pi *with
    both ends*, so that the last is the first again (`closed_turn`). And a square looks the same after a quarter turn,
    an ellipse after half a turn; as 39 steps divide by neither 2 nor 4, no other two of the 40 images are equal.

    Args:
        closed_turn: take dSprites' 40 orientations; otherwise 40 equal steps, of which none repeats another, but where
            every tenth image of a square and every twentieth of an ellipse are equal.
    """

    name = "sprites"
    factor_names = ("shape", "scale", "orientation", "position_x", "position_y")
    factor_sizes = (len(SHAPES), len(SCALES), ORIENTATIONS, POSITIONS, POSITIONS)
    image_shape = (SIDE, SIDE, 1)

    def __init__(self, *, closed_turn: bool = True) -> None:
        self.closed_turn = closed_turn
        self.orientations: npt.NDArray[np.float64] = np.linspace(0.0, 2 * math.pi, ORIENTATIONS, endpoint=closed_turn)
        """In radians; anticlockwise as the image is seen."""
        self.centers: npt.NDArray[np.float64] = _FIRST_CENTER + _TRAVEL * np.linspace(0.0, 1.0, POSITIONS)
        """Of the sprite from the image's left or upper edge, in pixels."""

    def render(self, factors: Factors) -> Images:
        """Draw sprites, uint8 (N, 64, 64, 1); see `GroundTruthData.render`."""
        factors = checked_factors(factors, self)
        images = np.zeros((len(factors), SIDE, SIDE), np.uint8)
        windows = sliding_window_view(images, (_WINDOW, _WINDOW), axis=(1, 2), writeable=True)
        for shape, inside in enumerate((_in_square, _in_ellipse, _in_heart)):
            rows = np.flatnonzero(factors[:, 0] == shape)
            for start in range(0, len(rows), _BATCH):
                batch = rows[start : start + _BATCH]
                self._draw(windows, batch, factors[batch], inside)
        return images[..., None]

    def _draw(self, windows: npt.NDArray[np.uint8], rows: npt.NDArray[Any], factors: Factors, inside: Any) -> None:
        scale, turn = SCALES[factors[:, 1], None], self.orientations[factors[:, 2], None]
        center_x, center_y = self.centers[factors[:, 3]], self.centers[factors[:, 4]]
        # The first pixel whose center can lie in the sprite, and from there the offsets of all in the window.
        left, top = (np.ceil(center - _REACH - 0.5).astype(np.int64) for center in (center_x, center_y))
        pixels = np.arange(_WINDOW) + 0.5
        x, y = left[:, None] + pixels - center_x[:, None], top[:, None] + pixels - center_y[:, None]
        # Coordinates in the sprite's own frame are sums of a part that varies along rows and one along columns.
        cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
        across = _sum(cos * x, -sin * y)
        down = _sum(sin * x, cos * y)
        windows[rows, top, left] = inside(across, down).view(np.uint8) * np.uint8(255)


def _sum(along_x: npt.NDArray[np.float64], along_y: npt.NDArray[np.float64]) -> _Float:
    total: _Float = along_x.astype(np.float32)[:, None, :] + along_y.astype(np.float32)[:, :, None]
    return total


def _in_square(across: _Float, down: _Float) -> npt.NDArray[np.bool_]:
    return np.maximum(np.abs(across), np.abs(down)) < np.float32(_SQUARE)


def _in_ellipse(across: _Float, down: _Float) -> npt.NDArray[np.bool_]:
    wide, narrow = (np.float32(1 / axis) for axis in _ELLIPSE)
    inside: npt.NDArray[np.bool_] = np.square(across * wide) + np.square(down * narrow) < 1
    return inside


def _in_heart(across: _Float, down: _Float) -> npt.NDArray[np.bool_]:
    """Tell what lies between y = -p sqrt(1 - sqrt(x)) and two half-ellipses on top of it, for x from 0 to 1."""
    x = np.abs(across) * np.float32(1 / _HEART_WIDTH)
    y = down - np.float32(_HEART_SHOULDER)
    lobes = np.square(2 * x - 1) + np.square(y * np.float32(1 / _HEART_LOBE)) < 1
    # Without roots: depth^2 <= 1 - sqrt(x) is (1 - depth^2)^2 >= x where depth <= 1.
    depth = y * np.float32(1 / _HEART_POINT)
    point = (depth < 1) & (np.square(1 - np.square(depth)) > x)
    inside: npt.NDArray[np.bool_] = np.where(y < 0, lobes, point)
    return inside
