"""Images of two patches of gray, whose brightnesses are the attributes, and an encoder of them."""

from pathlib import Path

import numpy as np

from darla.envs.image_data.ground_truth import Factors, GroundTruthData, Images, checked_factors
from darla.vision import SeeConfig, train_encoder


class Patches(GroundTruthData):
    """Left half of four brightnesses, right half of three."""

    name = "patches"
    factor_names = ("left", "right", "nameless")
    factor_sizes = (4, 3, 2)
    attributes = (("left", "left", ("0", "1", "2", "3")), ("right", "right", ("0", "1", "2")))

    def __init__(self, side: int = 16) -> None:
        self.image_shape = (side, side, 3)

    def render(self, factors: Factors) -> Images:
        factors = checked_factors(factors, self)
        images = np.zeros((len(factors), *self.image_shape), np.uint8)
        half = self.image_shape[0] // 2
        images[:, :, :half] = (80 * factors[:, 0]).astype(np.uint8)[:, None, None, None]
        images[:, :, half:] = (120 * factors[:, 1]).astype(np.uint8)[:, None, None, None]
        images[:, : half // 2] //= (1 + factors[:, 2]).astype(np.uint8)[:, None, None, None]
        return images


class PatchFrames:
    """All images of `Patches` some times, as an encoder is trained on them."""

    digest = "patches"
    state: dict[str, np.ndarray] = {}  # noqa: RUF012

    def __init__(self, data: Patches, times: int) -> None:
        self.images = data.render(data.factors_at(np.arange(times * len(data)) % len(data)))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: object) -> Images:
        return self.images[rows]  # type: ignore[index]


def tiny_encoder(folder: Path, steps: int = 10) -> Path:
    """Train a small β-VAE on the patches."""
    config = SeeConfig().change(
        latent_dim=4, statistics_frames=32, training__steps=steps, training__batch_size=16, training__device="cpu",
        training__precision="float32", training__checkpoint_every=1000,
    )  # fmt: skip
    return train_encoder(config, PatchFrames(Patches(), 4), folder / "encoder", 0).folder  # type: ignore[arg-type]
