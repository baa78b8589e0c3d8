"""Monitoring of a training on held-out images: numbers for `history.csv`, numbers and images for TensorBoard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import seed_for
from darla.common.artefact import TENSORBOARD
from darla.common.tracking.event_files import open_event_writer
from darla.envs.pictures import only_a_picture
from darla.vision.encoders.encode import posterior_of
from darla.vision.encoders.traversals import draw_sheets, grid, reconstruct, traversal_rows, traverse
from darla.vision.models.base import VisionModel
from darla.vision.models.dae import DAE
from darla.vision.models.image_model import ImageModel
from darla.vision.models.networks import Encoder
from darla.vision.training.batches import Frames
from darla.vision.training.metric_monitor import MetricMonitor
from darla.vision.training.units import Units

ACTIVE = 0.01
"""A latent is active if its mean varies over images by more than this variance (Burda et al. 2016, arXiv
1509.00519)."""
MONITORED = 256
"""Held-out images that are evaluated during training."""
_DISPLAYED = 8
_PROBES = ("linear", "nonlinear", "chance", "ceiling")


def code_statistics(model: VisionModel, batches: list[Tensor]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return each latent's mean KL in nats and the variance of its mean over images, both (D,)."""
    posterior = posterior_of(model, batches)
    kl, variance = posterior.kl_per_latent().mean(dim=0), posterior.mean.var(dim=0, correction=0)
    return kl.cpu().numpy(), variance.cpu().numpy()


def dead_units(model: ImageModel, images: Tensor) -> float | None:
    """Return the fraction of the encoder's units whose output is the same for all images.

    None for fewer than two images, or another kind of encoder.
    """
    encoder = getattr(model, "encoder", None)
    return encoder.dead_units(images) if isinstance(encoder, Encoder) and len(images) > 1 else None


class Monitor:
    """Evaluates a model in training on held-out images, at every row of the history.

    Args:
        model: what is being trained.
        frames: uint8 images.
        held_out: the frames to evaluate on, in the units that the model trains on; the first 256 images are used.
        out: the run's folder; events go to `tensorboard/` below it.
        seed: the stage's master seed; the noise in the held-out loss is the same every time.
        watch: metrics of the suite to compute as well.

    Raises:
        InputError: metrics are requested that cannot be computed (see `MetricMonitor`).
    """

    def __init__(
        self,
        model: ImageModel,
        frames: Frames,
        held_out: Units,
        out: Path,
        seed: int,
        watch: Sequence[str] = (),
    ) -> None:
        self._metrics = (
            MetricMonitor(frames, held_out.rows.reshape(-1), watch, out, seed_for(seed, "watched metrics"))
            if watch
            else None
        )
        units = np.arange(min(len(held_out), max(1, MONITORED // held_out.size)))
        self.model, self.images, self.seed = model, frames[held_out.images_of(units)], seed_for(seed, "monitor")
        self._known = held_out.supervision_of(units, model.device)
        self._folder = out / TENSORBOARD
        self._writer: Any = None

    def __call__(self, row: Mapping[str, float]) -> dict[str, float]:
        """Evaluate the model and write the results, with a row of the training's own numbers, to TensorBoard.

        Returns:
            The held-out loss terms; of a model with latents, the number of active ones (`active_units`); and the
            fraction of the encoder's units whose output is the same for all images (`dead_units`).
        """
        step = int(row["step"])
        images = self.model.to_input(self.images)
        noise = torch.Generator(images.device).manual_seed(self.seed)
        with torch.inference_mode():
            known = {name: value.to(images.device) for name, value in self._known.items()}
            terms = self.model.loss(images, noise, known) if known else self.model.loss(images, noise)
        results = {f"held_out_{name}": float(value) for name, value in terms.items()}
        if (dead := dead_units(self.model, images)) is not None:
            results["dead_units"] = dead
        writer = self._open(step)
        if isinstance(self.model, VisionModel):
            kl, variance = code_statistics(self.model, [images])
            results["active_units"] = float((variance > ACTIVE).sum())
            for latent, value in enumerate(kl):
                writer.add_scalar(f"kl_per_latent/z{latent:02d}", value, step)
            writer.add_histogram("kl_per_latent", kl, step)
            with only_a_picture("the picture of traversals in TensorBoard"):
                rows = traversal_rows(traverse(self.model, images[:1], kl, values=7, latents=12))
                writer.add_picture("traversals", grid(rows), step)
            with only_a_picture("the model's own pictures in TensorBoard"):
                for name, sheet in draw_sheets(self.model, images, self.seed).items():
                    writer.add_picture(name, sheet, step)
        if isinstance(self.model, VisionModel | DAE):
            with only_a_picture("the picture of reconstructions in TensorBoard"):
                rows = reconstruct(self.model, images[:_DISPLAYED])
                writer.add_picture("reconstructions", grid(rows), step)
        for name, value in row.items():
            if name != "step":
                writer.add_scalar(f"train/{name}", value, step)
        for name, value in results.items():
            writer.add_scalar(f"held_out/{name.removeprefix('held_out_')}", value, step)
        if self._metrics is not None and isinstance(self.model, VisionModel):
            for name, value in self._metrics(self.model, step).items():
                writer.add_scalar(f"metrics/{name}", value, step)
        writer.flush()
        return results

    def conclude(self, probes: Mapping[str, Any], step: int, film: bytes | None = None) -> None:
        """Write what was measured of the trained model.

        Args:
            probes: the content of `probes.json`.
            step: the last one.
            film: traversals as an animated GIF.
        """
        writer = self._open(step)
        rows = [
            (name, score["measure"], *(float(score[part]) for part in _PROBES))
            for name, score in probes.items()
            if isinstance(score, Mapping) and "measure" in score
        ]
        writer.add_table("probes", ("of the image", "measure", *_PROBES), rows, step)
        if film is not None:
            writer.add_film("traversals_film", film, step)
        writer.flush()

    def close(self) -> None:
        """Close the event file, if one was opened."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> Any:
        if self._writer is None:
            self._writer = open_event_writer(self._folder, step)
        return self._writer
