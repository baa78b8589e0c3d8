"""CarRacing in other colors: Gymnasium's tracks and physics, with colors as factors.

The named colors are those of LUSR's benchmark of visual transfer (Xing et al. 2021, https://arxiv.org/abs/2102.05714).
The bars at the edge of the image, the square beside the car and the other shape of car that some of its looks add are
left out. As there, an action lasts four frames, the instruments are cut off and images have 64 x 64 pixels. Actions are
Gymnasium's five discrete ones; LUSR's are continuous.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import DependencyNotInstalled
from PIL import Image

from darla.common import InputError, unknown_name
from darla.envs.car_racing.colors import palette
from darla.envs.domains.factor_space import Context
from darla.envs.worlds.car_racing import CAR_RACING

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

Images = np.ndarray[Any, np.dtype[np.uint8]]

SIZE = 64
"""Pixels on a side."""
_ROWS = 84
"""Of the 96 rows of CarRacing's own image, those above its instruments."""
_FRAMES = 1_000
"""Frames after which an episode is cut off, as Gymnasium does."""
_SIGHT = math.hypot(WINDOW_W / 2 + MAX_SHAPE_DIM, WINDOW_H * 3 / 4 + MAX_SHAPE_DIM) + MAX_SHAPE_DIM
"""Pixels of CarRacing's window from the car beyond which nothing is visible, nor any polygon that begins there."""
_SETTLE = 8
"""Frames of one random action after the car was moved, so that its wheels turn and skid as they would."""
_AHEAD = (5, 10, 20)
"""Tiles of the road ahead of the car at which its direction is given; an episode's track has about 300."""
_FAST = 100.0
"""Track units a second; the state vector gives the speed as a share of it."""


class RecoloredCarRacing(CarRacing):
    """Gymnasium's CarRacing with colors as factors, small images and actions that last several frames.

    Each `info` has the `context` (the factors of `darla.envs.worlds.car_racing`) and the `state`: `offset` of the car
    from the middle of the road in half road widths (positive to the right), `heading` in radians relative to the road
    (positive to the left), `speed` in track units a second, `curve`: radians by which the road turns over the next ten
    tiles (positive to the left), and all of these as the float32 (7,) `vector`. Colors take no part in any random
    draw, so that the same seed and actions give the same tracks, rewards and positions in all contexts.

    Args:
        context: values of factors until a `reset` gives others; the others keep their defaults, CarRacing's own colors.
        frame_skip: frames that an action lasts; 4 in LUSR. Rewards of these frames are added up.
        render_mode: as Gymnasium has it.

    Raises:
        InputError: an unknown factor or value, or a number of frames that is not positive.
    """

    starts_anywhere = True
    """Whether `reset` takes the option `{"start": "anywhere"}`."""

    def __init__(
        self, context: Mapping[str, object] | None = None, frame_skip: int = 4, render_mode: str | None = None
    ) -> None:
        if frame_skip < 1:
            raise InputError(f"frame_skip is {frame_skip}, but must be at least 1")
        self._default_context = CAR_RACING.space.context(context)
        self._skip, self._draws, self._frames = frame_skip, True, 0
        self._road: tuple[Any, ...] = ()  # directions, x and y of the tiles of the track
        self._play(self._default_context)
        super().__init__(render_mode=render_mode, continuous=False)
        self.observation_space = spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)

    def _play(self, context: Context) -> None:
        self.context, self._palette = context, palette(context)

    def _init_colors(self) -> None:
        self.road_color, self.bg_color, self.grass_color = (
            self._palette.road,
            self._palette.ground,
            self._palette.patches,
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Images, dict[str, Any]]:
        """Draw a track and put the car on it.

        Args:
            seed: of the track, and of all that is drawn after it.
            options: `{"start": "line"}`, which is also the default, puts the car at rest on the starting line.
                `{"start": "anywhere"}` puts it on or beside any part of the track, in any direction near that of the
                road, for frames of an encoder. `{"context": {...}}` plays that context instead of the constructor's.

        Returns:
            uint8 (64, 64, 3), and an info with context and state.

        Raises:
            InputError: an unknown start, factor or value.
        """
        start = (options or {}).get("start", "line")
        if start not in ("line", "anywhere"):
            raise unknown_name("start", str(start), ("line", "anywhere"))
        given = (options or {}).get("context")
        self._play(self._default_context if given is None else CAR_RACING.space.context(given))
        self._init_colors()
        self._frames = 0
        # Gymnasium draws the first image by a step without an action.
        image, _ = super().reset(seed=seed, options=options)
        if start == "anywhere":
            image = self._put_anywhere()
        return image, self._info()

    def step(self, action: Any) -> tuple[Images, float, bool, bool, dict[str, Any]]:
        """Hold an action for several frames, of which the last is drawn.

        Returns:
            uint8 (64, 64, 3), sum of the rewards, whether the lap is done or the car is out of the field, whether the
            time is over, and an info with context and state.
        """
        if action is None and self.car is not None:  # the step within `reset`: track and car are new, not drawn yet
            self.car.hull.color = self._palette.car
            _, directions, x, y = zip(*self.track, strict=True)
            self._road = directions, np.array(x), np.array(y)
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
        return self._image(), total, over, cut_off, {**info, **self._info()}

    def _info(self) -> dict[str, Any]:
        return {"context": self.context.to_dict(), "state": self._state()}

    def _state(self) -> dict[str, Any]:
        """Return where the car is on the road; see the class."""
        if self.car is None:
            return {}
        hull = self.car.hull
        (x, y), (speed_x, speed_y), angle = hull.position, hull.linearVelocity, hull.angle
        directions, road_x, road_y = self._road
        tile = int(((road_x - x) ** 2 + (road_y - y) ** 2).argmin())
        direction = directions[tile]
        # (cos, sin) of a tile's direction points to the right of the road.
        offset = ((x - road_x[tile]) * math.cos(direction) + (y - road_y[tile]) * math.sin(direction)) / TRACK_WIDTH
        heading, speed = _wrapped(angle - direction), math.hypot(speed_x, speed_y)
        turns = [_wrapped(directions[(tile + ahead) % len(directions)] - direction) for ahead in _AHEAD]
        vector = [offset, math.sin(heading), math.cos(heading), speed / _FAST, *turns]
        return {
            "offset": float(offset),
            "heading": heading,
            "speed": speed,
            "curve": turns[1],
            "vector": np.array(vector, np.float32),
        }

    def _image(self) -> Images:
        self.state = self._render("state_pixels")
        small = Image.fromarray(self.state[:_ROWS]).resize((SIZE, SIZE), Image.Resampling.BOX)
        return np.asarray(small, np.uint8)

    def _render(self, mode: str) -> Any:
        # Drawing is nine tenths of a frame's cost; frames that are not returned are not drawn.
        return super()._render(mode) if self._draws or mode != "state_pixels" else None

    def _draw_colored_polygon(
        self, surface: Any, poly: Any, color: Any, zoom: float, translation: Any, angle: float, clip: bool = True
    ) -> None:
        # Gymnasium transforms the corners of all polygons, about a thousand, and then drops those outside the window.
        # Dropping them first leaves about twenty to transform.
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
        return self._image()


def _wrapped(angle: float) -> float:
    """Return an angle in [-pi, pi)."""
    return float((angle + math.pi) % (2 * math.pi) - math.pi)


assert FPS == 50  # `_FRAMES` and four frames an action were chosen for it
