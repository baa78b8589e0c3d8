"""What is watched during training: numbers for `history.csv`, and TensorBoard with numbers and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import seed_for
from darla.common.artefact import TENSORBOARD
from darla.vision.encoders.encode import posterior_of
from darla.vision.encoders.splits import WATCHED
from darla.vision.encoders.traversals import grid, reconstruct, traversal_rows, traverse
from darla.vision.models.base import ImageModel, VisionModel
from darla.vision.models.dae import DAE
from darla.vision.models.networks import Encoder
from darla.vision.training.batches import Frames
from darla.vision.training.config import TrainingConfig
from darla.vision.training.loop import TrainResult, train_model
from darla.vision.training.metric_monitor import MetricWatch

ACTIVE = 0.01
"""A latent is active if its mean varies over images by more than this variance (Burda et al. 2016, arXiv
1509.00519)."""
_SHOWN = 8


def code_statistics(model: VisionModel, batches: list[Tensor]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return each latent's mean KL in nats and the variance of its mean over images, both (D,)."""
    posterior = posterior_of(model, batches)
    kl, variance = posterior.kl_per_latent().mean(dim=0), posterior.mean.var(dim=0, correction=0)
    return kl.cpu().numpy(), variance.cpu().numpy()


def dead_units(model: ImageModel, images: Tensor) -> float | None:
    """Return the share of the encoder's units that put out the same for all images, None for fewer than two."""
    encoder = getattr(model, "encoder", None)
    return encoder.silent(images) if isinstance(encoder, Encoder) and len(images) > 1 else None


class Monitor:
    """Looks at a model in training, on held-out images, at every row of the history.

    Args:
        model: what is being trained.
        images: held-out images, uint8 (N, H, W, C).
        out: the run's folder; events go to `tensorboard/` below it.
        seed: seed of the noise in the held-out loss, the same at each look.
        scores: metrics to write as well.
    """

    def __init__(
        self,
        model: ImageModel,
        images: np.ndarray[Any, Any],
        out: Path,
        seed: int,
        scores: MetricWatch | None = None,
    ) -> None:
        self._scores = scores
        self.model, self.images, self.seed = model, images, seed
        self._folder = out / TENSORBOARD
        self._writer: Any = None

    def __call__(self, row: Mapping[str, float]) -> dict[str, float]:
        """Write a row of the training's own numbers, look at the model, and return what was found.

        Returns:
            The held-out loss terms; of a model with latents, the number of active ones (`active_units`); and the share
            of the encoder's units that put out the same for all images (`dead_units`).
        """
        step = int(row["step"])
        images = self.model.to_input(self.images)
        noise = torch.Generator(images.device).manual_seed(self.seed)
        with torch.inference_mode():
            terms = self.model.loss(images, noise)
        found = {f"held_out_{name}": float(value) for name, value in terms.items()}
        if (silent := dead_units(self.model, images)) is not None:
            found["dead_units"] = silent
        writer = self._open(step)
        if isinstance(self.model, VisionModel):
            kl, variance = code_statistics(self.model, [images])
            found["active_units"] = float((variance > ACTIVE).sum())
            for latent, value in enumerate(kl):
                writer.add_scalar(f"kl_per_latent/z{latent:02d}", value, step)
            writer.add_histogram("kl_per_latent", kl, step)
            rows = traversal_rows(traverse(self.model, images[:1], kl, values=7, latents=12))
            writer.add_image("traversals", grid(rows), step, dataformats="HWC")
        if isinstance(self.model, VisionModel | DAE):
            rows = reconstruct(self.model, images[:_SHOWN])
            writer.add_image("reconstructions", grid(rows), step, dataformats="HWC")
        for name, value in row.items():
            if name != "step":
                writer.add_scalar(f"train/{name}", value, step)
        for name, value in found.items():
            writer.add_scalar(f"held_out/{name.removeprefix('held_out_')}", value, step)
        if self._scores is not None and isinstance(self.model, VisionModel):
            for name, value in self._scores(self.model, step).items():
                writer.add_scalar(f"metrics/{name}", value, step)
        writer.flush()
        return found

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # local, since it takes a second to import

            # What an interrupted run wrote after its last checkpoint is hidden, since it is about to be
            # written again.
            self._writer = SummaryWriter(str(self._folder), purge_step=step)
        return self._writer


def train_watched(
    model: ImageModel,
    frames: Frames,
    config: TrainingConfig,
    out: Path,
    seed: int,
    *,
    stream: str,
    rows: np.ndarray[Any, Any],
    held_out: np.ndarray[Any, Any],
    label: str,
    watch: Sequence[str] = (),
) -> TrainResult:
    """Train a model with a monitor looking at held-out frames.

    Args:
        model: trained in place.
        frames: uint8 images.
        config: length, speed, number format.
        out: the artefact's folder.
        seed: the stage's master seed.
        stream: name of the training's seed below it.
        rows: indices of the frames to train on.
        held_out: indices of the frames to look at.
        label: what the progress line says.
        watch: metrics of the suite to follow, on the held-out frames.
    """
    scores = MetricWatch(frames, held_out, watch, out, seed_for(seed, "watched metrics")) if watch else None
    monitor = Monitor(model, frames[held_out[:WATCHED]], out, seed_for(seed, "monitor"), scores)
    training = train_model(model, frames, config, out, seed_for(seed, stream), rows=rows, label=label, observe=monitor)
    monitor.close()
    return training
