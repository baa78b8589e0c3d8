"""Training images per second of disentanglers without maintained public code, against a plain PyTorch loop.

    python -m benchmarks.supervised_training [--presets ada-gvae dc-ign ...] [--repeats 5] [--steps 20]

Both sides train the same network with the same objective on the same images, and take turns, a chunk of steps each.
The plain loop is what one would write for a paper: float32, images gathered from uint8 frames, loss, backward, Adam.
Seconds are of CPU time on one thread, so other work on the machine disturbs little. `disbm` has a peer of its own in
`benchmarks.boltzmann_machines`.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from darla.common import limit_threads
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.vision import MODELS, SeeConfig, train_model
from darla.vision.models.base import VisionModel
from darla.vision.models.registry import model_info
from darla.vision.presets import ENCODERS
from darla.vision.training.loop import build_seeded
from darla.vision.training.units import Units, units_of

_PAIRS = CollectConfig(task="sprites", frames=2_000, unit="pair")
_GROUPS = CollectConfig(task="sprites", frames=2_000, unit="group", group_factors=("position_x", "position_y"))
_LABELED = CollectConfig(task="sprites", frames=2_000)
_STEPS = CollectConfig(task="grid-world", frames=2_000, unit="transition", sampling="random_policy", stride=1)
_LOOKS = CollectConfig(task="conjunction", frames=1_600, looks=8)
FRAMES = {
    "ada-gvae": _PAIRS,
    "ada-ml-vae": _PAIRS,
    "gvae": _PAIRS,
    "dc-ign": _GROUPS,
    "lusr": _LOOKS,
    "oracle-triplets": _LABELED,
    "icf": _STEPS,
    "infogan": _LABELED,
    "infowgan": _LABELED,
    "transforming": _LABELED,
}
"""Presets of encoders, and what each is trained on."""


def plain_step(model: VisionModel, frames: FrameSet, units: Units, see: SeeConfig) -> Callable[[], None]:
    """Return a function that takes one training step of a plain loop."""
    groups = [{**group, "lr": see.training.learning_rate} for group in model.parameter_groups()]
    optimizer = torch.optim.Adam(groups)
    rng, noise = np.random.default_rng(0), torch.Generator().manual_seed(0)
    batch, cpu = see.training.batch_size // units.size, torch.device("cpu")
    model.train()

    def step() -> None:
        drawn = rng.integers(0, len(units), batch)
        images = torch.from_numpy(frames[units.images_of(drawn)]).permute(0, 3, 1, 2).float().div(255).contiguous()
        known = units.supervision_of(drawn, cpu)
        optimizer.zero_grad()
        terms = model.loss(images, noise, known) if known else model.loss(images, noise)
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def measure(preset: str, folder: Path, repeats: int, steps: int) -> dict[str, list[float]]:
    """Return images per second of CPU time of each side, one number for each chunk of steps."""
    collected = FRAMES[preset]
    frames = FrameSet(collect(collected, folder / f"{collected.task}-{collected.unit}"))
    total = steps * (repeats + 1)  # the first chunk warms up
    length = {"training__steps": total, "training__log_every": steps, "training__checkpoint_every": total}
    see = ENCODERS[preset].change(**length)
    config = see.vae.for_frames(frames)
    units = units_of(model_info(see.model).needs, frames, np.arange(len(frames)), seed=0)

    def build() -> VisionModel:
        return build_seeded(lambda: MODELS[see.model](config, None, frames.image_shape), 0)

    step = plain_step(build(), frames, units, see)
    rates: dict[str, list[float]] = {"darla": [], "plain": []}
    started = 0.0
    images = steps * see.training.batch_size

    def take_turns(row: Mapping[str, float]) -> dict[str, float]:
        nonlocal started
        if started:
            rates["darla"].append(images / (time.process_time() - started))
        begun = time.process_time()
        for _ in range(steps):
            step()
        if started:
            rates["plain"].append(images / (time.process_time() - begun))
        started = time.process_time()
        return {}

    train_model(build(), frames, see.training, folder / preset, seed=0, units=units, observe=take_turns)
    return rates


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=list(FRAMES), default=list(FRAMES))
    parser.add_argument("--repeats", type=int, default=5, help="timed chunks of each side")
    parser.add_argument("--steps", type=int, default=20, help="steps in a chunk")
    options = parser.parse_args()
    limit_threads(1)
    print(f"images per second of CPU time, medians; one thread, torch {torch.__version__}\n")
    print("| preset | batch | darla | plain float32 | ratio |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for preset in options.presets:
            rates = measure(preset, Path(folder), options.repeats, options.steps)
            ours, plain = (statistics.median(rates[side]) for side in ("darla", "plain"))
            batch = ENCODERS[preset].training.batch_size
            print(f"| `{preset}` | {batch} | {ours:.0f} | {plain:.0f} | {ours / plain:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
