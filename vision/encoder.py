"""Learning to see: from frames of D_U to an encoder artefact."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from darla.base import Artefact, InputError, begin, finish, is_complete, rng_for, seed_for, unknown_name
from darla.base.files import save_tensors, write_json
from darla.vision.base import VisionModel
from darla.vision.beta_vae import BetaVAE
from darla.vision.dae import DAE, LAYERS, DAEConfig
from darla.vision.encoding import batches, encode_frames, fit_normaliser, restore
from darla.vision.hardware import Numerics, Processes
from darla.vision.monitoring import ACTIVE, Monitor, code_statistics
from darla.vision.perceptual import FeatureStatistics, PerceptualLoss, feature_statistics
from darla.vision.probes import probe
from darla.vision.see_config import SeeConfig
from darla.vision.traversals import grid, reconstruct, traversal_rows, traverse, write_png
from darla.vision.training import Frames, initialised, train_model

Array = np.ndarray[Any, Any]
MODELS: dict[str, type[VisionModel]] = {"beta_vae": BetaVAE}
"""Every model that `train_encoder` can train, by name."""
_PROBED = 8192
_WATCHED = 256


class LabelledFrames(Frames, Protocol):
    """Frames with a digest and, where the environment has any, the state behind each."""

    @property
    def digest(self) -> str: ...

    @property
    def state(self) -> Mapping[str, Array]: ...


def build_model(
    config: SeeConfig, image_shape: tuple[int, int, int], perceptual: PerceptualLoss | None = None
) -> VisionModel:
    """Build the configured model, untrained.

    Args:
        config: the whole configuration.
        image_shape: height, width, channels.
        perceptual: the calibrated perceptual term, where the objective has one; a blank one to load into if None.

    Raises:
        InputError: there is no such model.
    """
    if config.model not in MODELS:
        raise unknown_name("model", config.model, MODELS)
    if perceptual is None and config.vae.needs_dae:
        perceptual = PerceptualLoss(DAE(config.dae, image_shape), config.vae.perceptual)
    return BetaVAE(config.vae, perceptual, image_shape)


def train_encoder(
    config: SeeConfig, frames: LabelledFrames, out: Path | str, seed: int, *, dae: Path | str | None = None
) -> Artefact:
    """Train an encoder on frames of D_U, the DAE first where the objective needs one.

    Interrupted, it resumes when called again with the same arguments; finished, it returns what is there.

    Args:
        config: what to train and how.
        frames: D_U: uint8 images, their digest, and their state for the probes, which training never sees.
        out: the artefact's folder; a DAE trained on the way becomes an artefact in `dae/` below it.
        seed: the stage's master seed.
        dae: a DAE artefact to use instead of training one, so that a sweep over the objective shares it.

    Returns:
        An artefact of kind `encoder`: `model.safetensors` (self-contained: the DAE and the normaliser are in it),
        `probes.json`, `reconstructions.png`, `traversals.png`, `history.csv`.

    Raises:
        InputError: `out` holds something else, or the DAE is not the one that `config.dae` describes.
        TrainingStopped: a loss or gradient was not finite.
    """
    out = Path(out)
    started = time.monotonic()
    image_shape = _image_shape(frames)
    if dae is not None and not config.vae.needs_dae:
        raise InputError(f"the DAE {dae} would be ignored: loss {config.vae.loss!r} compares no features")
    given = Artefact.load(dae, "dae") if dae is not None else None
    record = {
        "see": config.to_dict(),
        "image_shape": list(image_shape),
        "frames": frames.digest,
        "seed": seed,
        "dae": given.digest if given else None,
    }
    numerics = Numerics.choose(config.training.precision, config.training.device)
    processes = Processes.join(numerics.device)
    complete = is_complete(out)
    if processes.leads:
        begin(out, "encoder", record)
    processes.wait()
    if complete:
        return Artefact.load(out, "encoder")
    rows, held_out = split(len(frames), config.held_out, seed)

    inputs = {"frames": frames.digest}
    perceptual = None
    if config.vae.needs_dae:
        given = given or train_dae(config, frames, out / "dae", seed)
        inputs["dae"] = given.digest
        perceptual = PerceptualLoss(load_dae(given), config.vae.perceptual)
        perceptual.calibrate(_statistics(given)[config.vae.perceptual.layer])
    model = initialised(lambda: build_model(config, image_shape, perceptual), seed_for(seed, "weights"))
    monitor = Monitor(model, frames[held_out[:_WATCHED]], out, seed_for(seed, "monitor"))
    training = train_model(
        model, frames, config.training, out, seed_for(seed, "training"), rows=rows, label="learn to see", observe=monitor
    )
    monitor.close()
    if processes.leads:
        overhead = time.monotonic() - started
        _describe(model, frames, config, rows, held_out, out, seed)
        finish(
            out, "encoder", record, seed=seed, inputs=inputs, wall_seconds=training.seconds + time.monotonic() - started - overhead
        )
    processes.wait()
    return Artefact.load(out, "encoder")


def train_dae(config: SeeConfig, frames: LabelledFrames, out: Path | str, seed: int) -> Artefact:
    """Train the denoising autoencoder and measure its features over D_U.

    Args:
        config: of which `dae`, `dae_training`, `held_out` and `statistics_frames` matter.
        frames: D_U.
        out: the artefact's folder.
        seed: the master seed.

    Returns:
        An artefact of kind `dae`: `model.safetensors`, `features.safetensors` (mean and covariance of every layer, so
        that one DAE serves every choice of J), `probes.json` (what its bottleneck knows of the objects: J cannot teach
        what the DAE has forgotten), `reconstructions.png`, `history.csv`.
    """
    out = Path(out)
    image_shape = _image_shape(frames)
    record = {
        "dae": config.to_dict()["dae"],
        "training": config.to_dict()["dae_training"],
        "held_out": config.held_out,
        "statistics_frames": config.statistics_frames,
        "image_shape": list(image_shape),
        "frames": frames.digest,
        "seed": seed,
    }
    numerics = Numerics.choose(config.dae_training.precision, config.dae_training.device)
    processes = Processes.join(numerics.device)
    complete = is_complete(out)
    if processes.leads:
        begin(out, "dae", record)
    processes.wait()
    if complete:
        return Artefact.load(out, "dae")
    rows, held_out = split(len(frames), config.held_out, seed)
    model = initialised(lambda: DAE(config.dae, image_shape), seed_for(seed, "dae weights"))
    monitor = Monitor(model, frames[held_out[:_WATCHED]], out, seed_for(seed, "monitor"))
    training = train_model(
        model, frames, config.dae_training, out, seed_for(seed, "dae"), rows=rows, label="denoising autoencoder", observe=monitor
    )
    monitor.close()
    if processes.leads:
        started = time.monotonic()
        moments = feature_statistics(model, batches(model, frames, _sample(rows, config.statistics_frames, seed)))
        tensors = {f"{layer}.{part}": getattr(found, part) for layer, found in moments.items() for part in ("mean", "covariance")}
        save_tensors(out / "features.safetensors", tensors)
        save_tensors(out / "model.safetensors", model.state_dict())
        probed, marks = _probe_rows(rows, held_out, seed)
        with torch.inference_mode():
            codes = np.concatenate([model.features(batch, "bottleneck").cpu().numpy() for batch in batches(model, frames, probed)])
        report = probe(codes, _state(frames, probed), seed_for(seed, "probes"), held_out=marks)
        report["reconstruction"] = _errors(model, frames, held_out)
        write_json(out / "probes.json", report)
        write_png(out / "reconstructions.png", grid(reconstruct(model, model.to_input(frames[held_out[:12]])), scale=2))
        finish(
            out, "dae", record, seed=seed, inputs={"frames": frames.digest},
            wall_seconds=training.seconds + time.monotonic() - started,
        )  # fmt: skip
    processes.wait()
    return Artefact.load(out, "dae")


def load_dae(artefact: Artefact) -> DAE:
    """Build the DAE that an artefact holds, frozen and in eval mode."""
    height, width, channels = artefact.config["image_shape"]
    model = DAE(DAEConfig(**artefact.config["dae"]), (height, width, channels))
    restore(model, artefact.tensors(), artefact.folder)
    return model.requires_grad_(False).eval()


def split(frames: int, held_out: float, seed: int) -> tuple[Array, Array]:
    """Split frame indices into those to train on and those held out, at least one each.

    Raises:
        InputError: there are fewer than two frames.
    """
    if frames < 2:
        raise InputError(f"at least 2 frames are needed to learn to see, not {frames}")
    order = rng_for(seed, "held out").permutation(frames)
    count = min(max(1, round(held_out * frames)), frames - 1)
    return np.sort(order[count:]), order[:count]


def _describe(
    model: VisionModel, frames: LabelledFrames, config: SeeConfig, rows: Array, held_out: Array, out: Path, seed: int
) -> None:
    """Fit the normaliser, then write weights, probes and pictures."""
    fit_normaliser(model, encode_frames(model, frames, _sample(rows, config.statistics_frames, seed)))
    save_tensors(out / "model.safetensors", model.state_dict())
    seen = list(batches(model, frames, held_out[:2048]))
    kl, variance = code_statistics(model, seen)
    probed, marks = _probe_rows(rows, held_out, seed)
    report = probe(encode_frames(model, frames, probed), _state(frames, probed), seed_for(seed, "probes"), held_out=marks)
    report["kl"] = {
        "total": float(kl.sum()),
        "per_latent": [float(value) for value in kl],
        "active_units": int((variance > ACTIVE).sum()),
    }
    report["reconstruction"] = _errors(model, frames, held_out)
    write_json(out / "probes.json", report)
    images = model.to_input(frames[held_out[:12]])
    write_png(out / "reconstructions.png", grid(reconstruct(model, images), scale=2))
    write_png(out / "traversals.png", grid(traversal_rows(traverse(model, images[:1], kl)), scale=2))


@torch.inference_mode()
def _errors(model: VisionModel | DAE, frames: Frames, held_out: Array) -> dict[str, float]:
    """Return mean squared errors on held-out images, per pixel and channel in units of the pixel range."""
    raw, shown = [], []
    for images in batches(model, frames, held_out[:2048]):
        decoded: Tensor = model(images) if isinstance(model, DAE) else model.decode(model.encode(images).mean)
        raw.append((decoded - images).square().mean(dim=(1, 2, 3)))
        if isinstance(model, VisionModel):
            shown.append((model.display(decoded) - images).square().mean(dim=(1, 2, 3)))
    found = {"mean_squared_error": float(torch.cat(raw).mean())}
    if shown:
        found["mean_squared_error_as_displayed"] = float(torch.cat(shown).mean())
    return found


def _image_shape(frames: Frames) -> tuple[int, int, int]:
    images = frames[np.arange(min(1, len(frames)))]
    if images.ndim != 4 or images.dtype != np.uint8:
        raise InputError(f"frames must be uint8 images (N, H, W, C), not {images.dtype} of shape {images.shape}")
    return images.shape[1], images.shape[2], images.shape[3]


def _sample(rows: Array, count: int, seed: int) -> Array:
    if len(rows) <= count:
        return rows
    return np.sort(rng_for(seed, "statistics").choice(rows, count, replace=False))


def _probe_rows(rows: Array, held_out: Array, seed: int) -> tuple[Array, Array]:
    """Return frames to fit probes on and frames to score them on, and which are which."""
    fitted, scored = _sample(rows, _PROBED, seed), held_out[:_PROBED]
    return np.concatenate([fitted, scored]), np.repeat([False, True], [len(fitted), len(scored)])


def _state(frames: LabelledFrames, rows: Array) -> dict[str, Array]:
    return {name: values[rows] for name, values in frames.state.items()}


def _statistics(artefact: Artefact) -> dict[str, FeatureStatistics]:
    tensors = artefact.tensors("features.safetensors")
    return {layer: FeatureStatistics(tensors[f"{layer}.mean"], tensors[f"{layer}.covariance"]) for layer in LAYERS}
