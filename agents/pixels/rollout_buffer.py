"""A rollout buffer of images that stay bytes, in the order in which environments show them."""

from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples

Array = np.ndarray[Any, Any]


class ImageRolloutBuffer(RolloutBuffer):
    """SB3's `RolloutBuffer` for channel-first images (C, H, W): the same samples in the same order.

    SB3's turns every image from (H, W, C) when it is stored, allocates memory for each rollout, copies all of it before
    the first minibatch, and the images of a minibatch twice. This one is SB3's buffer of the numbers of images, and
    the images are beside it as (H, W, C); those of a minibatch are copied once and read as (C, H, W) of that memory.

    Args:
        buffer_size: steps of each environment.
        observation_space: channel-first images, uint8.
        action_space: of the actions.
        device: of the samples, where the images are kept, too.
        gae_lambda: lambda of generalized advantage estimation.
        gamma: discount.
        n_envs: environments.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Box,
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        gae_lambda: float = 1.0,
        gamma: float = 0.99,
        n_envs: int = 1,
    ) -> None:
        size = buffer_size * n_envs
        numbers = spaces.Box(0, size, (1,), np.int64)
        super().__init__(buffer_size, numbers, action_space, device, gae_lambda, gamma, n_envs)
        channels, height, width = observation_space.shape
        self._image_shape = height, width, channels
        self._images = torch.zeros((size, height * width * channels), dtype=torch.uint8, device=self.device)

    def add(self, obs: Array, action: Array, reward: Array, episode_start: Array, value: Any, log_prob: Any) -> None:
        """Add a step of all environments; images (n_envs, C, H, W), for the rest see SB3's `RolloutBuffer`."""
        start = self.pos * self.n_envs
        numbers = np.arange(start, start + self.n_envs)
        images = np.ascontiguousarray(obs.transpose(0, 2, 3, 1)).reshape(self.n_envs, -1)
        self._images[start : start + self.n_envs].copy_(torch.from_numpy(images))
        super().add(numbers[:, None], action, reward, episode_start, value, log_prob)

    def _get_samples(self, batch_inds: Array, env: Any = None) -> RolloutBufferSamples:
        samples = super()._get_samples(batch_inds, env)
        images = self._images.index_select(0, samples.observations.flatten()).view(-1, *self._image_shape)
        return samples._replace(observations=images.permute(0, 3, 1, 2))
