"""Seconds of training until an encoder of sprites has a FactorVAE score of 0.75 (Kim & Mnih 2018), setting by setting.

    darla collect sprites --frames 200000 --workers 2 --out runs/sprites
    python -m benchmarks.time_to_score runs/sprites [--settings beta-tc qlae ...] [--steps 16000] [--reach 0.75]
        [--change FIELD=VALUE ...] [--start ENCODER]

The settings are those of `darla select --family sprites`, trained for longer. Every so many steps 6,000 frames that
training never sees are encoded, and the FactorVAE score and MIG of their codes are computed (`robust` preset), which
does not count as training time. A training ends when the score is reached for the second time in a row, since one
evaluation may be lucky, and the first of the two is reported. One thread, one seed; every evaluation is a line of
`--out`.

`--change training.learning_rate=5e-4 vae.activation=elu` changes every setting, and `--start ENCODER` begins with the
weights of another encoder: to study what aligns the axes of a code with factors (docs/disentanglers.md).

Public implementations are not timed here: with the same network they need the same number of steps for the same
objective, and `benchmarks.disentangler_training` has both sides' time for a step.
"""

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from darla.common import limit_threads
from darla.common.seeding import seed_for
from darla.envs.frames.frame_set import FrameSet
from darla.experiments.families import FAMILIES
from darla.vision import SeeConfig, load, train_model
from darla.vision.encoders.encode import posterior_of
from darla.vision.encoders.load import build_model
from darla.vision.metrics import evaluate
from darla.vision.training.loop import build_seeded

SCORE = "factor_vae_score"
SCORED = 6_000


class _ReachedError(Exception):
    """Ends a training: there is nothing left to time."""


def configuration(setting: str, steps: int, every: int, changes: list[str]) -> SeeConfig:
    """Return the configuration of a setting, trained for `steps` and evaluated every `every`, with changes."""
    values = dict(change.split("=", 1) for change in changes)
    return FAMILIES["sprites"][setting].change(
        **{name.replace(".", "__"): _value(text) for name, text in values.items()},
        training__steps=steps,
        training__log_every=every,
        training__checkpoint_every=10 * steps,
    )


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def measure(
    setting: str, frames: FrameSet, see: SeeConfig, reach: float, seed: int, start: Path | None = None
) -> list[dict[str, float]]:
    """Train one setting; return a row for each evaluation: step, seconds of training, FactorVAE score, MIG."""
    held_out = np.arange(len(frames) - SCORED, len(frames))
    images = frames[held_out]
    factors = np.stack(
        [np.unique(np.asarray(values)[held_out], return_inverse=True)[1] for values in frames.contexts.values()], axis=1
    )
    factors = factors[:, factors.any(axis=0)]
    model = build_seeded(lambda: build_model(see, frames.image_shape, None), seed_for(seed, "weights"))
    if start:
        # What only one of them has, as a discriminator, starts as it was drawn.
        model.load_state_dict(load(start).state_dict(), strict=False)
    rows: list[dict[str, float]] = []
    scoring_seconds, begun = 0.0, time.perf_counter()

    def evaluate_codes(row: Mapping[str, float]) -> dict[str, float]:
        nonlocal scoring_seconds
        started = time.perf_counter()
        pieces = range(0, SCORED, 250)
        codes = posterior_of(model, (model.to_input(images[start : start + 250]) for start in pieces)).mean
        result = evaluate(codes, factors, (SCORE, "mig"), seed=seed)
        seconds = started - begun - scoring_seconds
        rows.append({"step": row["step"], "seconds": seconds, **{name: each.score for name, each in result.items()}})
        print(setting, *(f"{name} {value:.3g}" for name, value in rows[-1].items()), flush=True)
        scoring_seconds += time.perf_counter() - started
        if len(rows) > 1 and min(rows[-1][SCORE], rows[-2][SCORE]) >= reach:
            raise _ReachedError
        return {}

    with tempfile.TemporaryDirectory() as out:
        try:
            rest = np.arange(len(frames) - SCORED)
            train_model(model, frames, see.training, Path(out), seed, rows=rest, label=setting, observe=evaluate_codes)
        except _ReachedError:
            pass
    return rows


def summary(setting: str, rows: list[dict[str, float]], reach: float) -> str:
    """Return one line of the table."""
    scores = [row[SCORE] for row in rows]
    best = rows[int(np.argmax(scores))]
    twice = next((a for a, b in pairwise(rows) if min(a[SCORE], b[SCORE]) >= reach), None)
    when = f"{twice['seconds']:.0f} s, {twice['step']:.0f} steps" if twice else f"not in {rows[-1]['seconds']:.0f} s"
    rate = rows[-1]["step"] / rows[-1]["seconds"]
    return f"| `{setting}` | {when} | {best[SCORE]:.2f} at {best['step']:.0f} | {best['mig']:.2f} | {rate:.1f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frames", type=Path, help="what `darla collect sprites` made")
    parser.add_argument("--settings", nargs="+", choices=list(FAMILIES["sprites"]), default=["beta-tc", "qlae"])
    parser.add_argument("--steps", type=int, default=16_000, help="of training at most; the schedule is made for them")
    parser.add_argument("--every", type=int, default=1_000, help="steps between evaluations")
    parser.add_argument("--reach", type=float, default=0.75, help="FactorVAE score to reach")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="PyTorch threads")
    parser.add_argument("--change", nargs="+", default=[], metavar="FIELD=VALUE", help="options of `darla see`")
    parser.add_argument("--start", type=Path, help="encoder whose weights to begin with")
    parser.add_argument("--out", type=Path, help="CSV file with a row for each evaluation")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    frames = FrameSet.open(arguments.frames)
    lines, every = [], []
    for setting in arguments.settings:
        see = configuration(setting, arguments.steps, arguments.every, arguments.change)
        rows = measure(setting, frames, see, arguments.reach, arguments.seed, arguments.start)
        lines.append(summary(setting, rows, arguments.reach))
        every += [{"setting": setting, **row} for row in rows]
        if arguments.out:
            with arguments.out.open("w", newline="") as file:
                writer = csv.DictWriter(file, fieldnames=list(every[0]))
                writer.writeheader()
                writer.writerows(every)
    print(f"\n| setting | {SCORE} of {arguments.reach:g} | best | MIG then | steps/s |\n|---|---:|---:|---:|---:|")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
