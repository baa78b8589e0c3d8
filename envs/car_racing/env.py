"""CarRacing in other colours: the same tracks and the same physics, painted anew.

The looks are those of LUSR's benchmark of visual transfer (Xing et al. 2021, https://arxiv.org/abs/2102.05714; code:
https://github.com/KarlXing/gym), as far as they are colours; bars at the edge of the picture, the square beside the car
and the other shape of car that some of them add are left out. As there, an action lasts four frames, the bar of
instruments is cut off and the picture has 64 x 64 pixels. Actions are Gymnasium's five discrete ones; LUSR's are
continuous.
"""

import math
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import DependencyNotInstalled
from PIL import Image

from darla.common import InputError, unknown_name

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
try:
    from gymnasium.envs.box2d.car_racing import (
        BORDER,
        FPS,
        MAX_SHAPE_DIM,
        TRACK_WIDTH,
        WINDOW_H,
        WINDOW_W,
        CarRacing,
    )
except DependencyNotInstalled as error:
    raise InputError("CarRacing needs Box2D and pygame; pip install 'darla[car-racing]' brings them") from error

Colour = tuple[float, float, float]
Images = np.ndarray[Any, np.dtype[np.uint8]]

GRASS: Mapping[str, tuple[Colour, Colour]] = MappingProxyType(
    {
        "green": ((0.40, 0.80, 0.40), (0.40, 0.90, 0.40)),  # CarRacing's own
        "yellow": ((0.80, 0.80, 0.40), (0.80, 0.90, 0.40)),
        "salmon": ((0.95, 0.62, 0.53), (0.95, 0.72, 0.53)),
        "teal": ((0.30, 0.63, 0.70), (0.40, 0.63, 0.70)),
        "blue": ((0.54, 0.67, 0.89), (0.44, 0.67, 0.89)),
        "mint": ((0.50, 0.70, 0.60), (0.50, 0.80, 0.60)),
    }
)
"""Red, green and blue of the ground and of the patches on it."""
CAR: Mapping[str, Colour] = MappingProxyType(
    {
        "red": (0.80, 0.00, 0.00),  # CarRacing's own
        "cyan": (0.00, 0.58, 0.71),
        "green": (0.00, 0.80, 0.00),
        "orange": (1.00, 0.40, 0.00),
        "pink": (1.00, 0.42, 0.62),
    }
)
"""Colour of the hull."""
ROAD: Mapping[str, Colour] = MappingProxyType({"grey": (0.40, 0.40, 0.40), "slate": (0.30, 0.40, 0.50)})
"""Colour of the asphalt; the first is CarRacing's own."""

SIZE = 64
"""Pixels on a side."""
_ROWS = 84
"""Of the 96 rows of CarRacing's own picture, those above its instruments."""
_FRAMES = 1_000
"""Frames after which an episode is cut off, as Gymnasium does."""
_SIGHT = math.hypot(WINDOW_W / 2 + MAX_SHAPE_DIM, WINDOW_H * 3 / 4 + MAX_SHAPE_DIM) + MAX_SHAPE_DIM
"""Pixels of CarRacing's window from the car beyond which it draws no corner of anything, nor of its neighbour."""
_SETTLE = 8
"""Frames of one random action after a car was put somewhere, so that its wheels stand as they would."""


class RecolouredCarRacing(CarRacing):
    """Gymnasium's CarRacing with named colours, small pictures and actions that last several frames.

    Each `info` holds the `context`: the colours, by name. Colours take no part in any random draw, so that with the
    same seed and actions tracks, rewards and positions are those of every other look.

    Args:
        grass: a name in `GRASS`.
        car: a name in `CAR`.
        road: a name in `ROAD`.
        frame_skip: frames that an action lasts; 4 in LUSR. Rewards of these frames are added up.
        render_mode: as Gymnasium has it.

    Raises:
        InputError: an unknown name, or a number that is not positive.
    """

    starts_anywhere = True
    """Whether `reset` can be asked to."""

    def __init__(
        self,
        grass: str = "green",
        car: str = "red",
        road: str = "grey",
        frame_skip: int = 4,
        render_mode: str | None = None,
    ) -> None:
        for kind, name, known in (("grass", grass, GRASS), ("car", car, CAR), ("road", road, ROAD)):
            if name not in known:
                raise unknown_name(f"colour of the {kind}:", name, known)
        if frame_skip < 1:
            raise InputError(f"frame_skip is {frame_skip}, but must be at least 1")
        self.context = {"grass": grass, "car": car, "road": road}
        self._skip, self._draws, self._frames = frame_skip, True, 0
        super().__init__(render_mode=render_mode, continuous=False)
        self.observation_space = spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)

    def _init_colors(self) -> None:
        ground, patches = GRASS[self.context["grass"]]
        self.road_color = _bytes(ROAD[self.context["road"]])
        self.bg_color, self.grass_color = _bytes(ground), _bytes(patches)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Images, dict[str, Any]]:
        """Draw a track and put the car on it.

        Args:
            seed: of the track, and of all that is drawn after it.
            options: `{"start": "line"}`, which is also the default, puts the car at rest on the starting line.
                `{"start": "anywhere"}` puts it on or beside any part of the track, in any direction near that of the
                road, for frames to learn to see from.

        Returns:
            uint8 (64, 64, 3), and the context.

        Raises:
            InputError: an unknown start.
        """
        start = (options or {}).get("start", "line")
        if start not in ("line", "anywhere"):
            raise unknown_name("start", str(start), ("line", "anywhere"))
        self._frames = 0
        # Gymnasium draws the first picture by a step without an action.
        image, _ = super().reset(seed=seed, options=options)
        if start == "anywhere":
            image = self._put_anywhere()
        return image, {"context": dict(self.context)}

    def step(self, action: Any) -> tuple[Images, float, bool, bool, dict[str, Any]]:
        """Hold an action for several frames, of which the last is drawn.

        Returns:
            uint8 (64, 64, 3), sum of the rewards, whether the lap is done or the car is out of the field, whether the
            time is over, and an info with the context.
        """
        if action is None and self.car is not None:
            self.car.hull.color = CAR[self.context["car"]]  # a new one, not drawn yet
        total, over, info = 0.0, False, {}
        self._draws = False
        for _ in range(1 if action is None else self._skip):
            _, reward, over, _, info = super().step(action)
            total += float(reward)
            self._frames += action is not None
            if over:
                break
        self._draws = True
        cut_off = self._frames >= _FRAMES and not over
        return self._look(), total, over, cut_off, {**info, "context": dict(self.context)}

    def _look(self) -> Images:
        self.state = self._render("state_pixels")
        small = Image.fromarray(self.state[:_ROWS]).resize((SIZE, SIZE), Image.Resampling.BOX)
        return np.asarray(small, np.uint8)

    def _render(self, mode: str) -> Any:
        # Drawing is nine tenths of a frame's cost; frames that nobody sees are not drawn.
        return super()._render(mode) if self._draws or mode != "state_pixels" else None

    def _draw_colored_polygon(
        self, surface: Any, poly: Any, color: Any, zoom: float, translation: Any, angle: float, clip: bool = True
    ) -> None:
        # What is far away is dropped before its corners are turned and moved into the window, not after: of a thousand
        # polygons some twenty are near.
        if clip and self.car is not None:
            x, y = self.car.hull.position
            if math.hypot(poly[0][0] - x, poly[0][1] - y) * zoom > _SIGHT:
                return
        super()._draw_colored_polygon(  # type: ignore[no-untyped-call]
            surface, poly, color, zoom, translation, angle, clip
        )

    def _put_anywhere(self) -> Images:
        """Put the car beside or on a random part of the track."""
        assert self.car is not None
        draw = self.np_random
        _, heading, x, y = self.track[int(draw.integers(len(self.track)))]
        aside = draw.uniform(-1.0, 1.0) * (TRACK_WIDTH + BORDER)
        turned, action = draw.uniform(-0.6, 0.6), int(draw.integers(spaces.flatdim(self.action_space)))
        position = np.array([x + aside * np.cos(heading), y + aside * np.sin(heading)])
        hull = self.car.hull
        moved, before = heading + turned - hull.angle, np.array(hull.position)
        turn = np.array([[np.cos(moved), -np.sin(moved)], [np.sin(moved), np.cos(moved)]])
        for body in (hull, *self.car.wheels):
            body.position = tuple(position + turn @ (np.array(body.position) - before))
            body.angle += moved
        self.t = 1.0  # past the second in which the camera comes down
        self._draws = False
        for _ in range(_SETTLE):
            super().step(action)
        self._draws = True
        self.reward = self.prev_reward = 0.0
        return self._look()


def _bytes(colour: Colour) -> Any:
    return np.round(np.array(colour) * 255).astype(np.int64)


assert FPS == 50  # what `_FRAMES` and four frames an action were chosen for
