"""A small image environment, so that agents can be tested without a 3D world.

It imports little, since every worker process imports it.
"""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

ENV_ID = "toy_images:darla-test/Columns-v0"
"""The id with the module to import first, which is how a fresh worker process finds it."""
SIZE = 48


class Columns(gymnasium.Env[np.ndarray, int]):
    """A bright column stands left, in the middle or right; the action that names it earns a reward."""

    metadata = {"render_modes": []}  # noqa: RUF012
    steps_left: ClassVar[float] = float("inf")
    """Steps, over all environments of this process, after which somebody presses Ctrl-C."""

    def __init__(
        self,
        size: int = SIZE,
        columns: int = 3,
        length: int = 12,
        ends: str = "truncated",
        reward: float | str = 1.0,
        channels_first: bool = False,
        continuous: bool = False,
        bound: float = 1.0,
        crashes: bool = False,
    ) -> None:
        self.size, self.columns, self.length = size, columns, length
        self.ends, self.worth, self.crashes = ends, float(reward), crashes
        self.render_mode = None
        shape = (3, size, size) if channels_first else (size, size, 3)
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Box(-bound, bound, (2,), np.float32) if continuous else spaces.Discrete(columns)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return self._draw(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        Columns.steps_left -= 1
        if Columns.steps_left < 0:
            raise KeyboardInterrupt
        if self.crashes:
            raise ZeroDivisionError("the toy broke")
        # A continuous action names a column by its first number: the left third of [-1, 1] the left one, and so on.
        named = action if np.ndim(action) == 0 else min((float(action[0]) + 1) / 2 * self.columns, self.columns - 1)
        reward = self.worth if int(named) == self.column else 0.0
        self.t += 1
        over = self.t >= self.length
        image = self._draw()
        return (
            image,
            reward,
            over and self.ends == "terminated",
            over and self.ends == "truncated",
            {"t": self.t},
        )

    def _draw(self) -> np.ndarray:
        self.column = int(self.np_random.integers(self.columns))
        image = self.np_random.integers(0, 60, self.observation_space.shape, dtype=np.uint8)
        width = self.size // self.columns
        image[:, self.column * width : (self.column + 1) * width] += 150
        return image


gymnasium.register("darla-test/Columns-v0", entry_point=Columns, disable_env_checker=True)
