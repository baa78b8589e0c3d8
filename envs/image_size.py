"""Images of another size: stretched, padded or cropped, the same way for stored images and for environments."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from darla.common import InputError, unknown_name
from darla.envs.domains.env_setup import FITS

Images = npt.NDArray[np.uint8]
SIDE_UNIT = 16
"""Encoders halve an image four times, so its sides are multiples of this."""


def encoders_read(size: tuple[int, ...]) -> bool:
    """Return whether encoders read images of a height and width."""
    return not any(side % SIDE_UNIT for side in size[:2])


def readable_sizes(size: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Return the height and width closest to an image's that encoders read, and the smallest that have room for it."""
    closest = [max(1, round(side / SIDE_UNIT)) * SIDE_UNIT for side in size[:2]]
    return closest, [-(-side // SIDE_UNIT) * SIDE_UNIT for side in size[:2]]


def fit_image(image: Images, size: tuple[int, int], fit: str = "stretch") -> Images:
    """Return an image with another height and width.

    A pixel of a smaller image is the mean over its area; an enlarged image repeats pixels. Channels are treated alike
    and apart, so that it does not matter what they mean.

    Args:
        image: uint8 (H, W, C).
        size: height and width to get.
        fit: `stretch` changes the proportions; `pad` shrinks an image that is too large until it fits, and adds black
            borders; `crop` shrinks it until it covers the new size, and cuts off what is over.

    Returns:
        uint8 (*size, C).

    Raises:
        InputError: an unknown `fit`, or an image that is smaller than what is to be cropped from it.
    """
    if fit not in FITS:
        raise unknown_name("value of fit:", fit, FITS)
    height, width = image.shape[:2]
    if (height, width) == tuple(size):
        return image
    if fit == "stretch":
        return _scaled(image, size)
    ratios = size[0] / height, size[1] / width
    if fit == "pad":
        shrink = min(1.0, *ratios)
        image = _scaled(image, (_side(height, shrink, size[0]), _side(width, shrink, size[1])))
        padded = np.zeros((*size, image.shape[2]), np.uint8)
        top, left = ((large - small) // 2 for large, small in zip(size, image.shape[:2], strict=True))
        padded[top : top + image.shape[0], left : left + image.shape[1]] = image
        return padded
    if max(ratios) > 1:
        raise InputError(
            f"images of {height} x {width} pixels cannot be cropped to {size[0]} x {size[1]}; "
            "use fit 'stretch' or 'pad', or a smaller size"
        )
    shrink = max(ratios)
    image = _scaled(image, (max(size[0], round(height * shrink)), max(size[1], round(width * shrink))))
    top, left = ((large - small) // 2 for large, small in zip(image.shape[:2], size, strict=True))
    return np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])


def fit_images(images: Images, size: tuple[int, int], fit: str = "stretch") -> Images:
    """Return images with another height and width, uint8 (N, *size, C); see `fit_image`."""
    if images.shape[1:3] == tuple(size):
        return images
    fitted = np.empty((len(images), *size, images.shape[3]), np.uint8)
    for row, image in enumerate(images):
        fitted[row] = fit_image(image, size, fit)
    return fitted


def grayscale(image: Images) -> Images:
    """Return the luma (ITU-R 601) of an image in color, uint8 (H, W, 3) or (H, W, 4) to (H, W, 1); alpha is dropped."""
    return np.asarray(Image.fromarray(np.ascontiguousarray(image[:, :, :3])).convert("L"))[:, :, None]


def _side(side: int, shrink: float, limit: int) -> int:
    return max(1, min(limit, round(side * shrink)))


def _scaled(image: Images, size: tuple[int, int]) -> Images:
    """Return an image in another size, each channel by itself: Pillow would multiply colors with alpha."""
    if image.shape[:2] == size:
        return image
    resample = Image.Resampling.BOX

    def scale(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(Image.fromarray(np.ascontiguousarray(part)).resize(size[::-1], resample))

    if image.shape[2] == 3:
        return scale(image)
    return np.stack([scale(image[:, :, channel]) for channel in range(image.shape[2])], axis=2)
