"""Learning to see: from frames of D_U to an encoder artefact."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from darla.common import Artefact, InputError, complete_artefact, seed_for
from darla.common.files import save_tensors, write_json
from darla.vision.encoders.config import SeeConfig
from darla.vision.encoders.encode import batches, encode_frames, fit_normaliser
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
from darla.vision.encoders.train_dae import load_dae, load_statistics, train_dae
from darla.vision.encoders.traversals import animate, grid, reconstruct, traversal_rows, traverse, write_gif, write_png
from darla.vision.models.base import VisionModel
from darla.vision.models.dae import DAE, DAEConfig
from darla.vision.models.perceptual import PerceptualLoss
from darla.vision.models.registry import find_model
from darla.vision.training.config import TrainingConfig
from darla.vision.training.loop import build_seeded
from darla.vision.training.monitor import ACTIVE, code_statistics, dead_units, train_watched

_SILENT = 0.5
"""Share of silent units above which a training says so."""
_MOVES = 13
"""Values that a latent takes in the moving pictures, on its way there and back."""


def build_model(
    config: SeeConfig, image_shape: tuple[int, int, int], perceptual: PerceptualLoss | None = None
) -> VisionModel:
    """Build the configured model, untrained.

    Args:
        config: the whole configuration.
        image_shape: height, width, channels.
        perceptual: the calibrated perceptual term, where the objective has one; a blank one to load into if
            None.
    """
    if perceptual is None and config.vae.needs_dae:
        perceptual = PerceptualLoss(DAE(config.dae, image_shape), config.vae.perceptual)
    return find_model(config.model)(config.vae, perceptual, image_shape)


def train_encoder(
    config: SeeConfig,
    frames: LabelledFrames,
    out: Path | str,
    seed: int,
    *,
    dae: Path | str | None = None,
    watch: Sequence[str] = (),
) -> Artefact:
    """Train an encoder on frames of D_U, the DAE first where the objective needs one.

    Interrupted, it resumes when called again with the same arguments; finished, it returns what is there.

    Args:
        config: what to train and how.
        frames: D_U: uint8 images, their digest, and their state for the probes, which training never sees.
        out: the artefact's folder; a DAE trained on the way becomes an artefact in `dae/` below it.
        seed: the stage's master seed.
        dae: a DAE artefact to use instead of training one, so that a sweep over the objective shares it.
        watch: metrics of the suite to write to TensorBoard and `watched/` during training; they change no result.

    Returns:
        An artefact of kind `encoder`: `model.safetensors`, which is self-contained, since the DAE and the
        normaliser are in it; `probes.json`, `reconstructions.png`, `traversals.png` and `.gif`, `history.csv`.

    Raises:
        InputError: `out` holds something else, or the DAE is not the one that the configuration describes.
        TrainingDivergedError: a loss or gradient was not finite.
    """
    out = Path(out)
    image_shape = image_shape_of(frames)
    given = Artefact.load(dae, "dae") if dae is not None else None
    if given is not None:
        config = _adopt(config, given)
    record = {
        "see": config.to_dict(),
        "image_shape": list(image_shape),
        "frames": frames.digest,
        "seed": seed,
        "dae": given.digest if given else None,
    }
    processes, complete = open_together(out, "encoder", record, config.training.device)
    if complete:
        return Artefact.load(out, "encoder")
    rows, held_out = split(len(frames), config.held_out, seed)

    inputs = {"frames": frames.digest}
    perceptual = None
    if config.vae.needs_dae:
        given = given or train_dae(config, frames, out / "dae", seed)
        inputs["dae"] = given.digest
        perceptual = PerceptualLoss(load_dae(given), config.vae.perceptual)
        perceptual.calibrate(load_statistics(given)[config.vae.perceptual.layer])
    model = build_seeded(lambda: build_model(config, image_shape, perceptual), seed_for(seed, "weights"))
    label = "learn to see"
    training = train_watched(
        model,
        frames,
        config.training,
        out,
        seed,
        stream="training",
        rows=rows,
        held_out=held_out,
        label=label,
        watch=watch,
    )
    if processes.leads:
        started = time.monotonic()
        _describe(model, frames, config, rows, held_out, out, seed)
        seconds = training.seconds + time.monotonic() - started
        # What it has seen decides how much of a target has leaked; frames that were not collected here do not tell.
        seen = getattr(frames, "domain", None)
        complete_artefact(
            out, "encoder", record, seed=seed, inputs=inputs, wall_seconds=seconds, extra={"domain": seen}
        )
    processes.wait()
    return Artefact.load(out, "encoder")


def _adopt(config: SeeConfig, dae: Artefact) -> SeeConfig:
    """Return the configuration with the settings of a DAE that is already there."""
    if not config.vae.needs_dae:
        raise InputError(f"DAE {dae.folder} would be ignored: loss {config.vae.loss!r} compares no features")
    default = SeeConfig()
    network, training = DAEConfig(**dae.config["dae"]), TrainingConfig(**dae.config["training"])
    asked = (config.dae, network, default.dae), (config.dae_training, training, default.dae_training)
    if any(wanted not in (found, unsaid) for wanted, found, unsaid in asked):
        raise InputError(f"DAE {dae.folder} was trained with other settings than were asked for")
    return replace(config, dae=network, dae_training=training)


def _describe(
    model: VisionModel,
    frames: LabelledFrames,
    config: SeeConfig,
    rows: Array,
    held_out: Array,
    out: Path,
    seed: int,
) -> None:
    """Fit the normaliser, then write weights, probes and pictures."""
    fit_normaliser(model, encode_frames(model, frames, sample(rows, config.statistics_frames, seed)))
    save_tensors(out / "model.safetensors", model.state_dict())
    seen = list(batches(model, frames, held_out[:2048]))
    kl, variance = code_statistics(model, seen)
    probed, marks = probe_rows(rows, held_out, seed)
    codes = encode_frames(model, frames, probed, normalise=not model.has_prior)  # probes want a scale
    report = probe(codes, state_of(frames, probed), seed_for(seed, "probes"), held_out=marks)
    report["kl"] = {
        "total": float(kl.sum()),
        "per_latent": [float(value) for value in kl],
        "active_units": int((variance > ACTIVE).sum()),
    }
    report["reconstruction"] = errors(model, frames, held_out)
    report["dead_units"] = dead_units(model, seen[0])
    if (report["dead_units"] or 0.0) > _SILENT:
        print(_silent(report["dead_units"], config), file=sys.stderr, flush=True)
    write_json(out / "probes.json", report)
    images = model.to_input(frames[held_out[:12]])
    write_png(out / "reconstructions.png", grid(reconstruct(model, images), scale=2))
    write_png(out / "traversals.png", grid(traversal_rows(traverse(model, images[:1], kl)), scale=2))
    write_gif(out / "traversals.gif", animate(traverse(model, images[:1], kl, values=_MOVES)))


def _silent(share: float, config: SeeConfig) -> str:
    """Say what a network that has lost its units is, and what keeps them."""
    instead = " or --vae.activation elu" if config.vae.activation == "relu" else ""
    return (
        f"learn to see: {share:.0%} of the encoder's units put out the same for every image, so they take no part; "
        f"a training.learning_rate below {config.training.learning_rate:g}{instead} keeps them"
    )
