"""Score codes that any encoder made, with the metric suite alone: arrays in, numbers out.

    python examples/03_metrics_on_your_codes.py

Three codes of the same five factors: one latent for each factor, a random rotation of these, and noise.
"""

import numpy as np
import tyro

from darla.vision import metrics


def main(rows: int = 5_000, seed: int = 0) -> None:
    """Compare three codes.

    Args:
        rows: number of images; a score needs a few thousand.
        seed: of the factors, the rotation and the noise.
    """
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, 8, (rows, 5))  # (N, K): five factors of eight values
    one_each = factors + 0.05 * rng.standard_normal(factors.shape)  # (N, D): a latent for each factor
    rotation, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    codes = {
        "a latent for each factor": one_each,
        "the same, rotated": one_each @ rotation,
        "noise": rng.standard_normal((rows, 5)),
    }
    for name, code in codes.items():
        print(f"\n{name}")
        for metric in ("mig", "modularity", "sap", "factor_vae_score", "r2"):
            result = metrics.METRICS[metric](code, factors, seed=seed)
            print(f"  {metric:<17} {result.score:5.2f}   chance {result.chance:.2f}, ceiling {result.ceiling:.2f}")
    # Everything at once, with intervals: metrics.table(metrics.evaluate(code, factors, interval=200))


if __name__ == "__main__":
    tyro.cli(main)
