"""The first half of learning to see with features: train the denoising autoencoder and measure it."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darla.common import Artefact, seed_for, writes_nothing_if_refused
from darla.common.checked_config import checked_arguments
from darla.common.files import save_tensors, write_json
from darla.common.speeds.meter import measuring
from darla.envs.pictures import only_a_picture
from darla.vision.encoders.config import SeeConfig
from darla.vision.encoders.encode import batches
from darla.vision.encoders.expected_time import DAE_LABEL, dae_parts
from darla.vision.encoders.probes import probe, state_of
from darla.vision.encoders.reconstruction_errors import reconstruction_errors
from darla.vision.encoders.splits import Array, probe_rows, split, subsample
from darla.vision.encoders.stage import TrainingStage
from darla.vision.encoders.traversals import grid, reconstruct, write_png
from darla.vision.models.dae import DAE
from darla.vision.models.feature_space import feature_statistics
from darla.vision.training.batches import LabeledFrames, image_shape_of
from darla.vision.training.loop import build_seeded, train_model
from darla.vision.training.monitor import Monitor
from darla.vision.training.units import single_images


@checked_arguments
@writes_nothing_if_refused
def train_dae(config: SeeConfig, frames: LabeledFrames, out: Path | str, seed: int) -> Artefact:
    """Train the denoising autoencoder and measure its features over D_U.

    Args:
        config: of which `dae`, `dae_training`, `held_out` and `statistics_frames` are used.
        frames: D_U.
        out: the artefact's folder.
        seed: the master seed.

    Returns:
        An artefact of kind `dae`: `model.safetensors`; `features.safetensors`, mean and covariance of every layer, so
        that one DAE serves every choice of J; `probes.json`, what can be read from its bottleneck about the objects,
        because J cannot preserve what the DAE has lost; `reconstructions.png`; `history.csv`.

    Raises:
        InputError: the frames cannot be used, or the folder holds something else.
        TrainingDivergedError: a loss or a gradient was not finite.
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
    stage = TrainingStage.open(out, "dae", record, config.dae_training.device)
    if stage.finished:
        return stage.finished
    parts = dae_parts(config, image_shape, frames=len(frames), processes=stage.processes.world)
    with measuring(DAE_LABEL, parts, quiet=not stage.processes.leads):
        rows, held_out = split(len(frames), config.held_out, seed, getattr(frames, "unit_size", 1))
        model = build_seeded(lambda: DAE(config.dae, image_shape), seed_for(seed, "dae weights"))
        monitor = Monitor(model, frames, single_images(held_out), out, seed)
        with closing(monitor):
            training = train_model(
                model,
                frames,
                config.dae_training,
                out,
                seed_for(seed, "dae"),
                rows=rows,
                label=DAE_LABEL,
                observe=monitor,
            )

            def describe() -> None:
                monitor.conclude(_describe(model, frames, config, rows, held_out, out, seed), config.dae_training.steps)

            return stage.finish(describe, training_seconds=training.seconds, inputs={"frames": frames.digest})


def _describe(
    model: DAE, frames: LabeledFrames, config: SeeConfig, rows: Array, held_out: Array, out: Path, seed: int
) -> dict[str, Any]:
    """Write weights, feature statistics, probes and images; return the probes."""
    save_tensors(out / "model.safetensors", model.state_dict())
    measured = subsample(rows, config.statistics_frames, seed)
    moments = feature_statistics(model, batches(model, frames, measured))
    tensors = {f"{layer}.mean": each.mean for layer, each in moments.items()}
    tensors |= {f"{layer}.covariance": each.covariance for layer, each in moments.items()}
    save_tensors(out / "features.safetensors", tensors)
    probed, is_held_out = probe_rows(rows, held_out, seed)
    with torch.inference_mode():
        features = [model.features(batch, "bottleneck").cpu().numpy() for batch in batches(model, frames, probed)]
    codes = np.concatenate(features)
    codes /= max(float(codes.std()), 1e-12)  # the bottleneck has an arbitrary scale
    report = probe(codes, state_of(frames, probed), seed_for(seed, "probes"), held_out=is_held_out)
    report["reconstruction"] = reconstruction_errors(model, frames, held_out)
    write_json(out / "probes.json", report)
    images = model.to_input(frames[held_out[:12]])
    with only_a_picture(f"the picture of reconstructions in {out}"):
        write_png(out / "reconstructions.png", grid(reconstruct(model, images), scale=2))
    return report
