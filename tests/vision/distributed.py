"""A training for tests that start it under `torchrun`: `distributed.py OUT`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import Frames

from darla import vision
from darla.common import limit_threads


def main() -> None:
    limit_threads(1)
    config = vision.SeeConfig().change(
        loss="perceptual", layer="bottleneck", latent_dim=4, bottleneck=8, statistics_frames=64,
        training__steps=5, training__batch_size=16, training__micro_batches=2, training__precision="float32",
        training__log_every=2, training__checkpoint_every=3,
        dae_training__steps=5, dae_training__batch_size=16, dae_training__micro_batches=2,
        dae_training__precision="float32",
    )  # fmt: skip
    vision.train_encoder(config, Frames(256), Path(sys.argv[1]), seed=3)


if __name__ == "__main__":
    main()
