"""What supervised and weakly supervised disentanglers learn, beside β-VAE: the table of docs/supervised.md.

    python -m benchmarks.supervised_disentanglers runs/supervised [--systems ada_gvae dc_ign ...] [--seeds 3]

Each system is trained on frames that have what it needs, and measured on other images. Frames and encoders stay in the
folder: what is finished is not made again, and an interrupted run goes on where it stopped. One thread.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from darla.common import limit_threads, rng_for
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.grid_world.env import MOVES
from darla.envs.image_data.sprites import Sprites
from darla.reports.figures.policies import policy_figure
from darla.reports.figures.style import to_png
from darla.vision import SeeConfig, encode_images, load
from darla.vision.encoders.train_encoder import train_encoder
from darla.vision.metrics import evaluate
from darla.vision.models.base import VisionModel
from darla.vision.models.icf import ICF
from darla.vision.models.lusr import LUSR
from darla.vision.models.registry import model_info
from darla.vision.presets import ENCODERS

SCORED = 6_000
Measures = dict[str, float]
_NETWORK = {"vae__network": "locatello", "vae__activation": "elu", "latent_dim": 10}
_TRAINING = {"training__learning_rate": 1e-3}
_NAMED = ("position_x", "position_y", "scale")
_PAIRS = CollectConfig(task="sprites", frames=60_000, unit="pair", seed=0)
_GROUPS = CollectConfig(task="sprites", frames=60_000, unit="group", group_factors=_NAMED, seed=0)
_LABELED = CollectConfig(task="sprites", frames=60_000, seed=0)


def sprites(seed: int = 1_000) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return images that no training has drawn by this seed, and their factor values, (N, 5)."""
    data = Sprites()
    factors = data.sample_factors(SCORED, rng_for(seed, "scored sprites"))
    return data.render(factors), factors


def disentanglement(model: VisionModel, frames: FrameSet) -> Measures:
    """Return metrics of the codes of sprites, in the `robust` preset."""
    images, factors = sprites()
    results = evaluate(encode_images(model, images), factors, ("dci", "mig", "factor_vae_score"), seed=0)
    return {name: result.score for name, result in results.items()}


def named_latents(model: VisionModel, frames: FrameSet) -> Measures:
    """Return how strongly latents named after factors correlate with them, and with the other factors at most.

    The rank correlation is taken over sprites drawn with independent factors; the orientation as its sine and cosine.
    """
    images, factors = sprites()
    codes, columns = encode_images(model, images), {name: factors[:, k] for k, name in enumerate(Sprites.factor_names)}
    angle = Sprites().orientations[columns.pop("orientation")]
    columns |= {"sine": np.sin(angle), "cosine": np.cos(angle)}
    measures: Measures = {}
    for latent, name in enumerate(_NAMED):
        strength = {other: abs(_correlation(codes[:, latent], values)) for other, values in columns.items()}
        measures[f"{name}"] = strength.pop(name)
        measures[f"{name} with others"] = max(strength.values())
    return measures


def _correlation(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def domains(model: VisionModel, frames: FrameSet) -> Measures:
    """Return how often logistic regression tells the domain of an image from either code; halves fit and score."""
    assert isinstance(model, LUSR)
    assert frames.domain_ids is not None
    rows = rng_for(0, "scored").permutation(len(frames))[:SCORED]
    ids, half = frames.domain_ids[rows], len(rows) // 2
    images = frames[rows]
    content = encode_images(model, images)
    look = np.concatenate(
        [model.domain_code(model.to_input(images[i : i + 250])).detach().numpy() for i in range(0, len(images), 250)]
    )
    measures = {"chance": float(np.bincount(ids[half:]).max() / half)}
    for name, codes in (("domain code", look), ("content code", content)):
        scaled = (codes - codes.mean(0)) / (codes.std(0) + 1e-6)
        probe = LogisticRegression(max_iter=2000).fit(scaled[:half], ids[:half])
        measures[name] = float(probe.score(scaled[half:], ids[half:]))
    return measures


def control(model: VisionModel, frames: FrameSet) -> Measures:
    """Return the selectivity, over the transitions that were collected, and how latents correlate with positions."""
    assert frames.transitions is not None
    assert frames.actions is not None
    images = model.to_input(frames[frames.transitions.reshape(-1)])
    with torch.no_grad():
        terms = model.loss(images, None, {"actions": torch.from_numpy(frames.actions)})
    codes = encode_images(model, frames[:])
    measures = {"selectivity": float(terms["selectivity"])}
    for name in ("x", "y"):
        strength = [abs(_correlation(codes[:, latent], frames.state[name])) for latent in range(codes.shape[1])]
        measures[f"correlation with {name}"] = max(strength)
    return measures


@dataclass(frozen=True)
class System:
    """A model, the frames that it is trained on, and what is measured."""

    see: SeeConfig
    frames: CollectConfig
    measure: Callable[[VisionModel, FrameSet], Measures]


def _see(model: str, steps: int, **changes: Any) -> SeeConfig:
    return SeeConfig().change(model=model, **{**_NETWORK, **_TRAINING, "training__steps": steps, **changes})


_LOOKS = CollectConfig(task="conjunction", frames=24_000, looks=8, seed=0)
_STEPS = CollectConfig(task="grid-world", frames=8_000, unit="transition", sampling="random_policy", stride=1)
_LUSR = {"latent_dim": 16, "vae__network": "darla", "training__batch_size": 64}
SYSTEMS = {
    "beta_vae": System(_see("beta_vae", 5_000, beta=1.0), _PAIRS, disentanglement),
    "ada_gvae": System(_see("ada_gvae", 5_000, beta=1.0), _PAIRS, disentanglement),
    "ada_ml_vae": System(_see("ada_ml_vae", 5_000, beta=1.0), _PAIRS, disentanglement),
    "oracle_triplets": System(_see("oracle_triplets", 5_000, beta=1.0), _LABELED, disentanglement),
    "dc_ign": System(_see("dc_ign", 5_000, training__batch_size=60), _GROUPS, named_latents),
    "icf": System(ENCODERS["icf"].change(training__steps=200), _STEPS, control),
    "lusr": System(_see("lusr", 5_000, **_LUSR), _LOOKS, domains),
}


def run(name: str, seed: int, folder: Path, changes: dict[str, Any]) -> Measures:
    """Train and measure one system with one seed."""
    system = SYSTEMS[name]
    parts = (system.frames.task, system.frames.unit, f"{system.frames.looks or ''}")
    frames = FrameSet(collect(system.frames, folder / "-".join(part for part in parts if part)))
    see = system.see.change(**changes)
    return system.measure(load(train_encoder(see, frames, folder / f"{name}-{seed}", seed)), frames)


def draw_policies(folder: Path, seed: int, path: Path) -> None:
    """Write a picture of the policies of an `icf` encoder that has been trained, as arrows on the grid."""
    model = load(folder / f"icf-{seed}")
    assert isinstance(model, ICF)
    frames = FrameSet.open(folder / "grid-world-transition")
    positions = np.stack([frames.state["x"], frames.state["y"]], axis=1)
    places, rows = np.unique(positions, axis=0, return_index=True)
    with torch.no_grad():
        policies = model.policies(model.to_input(frames[rows])).numpy()
    names = [f"{what} z{latent}" for what in ("raises", "lowers") for latent in range(model.latent_dim)]
    figure = policy_figure(places.astype(float), policies.astype(float), np.array(MOVES, dtype=float), names)
    figure.set_facecolor("white")
    path.write_bytes(to_png(figure))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--arrows", type=Path, help="PNG file for the policies of the first `icf` encoder")
    parser.add_argument("--steps", type=int, help="in place of each system's own")
    arguments = parser.parse_args()
    limit_threads(1)
    changes = {"training__steps": arguments.steps} if arguments.steps else {}
    print("| system | supervision | measure | mean | lowest | highest |\n|---|---|---|---:|---:|---:|")
    for name in arguments.systems:
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        rows = [run(name, seed, arguments.folder, changes) for seed in seeds]
        for measure in rows[0]:
            values = [row[measure] for row in rows]
            numbers = " | ".join(f"{value:.2f}" for value in (np.mean(values), min(values), max(values)))
            print(f"| `{name}` | {model_info(name).needs} | {measure} | {numbers} |", flush=True)
        if name == "icf" and arguments.arrows:
            draw_policies(arguments.folder, arguments.first_seed, arguments.arrows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
