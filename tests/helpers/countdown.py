"""A small image environment whose episodes differ in length and outcome; worker processes import it."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

ENV_ID = "countdown:darla-test/Countdown-v0"
"""The id with the module to import first, which is how a fresh worker process finds it."""


class Countdown(gymnasium.Env[Any, int]):
    """An episode lasts 3 to 12 steps, as its seed decides; the action that the image shows is worth 1."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    seeds: ClassVar[list[int | None]] = []
    """What the environments of this process were reset with, in order."""

    def __init__(
        self,
        size: int = 8,
        actions: int = 3,
        ends: str = "terminated",
        says: str | None = "success",
        level: int = 40,
    ) -> None:
        self.ends, self.says, self.level, self.render_mode = ends, says, level, None
        self.observation_space = spaces.Box(0, 255, (size, size, 3), np.uint8)
        self.action_space = spaces.Discrete(actions)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Draw the length of the episode."""
        super().reset(seed=seed)
        Countdown.seeds.append(seed)
        self.left = int(self.np_random.integers(3, 13))
        self.right = 0
        return self._image(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Reward the action that the last image showed."""
        reward = 1.0 if int(action) == self.shown else -1.0
        self.right += reward > 0
        self.left -= 1
        over = self.left == 0 and self.ends != "never"
        info = {self.says: self.right >= 3} if over and self.says else {}
        return (
            self._image(),
            reward,
            over and self.ends == "terminated",
            over and self.ends == "truncated",
            info,
        )

    def _image(self) -> Any:
        self.shown = int(self.np_random.integers(self.action_space.n))
        image = np.full(self.observation_space.shape, self.level, np.uint8)
        image[0, 0, 0] = self.shown
        return image


class Reader:
    """An agent that does what the image shows, or draws an action, and keeps an eye on how it is called."""

    n_actions = 3

    def __init__(self, skill: float = 1.0) -> None:
        self.skill = skill
        self.calls: list[tuple[int, bool]] = []
        self.resets: list[int] = []

    def reset(self, n: int) -> None:
        """Note how many environments there are."""
        self.resets.append(n)

    def restart(self, indices: list[int]) -> None:
        """Remember nothing."""

    def act(self, observations: Any, deterministic: bool, rng: np.random.Generator, infos: Any = None) -> Any:
        """Read the action off the image where a draw allows it."""
        self.calls.append((len(observations), deterministic))
        guess = rng.integers(self.n_actions, size=len(observations))
        able = rng.random(len(observations)) < self.skill
        return np.where(able, observations[:, 0, 0, 0], guess).astype(np.int64)


if "darla-test/Countdown-v0" not in gymnasium.registry:
    gymnasium.register("darla-test/Countdown-v0", Countdown, disable_env_checker=True)
