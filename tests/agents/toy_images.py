"""Small image environments and a small encoder, so that agents can be tested without a 3D world.

Named apart from everything else, since worker processes import it by this name.
"""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from darla.vision.base import Posterior, VisionModel

ENV_ID = "toy_images:darla-test/Columns-v0"
"""The id with the module to import first, which is how a fresh worker process finds it."""


class Columns(gymnasium.Env[np.ndarray, int]):
    """A bright column stands left, in the middle or right; the action that names it earns 1.

    Args:
        size: side of the image in pixels.
        columns: how many places there are, and actions.
        length: steps of an episode.
        ends: `truncated` at the time limit, or `terminated`.
        reward: earned for a right answer.
        channels_first: show (3, size, size), which is refused.
        continuous: take a vector as action, which is refused.
    """

    metadata = {"render_modes": []}

    def __init__(
        self,
        size: int = 64,
        columns: int = 3,
        length: int = 12,
        ends: str = "truncated",
        reward: float = 1.0,
        channels_first: bool = False,
        continuous: bool = False,
    ) -> None:
        self.size, self.columns, self.length, self.ends, self.worth = size, columns, length, ends, reward
        shape = (3, size, size) if channels_first else (size, size, 3)
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32) if continuous else spaces.Discrete(columns)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return self._draw(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward = self.worth if int(action) == self.column else 0.0
        self.t += 1
        over = self.t >= self.length
        image = self._draw()
        return image, reward, over and self.ends == "terminated", over and self.ends == "truncated", {"t": self.t}

    def _draw(self) -> np.ndarray:
        self.column = int(self.np_random.integers(self.columns))
        image = self.np_random.integers(0, 60, self.observation_space.shape, dtype=np.uint8)
        width = self.size // self.columns
        image[:, self.column * width : (self.column + 1) * width] += 150
        return image


class Pooling(VisionModel):
    """An encoder that was never trained, but is a real one: a convolution, normalised by its batch, and a line."""

    def __init__(self, size: int = 64, latent_dim: int = 6) -> None:
        super().__init__(latent_dim, (size, size, 3))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.convolution = nn.Conv2d(3, 8, size // 4, stride=size // 4)
            self.normalisation = nn.BatchNorm2d(8)
            self.line = nn.Linear(8 * 16, 2 * latent_dim)
        self.codes_std.fill_(0.2)

    def encode(self, images: Tensor) -> Posterior:
        features = torch.relu(self.normalisation(self.convolution(images)))
        mean, log_variance = self.line(features.flatten(1)).float().chunk(2, dim=1)
        return Posterior(mean, log_variance)

    def decode(self, latents: Tensor) -> Tensor:
        raise NotImplementedError

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        raise NotImplementedError


gymnasium.register("darla-test/Columns-v0", entry_point=Columns, disable_env_checker=True)
