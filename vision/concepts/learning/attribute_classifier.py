"""A classifier of the attributes that an image shows, trained on the ground truth: the judge of imagined images."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from darla.envs.image_data.ground_truth import Images
from darla.vision.concepts.space import Concepts, ConceptSpace
from darla.vision.models.image_model import Given, ImageModel
from darla.vision.models.networks import Encoder, architecture
from darla.vision.training.config import TrainingConfig

JUDGE_TRAINING = TrainingConfig(
    steps=4000, batch_size=64, learning_rate=1e-3, schedule="one_cycle", log_every=1000, checkpoint_every=2000
)
"""Of the classifier."""
_BATCH = 512


class AttributeClassifier(ImageModel):
    """L = -log p(value | image), summed over attributes, minimized: DARLA's convolutions, a softmax for each attribute.

    Args:
        space: of the attributes.
        image_shape: height, width, channels.
    """

    def __init__(self, space: ConceptSpace, image_shape: tuple[int, int, int]) -> None:
        super().__init__(image_shape)
        self.space = space
        self.encoder = Encoder(architecture("darla"), image_shape, space.symbol_size, "elu")

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss in nats per image, and the share of right answers over all attributes.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
            generator: not used: nothing is random.
            supervision: `values`, int64 (N, A).
        """
        assert supervision is not None, "a classifier is trained on values"
        values = supervision["values"]
        parts = self.space.parts(self.encoder(images).float())
        losses = [functional.cross_entropy(part, values[:, column]) for column, part in enumerate(parts)]
        right = torch.stack([(part.argmax(1) == values[:, column]).float().mean() for column, part in enumerate(parts)])
        return {"loss": torch.stack(losses).sum(), "right": right.mean()}

    def values_of(self, images: Images) -> Concepts:
        """Return the most probable values of images, uint8 (N, H, W, C): int64 (N, A)."""
        values = []
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                outputs = self.encoder(self.to_input(images[start : start + _BATCH]))
                values.append(torch.stack([part.argmax(1) for part in self.space.parts(outputs)], dim=1).cpu().numpy())
        judged: npt.NDArray[np.int64] = np.concatenate(values)
        return judged
