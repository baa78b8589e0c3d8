"""Squares on a grid, each moved by four actions of its own; drawn with NumPy alone.

After the toy world of Bengio et al. 2017, Independently Controllable Features, arXiv 1703.07718: a square of 2 x 2
cells that moves by one cell on a grid of 12 x 12. Images of neighboring positions overlap; without that, an autoencoder
with few latents does not learn the positions.
"""

import colorsys
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from darla.common import InputError
from darla.envs.env_arguments import check_render_mode, check_steps
from darla.envs.worlds.grid_world import GRID_WORLD, TWO_SQUARES

Image = npt.NDArray[np.uint8]

CELLS, SIDE = 16, 4
"""Cells on a side of the grid, and on a side of a square."""
POSITIONS = CELLS - SIDE + 1
"""Columns, and rows, that the upper left corner of a square can be in."""
MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""What each action adds to a square's x and y: right, left, down, up."""
_GOAL = POSITIONS // 2
"""Column and row that the only square has to reach: the middle."""


class GridWorld(gymnasium.Env[Image, np.int64]):
    """One or two squares of 4 x 4 cells on a grid of 16 x 16; a square does not move across the edge.

    Observations are uint8 (resolution, resolution, 3). Action `4 i + m` moves square i by `MOVES[m]`. Squares start
    anywhere and may overlap; where they do, the image has the mean of their colors. One square has to reach the middle,
    two squares the same position: +1, and the episode ends.

    `info` has the `context` (the factors of `darla.envs.worlds.grid_world`) and the `state`: `x` (cells from the left
    edge) and `y` (cells from the upper edge) of the first square, 0 to 12, `other_x` and `other_y` of the second, and
    all of them as a float32 `vector` in [-1, 1]. The same seed gives the same state in all contexts.

    Args:
        context: values of factors until a `reset` gives others; the others keep their defaults.
        squares: 1 or 2.
        resolution: side of the observation in pixels, a multiple of 16.
        steps: length of an episode in steps.
        render_mode: `"rgb_array"` for `render()` to return the observation.

    Raises:
        InputError: an argument is not one of these.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012  (Gymnasium's own form)

    def __init__(
        self,
        context: Mapping[str, object] | None = None,
        *,
        squares: int = 1,
        resolution: int = 16,
        steps: int = 50,
        render_mode: str | None = None,
    ) -> None:
        if squares not in (1, 2):
            raise InputError(f"squares is {squares!r}, but must be 1 or 2")
        if resolution < 16 or resolution % 16:
            raise InputError(f"resolution is {resolution!r}, but must be a multiple of 16 pixels")
        check_steps(steps)
        check_render_mode(render_mode)
        self.space = (GRID_WORLD if squares == 1 else TWO_SQUARES).space
        self.context = self._default_context = self.space.context(context)
        self.max_episode_steps, self.render_mode = steps, render_mode
        self.observation_space = spaces.Box(0, 255, (resolution, resolution, 3), np.uint8)
        self.action_space = spaces.Discrete(len(MOVES) * squares)
        self._pixels = resolution // CELLS
        self.positions = np.zeros((squares, 2), np.int64)  # column and row of each square
        self.step_count = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Image, dict[str, Any]]:
        """Put every square somewhere, each position equally likely.

        Args:
            seed: of the positions.
            options: `{"context": {...}}` plays that context instead of the constructor's.

        Raises:
            InputError: an unknown factor or value.
        """
        super().reset(seed=seed)
        given = (options or {}).get("context")
        self.context = self._default_context if given is None else self.space.context(given)
        self.step_count = 0
        self.positions = self.np_random.integers(POSITIONS, size=self.positions.shape)
        return self.draw(), self._info()

    def step(self, action: Any) -> tuple[Image, float, bool, bool, dict[str, Any]]:
        """Move one square by one cell, unless the edge is in its way."""
        square, move = divmod(int(action), len(MOVES))
        self.positions[square] = (self.positions[square] + MOVES[move]).clip(0, POSITIONS - 1)
        self.step_count += 1
        goal = self.positions[1] if len(self.positions) > 1 else _GOAL
        arrived = bool((self.positions[0] == goal).all())
        truncated = not arrived and self.step_count >= self.max_episode_steps
        info = self._info()
        if arrived or truncated:
            info["is_success"] = arrived
        return self.draw(), float(arrived), arrived, truncated, info

    def draw(self) -> Image:
        """Return an image of the current state, uint8 (resolution, resolution, 3)."""
        cells = np.full((CELLS, CELLS, 3), self.context.number("ground"))
        count = np.zeros((CELLS, CELLS, 1))
        colors = np.zeros((CELLS, CELLS, 3))
        for (x, y), name in zip(self.positions, ("hue", "other_hue"), strict=False):
            place = slice(y, y + SIDE), slice(x, x + SIDE)
            colors[place] += colorsys.hsv_to_rgb(self.context.number(name), 1.0, 1.0)
            count[place] += 1
        cells = np.where(count > 0, colors / count.clip(1), cells)
        image: Image = np.round(255 * cells).astype(np.uint8).repeat(self._pixels, 0).repeat(self._pixels, 1)
        return image

    def render(self) -> Image | None:
        """Return the observation, or None without a render mode."""
        return self.draw() if self.render_mode == "rgb_array" else None

    def _info(self) -> dict[str, Any]:
        names = ("x", "y", "other_x", "other_y")[: self.positions.size]
        state: dict[str, Any] = dict(zip(names, self.positions.astype(float).ravel().tolist(), strict=True))
        state["vector"] = (2 * self.positions.ravel() / (POSITIONS - 1) - 1).astype(np.float32)
        return {"context": self.context.to_dict(), "state": state}
