"""What every model of the toolkit's vision is: pixels in, a posterior over latents out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darla.common import InputError

REACH = 2.5
"""How far a traversal moves a latent, in standard deviations of the prior."""


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian q(z|x) for each of N images, in float32."""

    mean: Tensor
    """(N, D)."""
    log_variance: Tensor
    """(N, D), natural logarithm of the variance."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw one z per image, (N, D), differentiable in mean and log-variance."""
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean + noise * (0.5 * self.log_variance).exp()

    def kl_per_latent(self) -> Tensor:
        """Return KL(q(z_j|x) || N(0, 1)) in nats, (N, D)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - self.log_variance - 1)

    def kl(self) -> Tensor:
        """Return KL(q(z|x) || N(0, I)) in nats: the sum over latents, the mean over images."""
        return self.kl_per_latent().sum(dim=1).mean()


class ImageModel(nn.Module, ABC):
    """Anything that the training loop can train on images alone.

    Args:
        image_shape: height, width and channels of the images, each side a multiple of 16.
    """

    def __init__(self, image_shape: tuple[int, int, int] = (64, 64, 3)) -> None:
        super().__init__()
        height, width, channels = image_shape
        if height % 16 or width % 16 or min(image_shape) < 1:
            raise InputError(f"image shape {image_shape} cannot be used: height and width must be multiples of 16")
        self.image_shape = (height, width, channels)

    @abstractmethod
    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Return `"loss"`, the scalar to minimise, and its named terms, each a float32 scalar.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            generator: where every random number of the loss comes from; on the images' device.
        """

    def set_progress(self, share: float) -> None:
        """Be told, before each step of training, the share of it that is done, from 0 to 1.

        For what an objective raises or lowers on the way. A function of this number alone has nothing to restore.
        """

    def set_images(self, count: int) -> None:
        """Be told, before training, how many images there are to train on; for objectives over all of them."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is trained, in groups as PyTorch's optimisers take them.

        A group may set AdamW's `betas` and `weight_decay`, and `rate`, its learning rate in units of the schedule's.
        """
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    @property
    def device(self) -> torch.device:
        """The device of the model's parameters."""
        return next(self.parameters()).device

    def to_input(self, images: np.ndarray[Any, Any] | Tensor) -> Tensor:
        """Turn stored images into what the model reads.

        Args:
            images: uint8 (N, H, W, C), a numpy array or a tensor.

        Returns:
            float32 (N, C, H, W) in [0, 1] on the model's device, laid out channels last: no pixel is moved.

        Raises:
            InputError: another dtype or another shape than the model was made for.
        """
        if isinstance(images, np.ndarray):
            if images.dtype != np.uint8:
                raise InputError(f"images must be uint8, not {images.dtype}")
            images = torch.from_numpy(np.require(images, requirements=["C", "W"]))
        if images.dtype != torch.uint8:
            raise InputError(f"images must be uint8, not {str(images.dtype).removeprefix('torch.')}")
        if images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape:
            raise InputError(f"images must have the shape (N, {', '.join(map(str, self.image_shape))}), "
                             f"not {tuple(images.shape)}")  # fmt: skip
        return images.to(self.device).permute(0, 3, 1, 2).float().mul_(1 / 255)


class VisionModel(ImageModel):
    """A model that maps an image to a posterior over D latents, and latents back to an image.

    The buffers `codes_mean` and `codes_std`, (D,), hold the fixed affine normaliser of the codes over D_U.
    They are part of the model, so that every policy that stands on it sees the same normalised codes for
    ever.
    """

    codes_mean: Tensor
    codes_std: Tensor
    has_prior = True
    """Whether training ties the scale of the codes to that of a prior; else they have whatever scale they came to."""

    def __init__(self, latent_dim: int, image_shape: tuple[int, int, int] = (64, 64, 3)) -> None:
        super().__init__(image_shape)
        if latent_dim < 1:
            raise InputError(f"latent_dim must be at least 1, not {latent_dim}")
        self.latent_dim = latent_dim
        self.register_buffer("codes_mean", torch.zeros(latent_dim))
        self.register_buffer("codes_std", torch.ones(latent_dim))

    @abstractmethod
    def encode(self, images: Tensor) -> Posterior:
        """Return q(z|x) for images, float32 (N, C, H, W) in [0, 1]."""

    @abstractmethod
    def decode(self, latents: Tensor) -> Tensor:
        """Return the mean images of p(x|z), float32 (N, C, H, W) in [0, 1], for latents (N, D)."""

    def display(self, images: Tensor) -> Tensor:
        """Return decoded images as a person should see them, (N, C, H, W) in [0, 1]; here, as they are."""
        return images

    def reach(self) -> Tensor:
        """Return between which values a traversal moves each latent, (2, D); here, across most of the prior."""
        return torch.tensor([[-REACH], [REACH]]).expand(2, self.latent_dim)

    def normalise(self, codes: Tensor) -> Tensor:
        """Apply the fixed affine normaliser to codes, (N, D)."""
        return (codes - self.codes_mean) / self.codes_std
