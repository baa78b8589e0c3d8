"""Learning to see: from frames of D_U to an encoder artefact."""

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from darla.common import Artefact, InputError, is_complete, open_artefact, seed_for, writes_nothing_if_refused
from darla.common.checked_config import checked_arguments
from darla.common.files import save_tensors, write_json
from darla.common.speeds.meter import measuring
from darla.envs.frames.frame_set import FrameSet
from darla.envs.pictures import only_a_picture
from darla.vision.encoders.check_model import check_model
from darla.vision.encoders.config import SeeConfig
from darla.vision.encoders.encode import batches, encode_frames, fit_normalizer
from darla.vision.encoders.expected_time import SEE_LABEL, dae_parts, see_parts
from darla.vision.encoders.load import build_model, load_dae, load_statistics
from darla.vision.encoders.probes import probe, state_of
from darla.vision.encoders.reconstruction_errors import reconstruction_errors
from darla.vision.encoders.splits import Array, probe_rows, split, subsample
from darla.vision.encoders.stage import TrainingStage
from darla.vision.encoders.train_dae import train_dae
from darla.vision.encoders.traversals import (
    animate,
    draw_sheets,
    grid,
    reconstruct,
    traversal_rows,
    traverse,
    write_gif,
    write_png,
)
from darla.vision.models.base import VisionModel
from darla.vision.models.dae import DAEConfig
from darla.vision.models.feature_space import FeatureSpace
from darla.vision.models.registry import model_info
from darla.vision.training.batches import LabeledFrames, image_shape_of
from darla.vision.training.config import TrainingConfig
from darla.vision.training.loop import build_seeded, train_model
from darla.vision.training.monitor import ACTIVE, Monitor, code_statistics, dead_units
from darla.vision.training.units import units_of

_MANY_DEAD_UNITS, _KILLED = 0.5, 0.15
"""Fraction of dead units, and of units that training has killed, above which a warning is printed. Units that are dead
before training, since the images are alike or by their initial weights, cost nothing that training could have kept."""
FRAMES_PATH = "frames_path"
"""Key of the card's paths: where the frames of the training lie."""
_JUDGED = 256
"""Held-out images by which dead units are counted."""
_MOVIE_VALUES = 13
"""Values of a latent in the traversal movie, from one end of its range to the other."""


@checked_arguments
@writes_nothing_if_refused
def train_encoder(
    config: SeeConfig,
    frames: LabeledFrames,
    out: Path | str,
    seed: int,
    *,
    dae: Artefact | Path | str | None = None,
    watch: Sequence[str] = (),
) -> Artefact:
    """Train an encoder on frames, and its denoising autoencoder first where the objective needs one.

    A call that was interrupted resumes where it stopped; a finished one returns at once.

    Args:
        config: what to train, on which objective, for how long.
        frames: D_U.
        out: the artefact's folder.
        seed: the master seed.
        dae: a DAE artefact to use, so that several encoders can share one; its settings become part of the record. If
            None, one is trained in `out/dae`.
        watch: metrics of the suite to compute on held-out frames during training, which must have factors; the results
            go to TensorBoard and `watched/metrics.csv`. They do not affect training.

    Returns:
        An artefact of kind `encoder`: `model.safetensors` (J and the codes' normalizer included), `probes.json`; of a
        model with a decoder `reconstructions.png`, `traversals.png`, `traversals.gif`; pictures that the model itself
        adds (`VisionModel.sheets`), `history.csv`, TensorBoard events.

    Raises:
        InputError: a configuration or frames that cannot be used, a DAE that would be ignored, or frames without what
            the model needs beyond images.
        TrainingDivergedError: a loss or a gradient was not finite.
    """
    out = Path(out)
    image_shape = image_shape_of(frames)
    supervision = model_info(config.model).needs
    supervision.check(config.model, frames)
    config = replace(config, vae=config.vae.for_frames(frames))
    denoiser = open_artefact(dae, "dae") if dae is not None else None
    if denoiser is not None:
        config = _adopt(config, denoiser)
    record = {
        "see": config.to_dict(),
        "image_shape": list(image_shape),
        "frames": frames.digest,
        "seed": seed,
        "dae": denoiser.digest if denoiser else None,
    }
    stage = TrainingStage.open(out, "encoder", record, config.training.device)
    if stage.finished:
        return stage.finished
    processes = stage.processes.world
    parts = see_parts(config, image_shape, frames=len(frames), watch=watch, processes=processes)
    trains_dae = config.vae.needs_dae and denoiser is None and not is_complete(out / "dae")
    of_dae = dae_parts(config, image_shape, frames=len(frames), processes=processes) if trains_dae else []
    with measuring(SEE_LABEL, parts, inner=of_dae, quiet=not stage.processes.leads) as meter:
        rows, held_out = split(len(frames), config.held_out, seed, getattr(frames, "unit_size", 1))
        units = [units_of(supervision, frames, part, seed_for(seed, "units")) for part in (rows, held_out)]
        inputs = {"frames": frames.digest}
        feature_space = None
        if config.vae.needs_dae:
            denoiser = denoiser or train_dae(config, frames, out / "dae", seed)
            inputs["dae"] = denoiser.digest
            feature_space = FeatureSpace(load_dae(denoiser), config.vae.perceptual)
            feature_space.calibrate(load_statistics(denoiser)[config.vae.perceptual.layer])
        model = build_seeded(lambda: build_model(config, image_shape, feature_space), seed_for(seed, "weights"))
        model.initialize()
        if config.training.steps:
            check_model(model, frames, units[0])
        at_first = dead_units(model, model.to_input(frames[held_out[:_JUDGED]]))
        monitor = Monitor(model, frames, units[1], out, seed, watch)
        with closing(monitor):
            training = train_model(
                model,
                frames,
                config.training,
                out,
                seed_for(seed, "training"),
                units=units[0],
                label=SEE_LABEL,
                observe=monitor,
            )
            meter.announce()  # where nothing is trained
            # The domain of the frames decides the leak level of a transfer task; frames from elsewhere have none.
            return stage.finish(
                lambda: _describe(model, frames, config, rows, held_out, out, seed, at_first, monitor),
                training_seconds=training.seconds,
                inputs=inputs,
                extra={"domain": getattr(frames, "domain", None), "supervision": str(supervision)},
                paths={FRAMES_PATH: frames.artefact.folder} if isinstance(frames, FrameSet) else {},
            )


def _adopt(config: SeeConfig, dae: Artefact) -> SeeConfig:
    """Return the configuration with the settings of a DAE that has been trained before.

    Raises:
        InputError: the DAE would be ignored, or was trained with settings other than those of the configuration.
    """
    if not config.vae.needs_dae:
        raise InputError(f"DAE {dae.folder} would be ignored: model {config.model!r} with this loss uses no DAE")
    default = SeeConfig()
    network, training = DAEConfig(**dae.config["dae"]), TrainingConfig(**dae.config["training"])
    # Settings that are left at their defaults are taken from the DAE.
    pairs = (config.dae, network, default.dae), (config.dae_training, training, default.dae_training)
    if any(requested not in (trained, unset) for requested, trained, unset in pairs):
        raise InputError(f"DAE {dae.folder} was trained with other settings than those requested")
    return replace(config, dae=network, dae_training=training)


def _describe(
    model: VisionModel,
    frames: LabeledFrames,
    config: SeeConfig,
    rows: Array,
    held_out: Array,
    out: Path,
    seed: int,
    dead_at_first: float | None,
    monitor: Monitor,
) -> None:
    """Fit the normalizer, then write weights, probes and images."""
    fit_normalizer(model, encode_frames(model, frames, subsample(rows, config.statistics_frames, seed)))
    save_tensors(out / "model.safetensors", model.state_dict())
    inputs = list(batches(model, frames, held_out[:2048], _JUDGED))
    kl, variance = code_statistics(model, inputs)
    probed, is_held_out = probe_rows(rows, held_out, seed)
    codes = encode_frames(model, frames, probed, normalize=not model.has_prior)  # probes need a common scale
    report = probe(codes, state_of(frames, probed), seed_for(seed, "probes"), held_out=is_held_out)
    report["kl"] = {
        "total": float(kl.sum()),
        "per_latent": [float(value) for value in kl],
        "active_units": int((variance > ACTIVE).sum()),
    }
    report["reconstruction"] = reconstruction_errors(model, frames, held_out) if model.has_decoder else {}
    report["dead_units"] = dead = dead_units(model, inputs[0])
    if dead is not None and dead_at_first is not None and dead > max(_MANY_DEAD_UNITS, dead_at_first + _KILLED):
        print(_dead_units_warning(dead, dead_at_first, config), file=sys.stderr, flush=True)
    write_json(out / "probes.json", report)
    if model.has_decoder:
        _draw(model, model.to_input(frames[held_out[:12]]), kl, out, seed)
    film = out / "traversals.gif"
    monitor.conclude(report, config.training.steps, film.read_bytes() if film.is_file() else None)


def _draw(model: VisionModel, images: Tensor, kl: Array, out: Path, seed: int) -> None:
    """Draw reconstructions, traversals and the model's own pictures of some images."""
    with only_a_picture(f"the picture of reconstructions in {out}"):
        write_png(out / "reconstructions.png", grid(reconstruct(model, images), scale=2))
    with only_a_picture(f"the picture of traversals in {out}"):
        write_png(out / "traversals.png", grid(traversal_rows(traverse(model, images[:1], kl)), scale=2))
        write_gif(out / "traversals.gif", animate(traverse(model, images[:1], kl, values=_MOVIE_VALUES)))
    with only_a_picture(f"the model's own pictures in {out}"):
        for name, sheet in draw_sheets(model, images, seed_for(seed, "sheets")).items():
            write_png(out / f"{name}.png", sheet)


def _dead_units_warning(fraction: float, at_first: float, config: SeeConfig) -> str:
    # ELUs help in every model that was tried, over three seeds. A lower rate or other initial weights left more units
    # alive in one short trial, and the images no better. The figures: docs/disentanglers.md, "Dead units".
    relu = getattr(config.vae, "activation", None) == "relu"
    instead = "--vae.activation elu" if relu else f"a training.learning_rate below {config.training.learning_rate:g}"
    return (
        f"learn to see: training has killed units: {fraction:.0%} of the encoder's put out the same for every image, "
        f"and {at_first:.0%} did before; small objects get lost. Use {instead}"
    )
