"""An environment whose first image says what to do at the end; what comes between shows nothing."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

ENV_ID = "toy_cue:darla-test/Cue-v0"
LENGTH = 4


class Cue(gymnasium.Env[np.ndarray, int]):
    """The left or the right half is bright in the first image. The last action must name it; half of all guesses do."""

    metadata = {"render_modes": []}  # noqa: RUF012
    observation_space = spaces.Box(0, 255, (16, 16, 3), np.uint8)
    action_space = spaces.Discrete(2)
    render_mode = None

    def __init__(self, brightness: int = 255) -> None:
        self.brightness = brightness

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.side = 0, int(self.np_random.integers(2))
        image = np.zeros((16, 16, 3), np.uint8)
        image[:, 8 * self.side : 8 * self.side + 8] = self.brightness
        return image, {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.t += 1
        over = self.t >= LENGTH
        return np.zeros((16, 16, 3), np.uint8), float(over and int(action) == self.side), over, False, {}


gymnasium.register("darla-test/Cue-v0", entry_point=Cue, disable_env_checker=True)
