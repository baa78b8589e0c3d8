"""Random augmentations of images while a policy on pixels trains, the usual baseline for transfer.

RAD (Laskin et al. 2020, https://arxiv.org/abs/2004.14990) trains on augmented observations and changes nothing else.
With PPO it matters where. Augmenting only in the update would use the ratio pi(a | f(s)) / pi_old(a | s) of an action,
which is not 1 even before the first gradient step (Raileanu et al. 2021, https://arxiv.org/abs/2006.12862). So here, as
in the PPO of RAD's authors, an observation is augmented once, on arrival: the policy acts on it, the buffer stores it,
and every update reads the same image. The ratio is exact, and the wrapper serves every algorithm.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn
from torch import Tensor
from torch.nn import functional

from darla.common import InputError, seed_for, unknown_name
from darla.vision.models.hue_jitter import random_hue_warp

Images = np.ndarray[Any, np.dtype[np.uint8]]
Augmentation = Callable[[Tensor, torch.Generator], Tensor]

_MAX_SHIFT = 4
"""Pixels by which `shift` moves an image at most (Kostrikov et al. 2021)."""
_P_UNCHANGED = 0.1
"""Probability that `hue` or `convolution` leaves an image unchanged (Lee et al. 2020)."""
_KERNEL = 3


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to 4 pixels along both axes; new pixels repeat the edge.

    DrQ: Kostrikov et al. 2021, https://arxiv.org/abs/2004.13649.

    Args:
        images: (N, C, H, W).
        generator: source of the shifts; all channels of an image, and so all frames of a stack, move alike.

    Returns:
        The shifted images, (N, C, H, W).
    """
    (count, channels, height, width), device = images.shape, images.device
    padded = functional.pad(images, (_MAX_SHIFT,) * 4, mode="replicate")
    down, across = torch.randint(2 * _MAX_SHIFT + 1, (2, count, 1), generator=generator, device=device)
    rows, columns = down + torch.arange(height, device=device), across + torch.arange(width, device=device)
    numbers, planes = torch.arange(count, device=device), torch.arange(channels, device=device)
    return padded[numbers[:, None, None, None], planes[None, :, None, None],
                  rows[:, None, :, None], columns[:, None, None, :]]  # fmt: skip


def hue(images: Tensor, generator: torch.Generator) -> Tensor:
    """Change the hues of each image by a random function of hue (`random_hue_warp`); a tenth of the images stay.

    Stronger than the hue part of color jitter, which rotates all hues by the same angle: each hue is mapped by a random
    function.

    Args:
        images: (N, 3 k, H, W) in [0, 1], k frames of a stack; one function for all of them.
        generator: source of the functions.

    Returns:
        The recolored images, (N, 3 k, H, W).
    """
    count, channels, height, width = images.shape
    frames = channels // 3
    tall = images.reshape(count, frames, 3, height, width).transpose(1, 2).reshape(count, 3, frames * height, width)
    changed = random_hue_warp(tall, 1.0 - _P_UNCHANGED, generator)
    return changed.reshape(count, 3, frames, height, width).transpose(1, 2).reshape(images.shape)


def convolution(images: Tensor, generator: torch.Generator) -> Tensor:
    """Filter each image with its own random 3 x 3 convolution; a tenth of the images stay.

    Network randomization: Lee et al. 2020, https://arxiv.org/abs/1910.05396. As in RAD, the result goes through a
    sigmoid, back into the range of an image.

    Args:
        images: (N, 3 k, H, W) in [0, 1], k frames of a stack; one filter for all of them.
        generator: source of the weights, Glorot-normal.

    Returns:
        The filtered images, (N, 3 k, H, W).
    """
    count, channels, height, width = images.shape
    frames = channels // 3
    spread = (2.0 / (2 * 3 * _KERNEL**2)) ** 0.5
    weights = spread * torch.randn((count, 1, 3, 3, _KERNEL, _KERNEL), generator=generator, device=images.device)
    unchanged = torch.rand((count, 1, 1, 1), generator=generator, device=images.device) < _P_UNCHANGED
    kernels = weights.expand(-1, frames, -1, -1, -1, -1).reshape(-1, 3, _KERNEL, _KERNEL)
    padded = functional.pad(images, (_KERNEL // 2,) * 4, mode="replicate")
    flat = padded.reshape(1, count * channels, *padded.shape[2:])
    filtered = functional.conv2d(flat, kernels, groups=count * frames).reshape(count, channels, height, width)
    return torch.where(unchanged, images, filtered.sigmoid())


BY_NAME: Mapping[str, Augmentation] = MappingProxyType({"shift": shift, "hue": hue, "convolution": convolution})
"""Every augmentation that `ActConfig.augment` may name."""


class AugmentedVecEnv(VecEnvWrapper):
    """Augment the images of environments, in one batched call per vectorized step.

    The last images of finished episodes (`terminal_observation`), whose values algorithms bootstrap from, are augmented
    in the same batch. `seed` seeds the augmentations along with the environments.

    Args:
        venv: environments of uint8 images (H, W, C), C = 3 for each frame of a stack.
        names: augmentations in the order in which they are applied.

    Raises:
        InputError: there is no such augmentation, or it needs images of three channels.
    """

    def __init__(self, venv: VecEnv, names: Sequence[str]) -> None:
        super().__init__(venv)
        channels = (venv.observation_space.shape or (0,))[-1]
        for name in names:
            if name not in BY_NAME:
                raise unknown_name("augmentation", name, BY_NAME)
            if name != "shift" and channels % 3:
                raise InputError(f"augmentation {name!r} is for images of 3 channels, not of {channels}")
        self._chain = tuple(BY_NAME[name] for name in names)
        self._generator = torch.Generator()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the seeds of the next reset, and of the augmentations."""
        if seed is not None:
            self._generator.manual_seed(seed_for(seed, "augmentation"))
        return self.venv.seed(seed)

    def reset(self) -> Images:
        """Reset every environment.

        Returns:
            Augmented images, uint8 (n_envs, H, W, C).
        """
        images = self.venv.reset()
        assert isinstance(images, np.ndarray)
        return self.augment(images)

    def step_wait(self) -> VecEnvStepReturn:
        """Wait for the step, and augment the new images and the last images of finished episodes.

        Returns:
            Augmented images (n_envs, H, W, C), rewards, dones, infos.
        """
        images, rewards, dones, infos = self.venv.step_wait()
        assert isinstance(images, np.ndarray)
        ended = [index for index, info in enumerate(infos) if "terminal_observation" in info]
        if ended:
            images = np.concatenate([images, [infos[index]["terminal_observation"] for index in ended]])
        changed = self.augment(images)
        for index, last in zip(ended, changed[self.num_envs :], strict=True):
            infos[index]["terminal_observation"] = last
        return changed[: self.num_envs], rewards, dones, infos

    @torch.inference_mode()
    def augment(self, images: Images) -> Images:
        """Return the images with every augmentation applied, uint8 (N, H, W, C) to uint8 (N, H, W, C)."""
        changed = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div_(255.0)
        for augmentation in self._chain:
            changed = augmentation(changed, self._generator)
        rounded = changed.mul(255.0).round_().clamp_(0.0, 255.0).to(torch.uint8).permute(0, 2, 3, 1)
        return rounded.contiguous().numpy()
