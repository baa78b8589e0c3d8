"""The named colors of CarRacing, and how its color factors change them.

The names stand for the looks of LUSR's benchmark of visual transfer (Xing et al. 2021,
https://arxiv.org/abs/2102.05714; code: https://github.com/KarlXing/gym), as far as they are colors.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from darla.envs.domains.factor_space import Context
from darla.envs.hsv import Color, adjusted

GRASS: Mapping[str, tuple[Color, Color]] = MappingProxyType(
    {
        "green": ((0.40, 0.80, 0.40), (0.40, 0.90, 0.40)),  # CarRacing's own
        "yellow": ((0.80, 0.80, 0.40), (0.80, 0.90, 0.40)),
        "salmon": ((0.95, 0.62, 0.53), (0.95, 0.72, 0.53)),
        "teal": ((0.30, 0.63, 0.70), (0.40, 0.63, 0.70)),
        "blue": ((0.54, 0.67, 0.89), (0.44, 0.67, 0.89)),
        "mint": ((0.50, 0.70, 0.60), (0.50, 0.80, 0.60)),
    }
)
"""Colors of the ground and of the patches on it."""
CAR: Mapping[str, Color] = MappingProxyType(
    {
        "red": (0.80, 0.00, 0.00),  # CarRacing's own
        "cyan": (0.00, 0.58, 0.71),
        "green": (0.00, 0.80, 0.00),
        "orange": (1.00, 0.40, 0.00),
        "pink": (1.00, 0.42, 0.62),
    }
)
"""Colors of the hull."""
ROAD: Mapping[str, Color] = MappingProxyType({"gray": (0.40, 0.40, 0.40), "slate": (0.30, 0.40, 0.50)})
"""Colors of the asphalt; the first is CarRacing's own."""


class Palette(NamedTuple):
    """What CarRacing paints with."""

    ground: Any
    """int64 (3,) in [0, 255]; so are `patches` and `road`."""
    patches: Any
    road: Any
    car: Color


def palette(context: Context) -> Palette:
    """Return the colors of a context of `darla.envs.worlds.car_racing`."""
    grass = (context.number("grass_hue"), context.number("grass_brightness"))
    ground, patches = (adjusted(color, *grass) for color in GRASS[context.name("grass")])
    road = adjusted(ROAD[context.name("road")], 0.0, context.number("road_brightness"))
    car = adjusted(CAR[context.name("car")], context.number("car_hue"), context.number("car_brightness"))
    return Palette(_bytes(ground), _bytes(patches), _bytes(road), car)


def _bytes(color: Color) -> Any:
    return np.round(np.array(color) * 255).astype(np.int64)
