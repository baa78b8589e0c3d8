"""Likelihoods p(x|z) of pixels, by name.

-log p(x|z) is **summed over the pixels and channels of an image and averaged over the batch**, in float32 and in nats,
so that beta = 1 is the evidence lower bound. Additive constants without parameters are left out.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from darla.common import InputError, unknown_name


class Likelihood(ABC):
    """A distribution of images, given the outputs of a decoder."""

    def channels(self, image_channels: int) -> int:
        """Return the number of decoder outputs per pixel for images of `image_channels`."""
        return image_channels

    def image(self, outputs: Tensor) -> Tensor:
        """Return the mean image, float32 in [0, 1], for decoder outputs (N, C', H, W)."""
        return outputs.float().sigmoid()

    @abstractmethod
    def loss(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return -log p(images | outputs), float32: summed over pixels and channels, mean over images."""


class Bernoulli(Likelihood):
    """Cross-entropy of images in [0, 1] with decoder outputs as logits."""

    def loss(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return the cross-entropy; its minimum is above 0 for pixels that are neither 0 nor 1."""
        total: Tensor = _CrossEntropy.apply(outputs, images)  # type: ignore[no-untyped-call]
        return total / len(images)


class _CrossEntropy(torch.autograd.Function):
    """Summed binary cross-entropy of logits l with targets t; its gradient is sigmoid(l) - t.

    The same values as `binary_cross_entropy_with_logits`, in fewer passes over the pixels.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        wide = logits.float()
        total = functional.softplus(wide).addcmul_(targets, wide, value=-1).sum()
        probability = wide.sigmoid() if wide is logits else wide.sigmoid_()  # in place on our own copy
        ctx.save_for_backward(probability.sub_(targets))
        ctx.dtype = logits.dtype
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return torch.mul(difference, gradient, out=torch.empty_like(difference, dtype=ctx.dtype)), None


class Gaussian(Likelihood):
    """A Gaussian of fixed standard deviation s around the sigmoid of the decoder's output: SSE / (2 s^2).

    Several open implementations use the plain sum of squared errors, s^2 = 1/2: their beta is half of that at s = 1.

    Args:
        std: s, in units of the pixel range [0, 1].
    """

    def __init__(self, std: float) -> None:
        if not std > 0:
            raise InputError(f"pixel_std must be above 0, not {std}")
        self.std = std

    def loss(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return the sum of squared errors, divided by 2 s^2 and by the batch size."""
        return functional.mse_loss(self.image(outputs), images, reduction="sum") / (2 * self.std**2 * len(images))


class GaussianPerPixel(Likelihood):
    """A Gaussian whose mean and variance the decoder outputs for each pixel and channel: six outputs for RGB.

    Those who reimplemented DARLA report that its decoder is of this kind. Without a lower bound on the standard
    deviation the density of a constant pixel would grow without limit.

    Args:
        min_std: the bound, in units of the pixel range; 1/100 is two and a half of the 255 gray levels.
    """

    def __init__(self, min_std: float = 0.01) -> None:
        self.min_variance = min_std**2

    def channels(self, image_channels: int) -> int:
        """Return two channels for each of the image's."""
        return 2 * image_channels

    def image(self, outputs: Tensor) -> Tensor:
        """Return the mean, which is the sigmoid of the first half of the channels."""
        return outputs.float().chunk(2, dim=1)[0].sigmoid()

    def loss(self, outputs: Tensor, images: Tensor) -> Tensor:
        """Return half of log variance + squared error / variance, summed over pixels, mean over images."""
        mean, raw_variance = outputs.float().chunk(2, dim=1)
        variance = self.min_variance + functional.softplus(raw_variance)
        return 0.5 * (variance.log() + (images - mean.sigmoid()).square() / variance).sum() / len(images)


LIKELIHOODS = ("bernoulli", "gaussian", "gaussian_per_pixel")


def likelihood(name: str, pixel_std: float) -> Likelihood:
    """Return a named likelihood.

    Args:
        name: `bernoulli`, `gaussian` (fixed standard deviation) or `gaussian_per_pixel` (learned).
        pixel_std: standard deviation of `gaussian`, in units of the pixel range.

    Raises:
        InputError: there is no such likelihood.
    """
    if name == "bernoulli":
        return Bernoulli()
    if name == "gaussian":
        return Gaussian(pixel_std)
    if name == "gaussian_per_pixel":
        return GaussianPerPixel()
    raise unknown_name("likelihood", name, LIKELIHOODS)
