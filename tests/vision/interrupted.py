"""A small stage for tests that kill it: `python interrupted.py OUT [SECONDS_PER_STEP]`."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import Frames

from darla import vision
from darla.common import limit_threads


class Slow(Frames):
    """Frames that take their time, so that a kill lands inside the training."""

    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0

    def __getitem__(self, rows):
        time.sleep(self.pause)
        return super().__getitem__(rows)


def main() -> None:
    limit_threads(1)
    config = vision.SeeConfig().change(
        loss="perceptual", layer="conv3", normalization="whiten", latent_dim=4, bottleneck=8, statistics_frames=64,
        training__steps=12, training__batch_size=16, training__log_every=4, training__checkpoint_every=3,
        dae_training__steps=12, dae_training__batch_size=16,
        dae_training__log_every=5, dae_training__checkpoint_every=3,
    )  # fmt: skip
    print("begun", flush=True)
    print(vision.train_encoder(config, Slow(256), Path(sys.argv[1]), seed=3).digest)


if __name__ == "__main__":
    main()
