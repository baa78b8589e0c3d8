"""What the two groups of units of disBM know of pose and identity, after training on pairs that share the identity.

    python -m benchmarks.pose_and_identity --out runs/disbm [--steps 3000] [--change pool=4 chains=0 ...]

The two sprites of a pair have the same shape and scale (identity) and each its own orientation and position (pose). The
table has, for the units m and h of a trained and an untrained model and for the pixels that they see:

- the mean squared distance of the codes of two images with the same identity, and of two with the same pose, as a
  fraction of that of any two images; 0 where the code does not depend on what differs, 1 where what is the same does
  not matter;
- scores of probes on held-out images, linear / nonlinear: accuracy of the shape (chance 0.33), R^2 of the scale, of the
  position (the mean of x and y) and of the orientation (cosine and sine of the angle times the symmetry of the shape);
- the same from one binary sample of each unit, because a network reads a position from the third digit of a few dozen
  probabilities.

Below `--out` are `samples.png` and `swaps.png` (rows: the pose of an image; columns: the identity of another).
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darla.common import limit_threads, rng_for
from darla.envs.image_data.sprites import SCALES, Sprites
from darla.vision import SeeConfig, TrainingConfig, encode_images, train_model
from darla.vision.encoders.load import build_model
from darla.vision.encoders.probes import probe
from darla.vision.encoders.traversals import grid, to_uint8, write_png
from darla.vision.models.disbm import DisBM
from darla.vision.models.registry import model_info
from darla.vision.training.loop import build_seeded
from darla.vision.training.units import units_of

Array = np.ndarray[Any, Any]
MODEL = "disbm_pairs"
IDENTITY = 2
"""The first factors, shape and scale, are the identity."""
FITTED, SCORED = 6000, 3000
"""Images that probes are fitted and scored on."""


class SpritePairs:
    """Sprites in pairs: images 2 u and 2 u + 1 share shape and scale."""

    def __init__(self, pairs: int, seed: int) -> None:
        data, rng = Sprites(), rng_for(seed, "pairs")
        self.factors = np.stack([rng.integers(0, size, 2 * pairs) for size in data.factor_sizes], axis=1)
        self.factors[1::2, :IDENTITY] = self.factors[0::2, :IDENTITY]
        self.images = data.render(self.factors)
        self.pairs = np.arange(2 * pairs).reshape(-1, 2)
        shape, scale, turn, x, y = self.factors.T
        angle = np.array([4, 2, 1])[shape] * data.orientations[turn]
        self.state = {
            "shape": shape, "scale": SCALES[scale], "x": x / 31.0, "y": y / 31.0,
            "cos": np.cos(angle), "sin": np.sin(angle),
        }  # fmt: skip

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> Array:
        return self.images[rows]


def same_and_any(model: DisBM, seed: int, count: int = 2000) -> tuple[list[Array], list[Array]]:
    """Return codes of images, and of others: any, with the same identity, with the same pose."""
    data, rng = Sprites(), rng_for(seed, "distances")
    one, other = (np.stack([rng.integers(0, size, count) for size in data.factor_sizes], 1) for _ in range(2))
    identity, pose = other.copy(), other.copy()
    identity[:, :IDENTITY], pose[:, IDENTITY:] = one[:, :IDENTITY], one[:, IDENTITY:]
    first, *others = (codes_of(model, data.render(factors)) for factors in (one, other, identity, pose))
    return [each[0] for each in zip(first, strict=True)], [np.stack(each) for each in zip(*others, strict=True)]


def codes_of(model: DisBM, images: Array) -> tuple[Array, Array, Array]:
    """Return m, h and visible units of images."""
    codes = encode_images(model, images)
    pieces = (images[start : start + 512] for start in range(0, len(images), 512))
    visible = np.concatenate([model.to_visible(model.to_input(piece)).numpy() for piece in pieces])
    return codes[:, : model.n_pose], codes[:, model.n_pose :], visible


def probes(codes: Array, frames: SpritePairs, seed: int) -> list[str]:
    """Return scores of shape, scale, position and orientation, linear / nonlinear."""
    held_out = np.arange(len(codes)) >= FITTED
    report = probe(codes, frames.state, seed, held_out=held_out, steps=500)

    def cell(*names: str) -> str:
        linear, nonlinear = (np.mean([report[name][kind] for name in names]) for kind in ("linear", "nonlinear"))
        return f"{linear:.2f} / {nonlinear:.2f}"

    return [cell("shape"), cell("scale"), cell("x", "y"), cell("cos", "sin")]


def rows(label: str, model: DisBM, frames: SpritePairs, seed: int, pixels: bool = False) -> list[str]:
    """Return the rows of the table for one model."""
    lines = []
    first, others = same_and_any(model, seed)
    codes = codes_of(model, frames.images)
    for number, group in enumerate(("m", "h", "pixels")[: 2 + pixels]):
        distance = [np.square(first[number] - other).sum(1).mean() for other in others[number]]
        ratios = [f"{each / distance[0]:.2f}" for each in distance[1:]]
        name = group if group == "pixels" else f"{label}, {group}"
        lines.append(f"| {name} | {' | '.join([*ratios, *probes(codes[number], frames, seed)])} |")
        if group != "pixels":
            drawn = (rng_for(seed, "sample", number).random(codes[number].shape) < codes[number]).astype(np.float32)
            lines.append(f"| – sampled | | | {' | '.join(probes(drawn, frames, seed))} |")
        print(*lines[-2 if group != "pixels" else -1 :], sep="\n", flush=True)
    return lines


def draw_sheets(model: DisBM, images: Array, out: Path, seed: int) -> None:
    """Write samples and swaps."""
    inputs = model.to_input(images[:12])
    noise = torch.Generator().manual_seed(seed)
    pooled = to_uint8(model.to_image(model.to_visible(inputs)))
    sheet = [("pixels seen", pooled), ("mean field", to_uint8(model.decode(model.encode(inputs).mean)))]
    sheet.append(("100 sweeps\nfrom images", model.sample(12, 100, noise, inputs)))
    sheet.append(("2000 sweeps\nfrom noise", model.sample(12, 2000, noise)))
    write_png(out / "samples.png", grid(sheet))
    swapped = [(f"pose of {number}", row) for number, row in enumerate(model.swap(inputs[:8]))]
    write_png(out / "swaps.png", grid([("identity of", pooled[:8]), *swapped]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the training and the images")
    parser.add_argument("--pairs", type=int, default=15_000, help="pairs to train on")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=6e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--change", nargs="*", default=[], metavar="FIELD=VALUE", help="of the model's configuration")
    arguments = parser.parse_args()
    limit_threads(1)
    changes = {name: json.loads(value) for name, value in (change.split("=", 1) for change in arguments.change)}
    training = TrainingConfig(
        steps=arguments.steps, batch_size=arguments.batch_size, learning_rate=arguments.learning_rate,
        log_every=max(1, arguments.steps // 10),
    )  # fmt: skip
    see = SeeConfig().change(model=MODEL, training=training, **changes)

    def build() -> DisBM:
        model = build_seeded(lambda: build_model(see, (64, 64, 1)), arguments.seed)
        assert isinstance(model, DisBM)
        return model.eval()

    frames, probed = SpritePairs(arguments.pairs, 0), SpritePairs((FITTED + SCORED) // 2, 1)
    model = build()
    units = units_of(model_info(MODEL).needs, frames, np.arange(len(frames)), arguments.seed)
    result = train_model(model, frames, training, arguments.out, arguments.seed, units=units, label=MODEL)
    draw_sheets(model, probed.images, arguments.out, arguments.seed)
    lines = rows("trained", model, probed, arguments.seed)
    lines += rows("untrained", build(), probed, arguments.seed, pixels=True)
    print(
        f"\n{arguments.steps} steps of {arguments.batch_size} images in {result.seconds:.0f} s; see {arguments.out}\n"
    )
    print("| code | same identity | same pose | shape | scale | position | orientation |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
