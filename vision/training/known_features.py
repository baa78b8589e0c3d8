"""Features of the training images, computed once instead of in every step.

DARLA's loss compares predicted features with J(x) of the clean image, and J is frozen: in a training of eleven passes
J(x) of each image is the same eleven times. Where all of them fit into a little memory they are computed at the first
step, in batches that depend on nothing but the images, so that an interrupted training resumes with the same bytes.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import Progress
from darla.vision.models.feature_space import FeatureSpace
from darla.vision.models.image_model import ImageModel
from darla.vision.training.batches import Frames
from darla.vision.training.devices import DevicePrecision

MAX_BYTES = 256 * 2**20
"""Memory that the features may take: 128 of each of 480,000 images stay below it, maps of features soon do not."""
_BATCH = 256


class KnownFeatures:
    """J(x) of every training image, by the index of its frame; computed when the loss first asks for one.

    Args:
        space: J.
        model: the model that is trained; converts images.
        frames: uint8 images.
        rows: indices of the frames, without repetition, ascending.
        precision: the number format of the training, in which the features are computed.
    """

    def __init__(
        self,
        space: FeatureSpace,
        model: ImageModel,
        frames: Frames,
        rows: np.ndarray[Any, Any],
        precision: DevicePrecision,
    ) -> None:
        self.space, self.model, self.frames, self.rows, self.precision = space, model, frames, rows, precision
        self._features: Tensor | None = None

    def announce(self, images: Tensor, rows: np.ndarray[Any, Any]) -> None:
        """Let J look up the features of a batch: `images` are those of the frames `rows`."""
        self.space.know(images, lambda: self.of(rows))

    def of(self, rows: np.ndarray[Any, Any]) -> Tensor:
        """Return J of the images of some frames, float32 (rows, C)."""
        if self._features is None:
            self._features = self._compute()
        return self._features[torch.from_numpy(np.searchsorted(self.rows, rows))].view(-1, self.space.channels)

    def forget(self) -> None:
        """Let J compute all features itself again."""
        self.space.know(None)

    @torch.no_grad()
    def _compute(self) -> Tensor:
        features = torch.empty(len(self.rows), self.space.size)
        with self.precision.autocast(), Progress(len(self.rows), "features of the images", "image") as progress:
            for start in range(0, len(self.rows), _BATCH):
                piece = self.rows[start : start + _BATCH]
                batch = self.space(self.model.to_input(self.frames[piece]))
                features[start : start + len(piece)] = batch.view(len(piece), -1)
                progress.update(len(piece))
        return features


def known_features(
    model: ImageModel, frames: Frames, rows: np.ndarray[Any, Any], images_seen: int, precision: DevicePrecision
) -> list[KnownFeatures]:
    """Return the features of the training images, for each J in the model for which that saves work; none on a GPU.

    There a step copies its batch and nothing else, and J(x) is a small part of it.

    Args:
        model: the model that is trained, on its device.
        frames: uint8 images.
        rows: indices of the frames that are trained on, in any shape.
        images_seen: images that the whole training sees, repetitions included.
        precision: device and number format of the training.
    """
    spaces = [module for module in model.modules() if isinstance(module, FeatureSpace)]
    if precision.device.type != "cpu" or not spaces:
        return []
    rows = np.unique(rows)
    return [
        KnownFeatures(space, model, frames, rows, precision)
        for space in spaces
        if images_seen >= 2 * len(rows) and 4 * space.size * len(rows) <= MAX_BYTES
    ]
