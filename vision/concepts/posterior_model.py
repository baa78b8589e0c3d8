"""What SCAN and its operators have in common: they are trained on the posteriors of images in place of pixels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.image_model import ImageModel


class PosteriorModel(ImageModel):
    """A model whose inputs are posteriors of a trained encoder, as `pack` writes them.

    Args:
        latents: D, those of the encoder.
    """

    fixed_sides = False

    def __init__(self, latents: int) -> None:
        super().__init__((1, 1, 2 * latents))

    def to_input(self, images: np.ndarray[Any, Any] | Tensor) -> Tensor:
        """Return the posteriors of images, float32 (N, 2 D) as `pack` writes them, on the model's device.

        Raises:
            InputError: another shape or dtype.
        """
        values = torch.as_tensor(images, device=self.device)
        if values.ndim != 2 or values.shape[1] != self.image_shape[2] or values.dtype != torch.float32:
            raise InputError(
                f"posteriors must be float32 (N, {self.image_shape[2]}), not {values.dtype} {tuple(values.shape)}"
            )
        return values
