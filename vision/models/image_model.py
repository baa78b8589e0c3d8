"""What the training loop can train: pixels in, a loss out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darla.common import InputError
from darla.envs.image_size import SIDE_UNIT, encoders_read, readable_sizes

Given = Mapping[str, Tensor]
"""What training knows beside the images of a batch, by name, for a model that declares that it needs it."""


class ImageModel(nn.Module, ABC):
    """A network with a loss of images. Vision models are ImageModels, and so is the denoising autoencoder.

    Args:
        image_shape: height, width and channels of the images, each side a multiple of 16 if `fixed_sides`.

    Raises:
        InputError: the sides are no such multiples.
    """

    fixed_sides = True
    """Whether height and width of the images must be multiples of 16, as networks of strided convolutions need them."""

    is_foreign = False
    """Whether the network is not darla's; then it is run as it is, in float32 and PyTorch's own memory layout."""

    skips_parameters = False
    """Whether there are steps in which some parameters have no gradient and are left as they are."""

    def __init__(self, image_shape: tuple[int, int, int] = (64, 64, 3)) -> None:
        super().__init__()
        height, width, channels = image_shape
        if min(image_shape) < 1:
            raise InputError(f"image shape {image_shape} cannot be used: height, width and channels must be at least 1")
        if self.fixed_sides and not encoders_read(image_shape):
            closest, roomy = readable_sizes(image_shape)
            raise InputError(
                f"image shape {image_shape} cannot be used: height and width must be multiples of {SIDE_UNIT}; resize "
                f'images to {closest}, or pad them to {roomy} ("resize" and "fit" of a task; --resize and --fit for '
                "images of your own)"
            )
        self.image_shape = (height, width, channels)

    @abstractmethod
    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return `"loss"`, the scalar to minimize, and its named terms, each a float32 scalar.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            generator: where every random number of the loss comes from; on the images' device.
            supervision: what the model has declared to need beside images (`Supervision` says how it is arranged); None
                for a model that needs nothing else.
        """

    def on_step(self, step: int, steps: int) -> None:
        """Prepare for a training step; for objectives with a schedule.

        Args:
            step: steps that are done, from 0. Whatever depends on it alone needs no place in a checkpoint.
            steps: steps of the whole training.
        """

    def set_dataset_size(self, count: int) -> None:
        """Receive the number of training images, before training; for objectives estimated over all of them."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the trained parameters in groups, as PyTorch's optimizers take them.

        A group may set AdamW's `betas` and `weight_decay`, and `lr_scale`, a factor on the scheduled learning rate.
        """
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    @property
    def device(self) -> torch.device:
        """The device of the model's parameters."""
        return next(self.parameters()).device

    def check_images(self, images: np.ndarray[Any, Any] | Tensor) -> None:
        """Check stored images before any of them is read.

        Raises:
            InputError: as `to_input`.
        """
        if isinstance(images, Tensor) and (images.is_meta or images.is_nested or images.layout != torch.strided):
            raise InputError("images must be one dense array, not a tensor that is nested, sparse or without values")
        if str(images.dtype).removeprefix("torch.") != "uint8":
            raise InputError(f"images must be uint8, not {str(images.dtype).removeprefix('torch.')}")
        if images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape:
            raise InputError(f"images must have the shape (N, {', '.join(map(str, self.image_shape))}), "
                             f"not {tuple(images.shape)}")  # fmt: skip

    def to_input(self, images: np.ndarray[Any, Any] | Tensor) -> Tensor:
        """Convert stored images to what the model reads.

        Args:
            images: uint8 (N, H, W, C), a numpy array or a tensor.

        Returns:
            float32 (N, C, H, W) in [0, 1] on the model's device, in channels-last memory format (a view: no pixel is
            copied to another place).

        Raises:
            InputError: another dtype or another shape than the model was made for.
        """
        self.check_images(images)
        if isinstance(images, np.ndarray):
            images = torch.from_numpy(np.require(images, requirements=["C", "W"]))
        return images.to(self.device).permute(0, 3, 1, 2).float().mul_(1 / 255)
