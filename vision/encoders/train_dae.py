"""The first half of learning to see with features: train the denoising autoencoder and measure it."""

import time
from pathlib import Path

import numpy as np
import torch

from darla.common import Artefact, complete_artefact, seed_for
from darla.common.files import save_tensors, write_json
from darla.vision.encoders.config import SeeConfig
from darla.vision.encoders.encode import batches, restore
from darla.vision.encoders.probes import probe
from darla.vision.encoders.splits import (
    Array,
    LabelledFrames,
    errors,
    image_shape_of,
    open_together,
    probe_rows,
    sample,
    split,
    state_of,
)
from darla.vision.encoders.traversals import grid, reconstruct, write_png
from darla.vision.models.dae import DAE, LAYERS, DAEConfig
from darla.vision.models.perceptual import FeatureStatistics, feature_statistics
from darla.vision.training.loop import build_seeded
from darla.vision.training.monitor import train_watched


def train_dae(config: SeeConfig, frames: LabelledFrames, out: Path | str, seed: int) -> Artefact:
    """Train the denoising autoencoder and measure its features over D_U.

    Args:
        config: of which `dae`, `dae_training`, `held_out` and `statistics_frames` matter.
        frames: D_U.
        out: the artefact's folder.
        seed: the master seed.

    Returns:
        An artefact of kind `dae`: `model.safetensors`; `features.safetensors`, mean and covariance of every
        layer, so that one DAE serves every choice of J; `probes.json`, what its bottleneck knows of the
        objects, for J cannot teach what the DAE has forgotten; `reconstructions.png`; `history.csv`.
    """
    out = Path(out)
    image_shape = image_shape_of(frames)
    record = {
        "dae": config.to_dict()["dae"],
        "training": config.to_dict()["dae_training"],
        "held_out": config.held_out,
        "statistics_frames": config.statistics_frames,
        "image_shape": list(image_shape),
        "frames": frames.digest,
        "seed": seed,
    }
    processes, complete = open_together(out, "dae", record, config.dae_training.device)
    if complete:
        return Artefact.load(out, "dae")
    rows, held_out = split(len(frames), config.held_out, seed)
    model = build_seeded(lambda: DAE(config.dae, image_shape), seed_for(seed, "dae weights"))
    label = "denoising autoencoder"
    training = train_watched(
        model, frames, config.dae_training, out, seed, stream="dae", rows=rows, held_out=held_out, label=label
    )
    if processes.leads:
        started = time.monotonic()
        _describe(model, frames, config, rows, held_out, out, seed)
        seconds = training.seconds + time.monotonic() - started
        complete_artefact(out, "dae", record, seed=seed, inputs={"frames": frames.digest}, wall_seconds=seconds)
    processes.wait()
    return Artefact.load(out, "dae")


def _describe(
    model: DAE, frames: LabelledFrames, config: SeeConfig, rows: Array, held_out: Array, out: Path, seed: int
) -> None:
    """Write weights, feature statistics, probes and pictures."""
    save_tensors(out / "model.safetensors", model.state_dict())
    measured = sample(rows, config.statistics_frames, seed)
    moments = feature_statistics(model, batches(model, frames, measured))
    tensors = {f"{layer}.mean": found.mean for layer, found in moments.items()}
    tensors |= {f"{layer}.covariance": found.covariance for layer, found in moments.items()}
    save_tensors(out / "features.safetensors", tensors)
    probed, marks = probe_rows(rows, held_out, seed)
    with torch.inference_mode():
        seen = [model.features(batch, "bottleneck").cpu().numpy() for batch in batches(model, frames, probed)]
    codes = np.concatenate(seen)
    codes /= max(float(codes.std()), 1e-12)  # the bottleneck has whatever scale it came to
    report = probe(codes, state_of(frames, probed), seed_for(seed, "probes"), held_out=marks)
    report["reconstruction"] = errors(model, frames, held_out)
    write_json(out / "probes.json", report)
    images = model.to_input(frames[held_out[:12]])
    write_png(out / "reconstructions.png", grid(reconstruct(model, images), scale=2))


def load_dae(artefact: Artefact) -> DAE:
    """Build the DAE that an artefact holds, frozen and in eval mode."""
    height, width, channels = artefact.config["image_shape"]
    model = DAE(DAEConfig(**artefact.config["dae"]), (height, width, channels))
    restore(model, artefact.tensors(), artefact.folder)
    return model.requires_grad_(False).eval()


def load_statistics(artefact: Artefact) -> dict[str, FeatureStatistics]:
    """Read the moments of every layer of a DAE artefact."""
    tensors = artefact.tensors("features.safetensors")
    return {layer: FeatureStatistics(tensors[f"{layer}.mean"], tensors[f"{layer}.covariance"]) for layer in LAYERS}
