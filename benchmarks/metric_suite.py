"""Seconds for the nine scores of disentanglement_lib from cached codes: the robust preset beside disentanglement_lib's.

Codes of 10 latents at dSprites' factor sizes, 10,000 rows to fit and 5,000 to score: each factor with a little noise in
one latent and five latents of noise (`noisy`), and ten random mixtures of the factors (`mixed`). The dlib preset's DCI,
nearly all of its time, makes the same scikit-learn calls as disentanglement_lib; the smaller scores are this
project's own implementations of the same numbers. disentanglement_lib itself also encodes its images again for each
score, which is not timed here.

    python -m benchmarks.metric_suite
"""

import argparse
import time

import numpy as np

from darla.vision import metrics
from darla.vision.metrics.core.forest import Forest
from darla.vision.metrics.core.sample import Sample

SIZES = (3, 6, 40, 32, 32)
FITTED, SCORED = 10_000, 5_000
NINE = (
    "beta_vae_score",
    "factor_vae_score",
    "mig",
    "dci",
    "sap",
    "modularity",
    "explicitness",
    "irs",
    "unsupervised_scores",
)
SLOW = {("dci", "dlib")}


def codes_and_factors(kind: str, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 codes (rows, 10) and int64 factors (rows, 5), drawn uniformly."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(size, size=rows) for size in SIZES], axis=1)
    sizes = np.array(SIZES)
    unit = (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)
    if kind == "mixed":
        return (unit @ np.random.default_rng(1).standard_normal((5, 10))).astype(np.float32), factors
    noise = rng.standard_normal((rows, 10))
    return np.concatenate([unit + 0.1 * noise[:, :5], noise[:, 5:]], axis=1).astype(np.float32), factors


def measure(name: str, preset: str, codes: np.ndarray, factors: np.ndarray) -> tuple[float, float, float]:
    """Return seconds by the clock, seconds of processor time, and the score."""
    wall, busy = time.perf_counter(), time.process_time()
    result = metrics.METRICS[name](
        codes[:FITTED], factors[:FITTED], test_codes=codes[FITTED:], test_factors=factors[FITTED:], preset=preset
    )
    return time.perf_counter() - wall, time.process_time() - busy, result.score


def fitting(codes: np.ndarray, factors: np.ndarray) -> float:
    """Return the seconds of processor time that scikit-learn's fits of the robust preset's forests in DCI take."""
    sample = Sample(codes[:FITTED], factors[:FITTED], test_codes=codes[FITTED:], test_factors=factors[FITTED:])
    busy = time.process_time()
    for k in range(len(SIZES)):
        Forest(sample, k)
    return time.process_time() - busy


def main() -> None:
    """Measure every score in both presets and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out the dlib preset's DCI, which takes minutes")
    arguments = parser.parse_args()
    small = codes_and_factors("noisy", 300)
    for name in NINE:  # libraries are loaded and threads started before the clock runs
        metrics.METRICS[name](*small)
    for kind in ("noisy", "mixed"):
        codes, factors = codes_and_factors(kind, FITTED + SCORED)
        print(f"\n{kind} codes\n")
        print(f"| {'score':<20} | robust, s | its CPU s | dlib, s | its CPU s | robust | dlib  |")
        print(f"|{'-' * 22}|{'-' * 11}|{'-' * 11}|{'-' * 9}|{'-' * 11}|{'-' * 8}|{'-' * 7}|")
        totals = np.zeros(4)
        for name in NINE:
            ours = measure(name, "robust", codes, factors)
            left_out = arguments.quick and (name, "dlib") in SLOW
            theirs = (np.nan, np.nan, np.nan) if left_out else measure(name, "dlib", codes, factors)
            totals += np.array([*ours[:2], *theirs[:2]])
            print(
                f"| {name:<20} | {ours[0]:9.2f} | {ours[1]:9.2f} | {theirs[0]:7.2f} | {theirs[1]:9.2f} "
                f"| {ours[2]:6.3f} | {theirs[2]:5.3f} |",
                flush=True,
            )
        print(f"| {'all nine':<20} | {totals[0]:9.2f} | {totals[1]:9.2f} | {totals[2]:7.2f} | {totals[3]:9.2f} |")
        print(f"\nfits of forests in DCI, robust: {fitting(codes, factors):.2f} s of processor time")
        wall, busy = time.perf_counter(), time.process_time()
        metrics.evaluate(
            codes[:FITTED], factors[:FITTED], NINE, test_codes=codes[FITTED:], test_factors=factors[FITTED:]
        )
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        print(f"\nall nine by one call of `evaluate`, robust: {wall:.2f} s, {busy:.2f} s of processor time")


if __name__ == "__main__":
    main()
