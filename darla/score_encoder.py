"""Score an encoder: encode images of known factors once, and run the metric suite on the codes."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from darla.common import (
    Artefact,
    InputError,
    Progress,
    complete_artefact,
    is_complete,
    start_artefact,
    unknown_name,
    writes_nothing_if_refused,
)
from darla.common.artefact import CHECKPOINT, ENCODER_PATH, TENSORBOARD
from darla.common.checked_config import checked_arguments_but
from darla.common.files import write_bytes, write_json
from darla.common.speeds.meter import Meter, measuring
from darla.common.speeds.wording import Part
from darla.common.tracking.event_files import open_event_writer
from darla.envs.frames.frame_set import FrameSet, Images
from darla.envs.frames.own_images import ImageOptions, is_own_images
from darla.envs.image_data.factor_table import FactorTable, Source, check_channels, factor_table
from darla.envs.image_data.registry import IMAGE_DATA
from darla.envs.pictures import only_a_picture
from darla.learn_to_see import open_frames
from darla.vision import Posterior, VisionModel, load
from darla.vision.encoders.encode import posterior_of
from darla.vision.encoders.train_encoder import FRAMES_PATH
from darla.vision.metrics import Result, evaluate, table
from darla.vision.metrics.config import MetricsConfig
from darla.vision.metrics.expected_time import ENCODING_LABEL, metrics_parts
from darla.vision.metrics.metric_files import (
    MATRICES,
    METRICS,
    RESULTS,
    TABLE,
    KeptResults,
    describe_factors,
    read_results,
)


@checked_arguments_but("data")
@writes_nothing_if_refused
def metrics(
    encoder: Artefact | Path | str,
    out: Path | str,
    data: Source | Images | None = None,
    config: MetricsConfig | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    images: ImageOptions | None = None,
) -> Artefact:
    """Score an encoder.

    Args:
        encoder: an encoder artefact.
        out: folder of the artefact.
        data: `sprites`, `rooms`, other ground-truth data, or a frames artefact, whose varying factors are then the
            ground truth; or images as `darla.see` takes them, with a table of factors in `images`. None for what the
            encoder was trained on.
        config: which metrics and how; all of them if None.
        seed: of the images, and of the random draws of metrics.
        device: that encodes images and computes scores.
        images: how images of your own are read, and their factors; they become frames in `OUT-frames`.

    Returns:
        An artefact of kind `metrics`: `metrics.json` (each `Result`, and the names of the factors), `table.md`, and in
        `matrices/` an image of latents by factors for every metric that has such a matrix.

    Raises:
        InputError: a damaged encoder, unknown data, metrics or factors, images of another shape than the encoder was
            trained on, or something else in `out`.
    """
    started = time.monotonic()
    config = config or MetricsConfig()
    artefact = Artefact.load(encoder.folder if isinstance(encoder, Artefact) else encoder, "encoder")
    folder = artefact.folder
    labeled = factor_table(_scored(artefact, data, out, images), config.rows, seed)
    with ExitStack() as stack:
        try:
            kinds = _kinds(labeled, config)
            record = {
                "encoder": artefact.digest,
                "data": labeled.origin,
                "names": sorted(config.names),
                "preset": config.preset,
                "rows": len(labeled),
                "interval": config.interval,
                "continuous": sorted(config.continuous),
                "classes": sorted(config.classes),
                "seed": seed,
            }
            out = start_artefact(out, METRICS, record)
            if is_complete(out):
                return Artefact.load(out, METRICS)
            model = load(folder, device)
            check_channels(labeled, model.image_shape)
            meter = stack.enter_context(measuring("metrics", _parts(artefact, model, labeled, config, device)))
            kept = _TimedResults(out / CHECKPOINT, meter)
            posterior = _encode(model, labeled)
        finally:
            labeled.close()
        kept.begin()
        results = evaluate(
            posterior.mean,
            torch.from_numpy(labeled.factors),
            config.names or "all",
            seed=seed,
            preset=config.preset,
            interval=config.interval or None,
            continuous=kinds,
            kept=kept,
            log_variances=posterior.log_variance,
        )
        _write(out, results, labeled)
        _log(out, results)
        inputs = {"encoder": artefact.digest}
        if isinstance(labeled.source, FrameSet):
            inputs["frames"] = labeled.source.digest
        paths = {ENCODER_PATH: os.path.relpath(folder.resolve(), out.resolve())}  # for the report
        seconds = time.monotonic() - started
        return complete_artefact(out, METRICS, record, seed=seed, inputs=inputs, wall_seconds=seconds, paths=paths)


class _TimedResults(KeptResults):
    """Results that are kept, with the time that each metric took."""

    def __init__(self, folder: Path, meter: Meter) -> None:
        super().__init__(folder)
        self._meter = meter
        for name in self:
            meter.skip(name)
        self.begin()

    def begin(self) -> None:
        """Begin the time of the next metric."""
        self._since = time.monotonic()

    def __setitem__(self, name: str, result: Result) -> None:
        super().__setitem__(name, result)
        self._meter.count(name, 1, time.monotonic() - self._since)
        self.begin()


def _parts(
    encoder: Artefact, model: VisionModel, images: FactorTable, config: MetricsConfig, device: str
) -> list[Part]:
    """Return what scoring consists of, for its expected time."""
    return metrics_parts(
        config,
        encoder.config["see"],
        data=str(images.origin["name"]),
        images=len(images),
        image_shape=model.image_shape,
        latents=model.latent_dim,
        factors=len(images.names),
        device=device,
    )


def _kinds(images: FactorTable, config: MetricsConfig) -> list[bool | None]:
    """Return for each factor whether it is continuous: as asked for, as it is known, or None."""
    for name in (*config.continuous, *config.classes):
        if name not in images.names:
            raise unknown_name("factor", name, images.names)
    asked = dict.fromkeys(config.continuous, True) | dict.fromkeys(config.classes, False)
    return [asked.get(name, known) for name, known in zip(images.names, images.continuous, strict=True)]


def _scored(encoder: Artefact, data: Source | Images | None, out: Path | str, options: ImageOptions | None) -> Source:
    """Return the images to score an encoder on; those of a user become frames."""
    if is_own_images(data) and not (isinstance(data, str) and data in IMAGE_DATA):
        frames = open_frames(data, out, options, readable=False)
        if not frames.contexts:
            raise InputError(f"{frames.artefact.folder} has no factors to score against; give a table with --factors")
        return frames
    if options is not None and options != ImageOptions():
        raise InputError(
            "options of images (resize, fit, channels, factors) would be ignored: name images of your own as data"
        )
    assert not isinstance(data, np.ndarray), "an array is images of a user"
    return _training_data(encoder) if data is None else data


def _training_data(encoder: Artefact) -> Source:
    """Return what an encoder was trained on: image data, or the frames if they are still in their place."""
    domain = encoder.card["extra"].get("domain") or {}
    name = domain.get("name")
    if "factors" in domain and name in IMAGE_DATA:
        return str(name)
    place = encoder.place_of(FRAMES_PATH)
    if place is not None and is_complete(place):
        frames = FrameSet.open(Path(os.path.normpath(place)))
        if frames.digest == encoder.card["inputs"].get("frames"):
            return frames
    raise InputError(
        f"the frames that {encoder.folder} was trained on are not where they were; name with --data what to score it "
        f"on: {', '.join(IMAGE_DATA)}, a folder of frames, or images with --factors"
    )


def _encode(model: VisionModel, images: FactorTable) -> Posterior:
    """Return the posterior of all images, on the model's device."""
    with Progress(len(images), ENCODING_LABEL, "image") as progress:

        def inputs() -> Iterator[Tensor]:
            for batch in images.images():
                yield model.to_input(batch)
                progress.update(len(batch))

        return posterior_of(model, inputs())


def _write(out: Path, results: dict[str, Result], images: FactorTable) -> None:
    # Not at the top: Matplotlib takes a second to import.
    from darla.reports.figures.relation import relation_figure
    from darla.reports.figures.style import to_png

    stored: dict[str, Any] = {name: result.to_dict() for name, result in results.items()}
    for name, result in results.items():
        if result.matrix is not None:
            with only_a_picture(f"the matrix of {name} in {out}"):
                write_bytes(out / MATRICES / f"{name}.png", to_png(relation_figure(result, images.names)))
    text = f"{len(images)} images of {images.origin['name']}; factors: {describe_factors(results, images.names)}\n\n"
    write_bytes(out / TABLE, (text + table(results, "markdown") + "\n").encode())
    write_json(out / RESULTS, {"factors": list(images.names), "results": stored})


def _log(out: Path, results: dict[str, Result]) -> None:
    """Write the scores, the matrices and the table to TensorBoard."""
    with closing(open_event_writer(out / TENSORBOARD, None)) as writer:
        for name, result in results.items():
            writer.add_scalar(f"metrics/{name}", result.score, 0)
            if (matrix := out / MATRICES / f"{name}.png").is_file():
                writer.add_picture(f"matrices/{name}", np.asarray(Image.open(matrix).convert("RGB")), 0)
        rows = [(name, result.score, result.chance, result.ceiling) for name, result in results.items()]
        writer.add_table("metrics", ("metric", "score", "chance", "ceiling"), rows, 0)


def summary(artefact: Artefact) -> str:
    """Return the table of an artefact for a terminal."""
    return table(read_results(artefact)[0])
