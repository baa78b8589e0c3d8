"""Train a β-VAE on a folder of your own images, and look at what it has learnt.

    python examples/01_train_beta_vae.py --images my_images --out runs/my-encoder

Without --images it draws 2,000 images of a square at random places and trains on those.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tyro

import darla
from darla.envs.frames.from_images import frames_from_images
from darla.vision import encode_images, load
from darla.vision.presets import encoder


def squares(count: int) -> np.ndarray:
    """Return images of a white square at random places, uint8 (count, 64, 64, 3)."""
    images = np.zeros((count, 64, 64, 3), np.uint8)
    for image, (row, column) in zip(images, np.random.default_rng(0).integers(0, 48, (count, 2)), strict=True):
        image[row : row + 16, column : column + 16] = 255
    return images


def main(images: Path | None = None, out: Path = Path("runs/beta-vae"), beta: float = 4.0, steps: int = 2_000) -> None:
    """Train and encode.

    Args:
        images: a folder of PNG or JPEG files of one size, 64 x 64 for instance.
        out: folder for frames and encoder.
        beta: weight of the KL divergence.
        steps: training steps of 64 images.
    """
    frames = frames_from_images(squares(2_000) if images is None else images, out / "frames")
    config = encoder("beta-4")
    config = replace(config, vae=replace(config.vae, beta=beta), training=replace(config.training, steps=steps))
    artefact = darla.see(frames, out / "encoder", config)

    model = load(artefact.folder)
    codes = encode_images(model, squares(8))  # posterior means, float32 (8, latents)
    print("codes", codes.shape, "spread over images, by latent:", np.round(codes.std(0), 2))
    print("look at", artefact.folder / "traversals.png")


if __name__ == "__main__":
    tyro.cli(main)
