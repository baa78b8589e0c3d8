"""Accuracy of the β-VAE metric while factors are missing from the code, beside the FactorVAE score, as a figure.

    python -m benchmarks.missing_factors docs/figures/missing-factors.png

A code with one latent for each of dSprites' factors, in which normal noise takes the place of more and more factors;
three draws of which, and of the noise. Nothing is trained. Kim and Mnih (2018, "Disentangling by Factorising",
section 4) point out that the first metric does not see that one factor is missing: where no latent stands still, it
was that one.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from darla.common import limit_threads, rng_for
from darla.reports.figures.style import MARKERS, MUTED, PALETTE, STYLE, to_png
from darla.vision.metrics import evaluate

SIZES = (3, 6, 40, 32, 32)
"""Values of dSprites' factors."""
ROWS, DRAWS = 10_000, 3
METRICS = {
    "beta_vae_score": "β-VAE metric (Higgins et al.)",
    "factor_vae_score": "FactorVAE score (Kim and Mnih)",
    "mig": "MIG",
}


def scores(missing: int, draw: int, preset: str) -> list[float]:
    """Return the score of each of `METRICS` for a code without `missing` factors."""
    rng = rng_for(draw, "missing factors")
    factors = np.stack([rng.integers(size, size=ROWS) for size in SIZES], axis=1)
    codes: npt.NDArray[Any] = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    left_out = rng.permutation(len(SIZES))[:missing]
    codes[:, left_out] = rng.normal(size=(ROWS, missing))
    results = evaluate(codes, factors, tuple(METRICS), preset=preset, seed=draw)
    return [results[name].score for name in METRICS]


def draw_figure(means: npt.NDArray[np.floating]) -> Figure:
    """Draw the mean score of each metric, (metrics, K + 1), over the number of missing factors."""
    count = len(SIZES)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.2), facecolor="white", layout="constrained")
        axes = figure.add_subplot()
        for row, label in enumerate(METRICS.values()):
            axes.plot(range(count + 1), means[row], color=PALETTE[row + 1], marker=MARKERS[row + 1], label=label)
        axes.axhline(1 / count, color=MUTED, linewidth=0.8, linestyle=":")
        axes.annotate("chance of the first two", (0, 1 / count), (0, 3), textcoords="offset points", color=MUTED)
        axes.set_xlabel(f"factors missing from the code, of {count}")
        axes.set_ylabel("score")
        axes.set_xticks(range(count + 1))
        axes.set_ylim(-0.03, 1.05)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=1)
    return figure


def main() -> None:
    """Print a table, and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figure", type=Path, help="PNG file")
    parser.add_argument("--preset", choices=("robust", "dlib"), default="robust")
    options = parser.parse_args()
    limit_threads(1)
    table = np.array([[scores(m, d, options.preset) for m in range(len(SIZES) + 1)] for d in range(DRAWS)])
    means = table.mean(axis=0).T
    print("| missing factors | " + " | ".join(str(number) for number in range(len(SIZES) + 1)) + " |")
    print("|---" * (len(SIZES) + 2) + "|")
    for name, row in zip(METRICS.values(), means, strict=True):
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    print(f"largest difference between draws: {np.ptp(table, axis=0).max():.2f}")
    options.figure.write_bytes(to_png(draw_figure(means)))


if __name__ == "__main__":
    main()
