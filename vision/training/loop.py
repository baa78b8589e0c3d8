"""The training loop of every `ImageModel`: vision models and the denoising autoencoder."""

import math
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from darla.common import InputError, Progress, TrainingDivergedError, seed_for
from darla.common.artefact import CHECKPOINT
from darla.common.csv_rows import write_numbers
from darla.common.jobs.interrupts import delayed_interrupts
from darla.vision.models.image_model import Given, ImageModel
from darla.vision.training import checkpoints
from darla.vision.training.batches import BatchOrder, Frames
from darla.vision.training.config import TrainingConfig
from darla.vision.training.devices import DevicePrecision, DistributedContext, disable_malloc_trim, place
from darla.vision.training.fused_conv import fuse_for_cpu
from darla.vision.training.known_features import known_features
from darla.vision.training.units import Units, single_images

M = TypeVar("M", bound=nn.Module)
Observe = Callable[[Mapping[str, float]], Mapping[str, float]]


@dataclass(frozen=True)
class TrainResult:
    """What a finished training leaves behind."""

    history: list[dict[str, float]]
    """A row every `log_every` steps: step, learning rate, means of the loss terms and of the gradient's norm since the
    row before, and what `observe` returned."""
    seconds: float
    """Wall time, interrupted runs included."""


class _Objective(nn.Module):
    """The loss as a forward pass, which is what DistributedDataParallel hooks into."""

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, generator: torch.Generator, *supervision: Given) -> dict[str, Tensor]:
        return self.model.loss(images, generator, *supervision)


def build_seeded(build: Callable[[], M], seed: int) -> M:
    """Build a model with weights drawn from `seed`, and leave the global generators as they were."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the generators of all GPUs as well.
        torch.default_generator.manual_seed(seed)
        return build()


def train_model(
    model: ImageModel,
    frames: Frames,
    config: TrainingConfig,
    out: Path,
    seed: int,
    *,
    rows: np.ndarray[Any, Any] | None = None,
    units: Units | None = None,
    label: str = "train",
    observe: Observe | None = None,
) -> TrainResult:
    """Train a model on frames; resume where an earlier call with the same arguments was interrupted.

    On a CPU the resumed training ends with the same bytes as one that was never interrupted. Ctrl-C, and a request to
    end (SIGTERM), write a checkpoint after the step.

    Args:
        model: trained in place. It may hold frozen parts; those stay as they are.
        frames: uint8 images.
        config: length, speed, number format.
        out: folder for `history.csv` and, below `checkpoint/`, the checkpoints.
        seed: seed of the order of the images and of the noise; the caller draws the weights.
        rows: indices of the frames to train on; all if None.
        units: what to train on in place of `rows`, for a model that needs more than images.
        label: of the progress line.
        observe: called with every row of the history, the model in eval mode, in the process that writes files; the
            numbers it returns become part of the row.

    Returns:
        The history and the wall time. The model is left in eval mode. A training of 0 steps has no history and writes
        no file.

    Raises:
        TrainingDivergedError: a loss term or the gradient is not finite; names the step, the term and the last
            checkpoint.
        InputError: the batch cannot be divided into units or among the processes, or a checkpoint is of another
            training.
    """
    if units is None:
        units = single_images(np.arange(len(frames)) if rows is None else rows)
    disable_malloc_trim()
    precision = DevicePrecision.choose(config.precision, config.device)
    processes = DistributedContext.join(precision.device)
    micro_batches = config.micro_batches or processes.world
    if config.batch_size % units.size:
        raise InputError(f"a batch of {config.batch_size} images cannot be divided into units of {units.size} images")
    if micro_batches % processes.world or config.batch_size // units.size % micro_batches:
        raise InputError(
            f"a batch of {config.batch_size} in {micro_batches} micro-batches cannot be divided equally "
            f"among {processes.world} processes"
        )
    fuse_for_cpu(model)
    place(model, precision.device)
    if config.steps == 0:
        model.eval()
        return TrainResult([], 0.0)
    order = BatchOrder(np.arange(len(units)), config.batch_size // units.size, seed_for(seed, "order"))
    model.set_dataset_size(units.rows.size)
    state = _TrainingState(model, config, out, seed, precision, processes)
    state.resume()
    loss: Any = model.loss
    if processes.world > 1:
        loss = DistributedDataParallel(_Objective(model), find_unused_parameters=model.skips_parameters)
    own_micro_batches = range(processes.rank, micro_batches, processes.world)
    size = config.batch_size // units.size // micro_batches
    features = known_features(model, frames, units.rows, config.steps * config.batch_size, precision)
    model.train()
    # Processes that train together would stop at different steps.
    kept = (signal.SIGINT, signal.SIGTERM) if processes.world == 1 else ()
    with (
        precision.fast_float32(),
        delayed_interrupts(kept) as interrupts,
        Progress(config.steps, label, done=state.step) as progress,
    ):
        while state.step < config.steps:
            state.start_step()
            batch = order(state.step)
            for number in own_micro_batches:
                drawn = batch[number * size : (number + 1) * size]
                indices = units.images_of(drawn)
                images = model.to_input(frames[indices])
                for each in features:
                    each.announce(images, indices)
                known = units.supervision_of(drawn, precision.device)
                noise = torch.Generator(precision.device)
                noise.manual_seed(seed_for(seed, "noise", state.step, number))
                with precision.autocast():
                    terms = loss(images, noise, known) if known else loss(images, noise)
                state.accumulate_gradient(terms, len(own_micro_batches))
            state.optimizer_step()
            if processes.leads:
                progress.update(1, **state.newest_loss())
            if state.step % config.log_every == 0 or state.step == config.steps:
                state.log(observe)
            if state.step % config.checkpoint_every == 0 or state.step == config.steps or interrupts.requested:
                state.save()
            if interrupts.requested:
                interrupts.stop()
    for each in features:
        each.forget()
    model.eval()
    return TrainResult(state.history, state.seconds())


class _TrainingState:
    """What changes during a training: optimizer, step, history; and how it is saved and resumed."""

    def __init__(
        self,
        model: ImageModel,
        config: TrainingConfig,
        out: Path,
        seed: int,
        precision: DevicePrecision,
        processes: DistributedContext,
    ) -> None:
        self.model, self.config, self.out, self.seed = model, config, out, seed
        self.precision, self.processes = precision, processes
        groups = model.parameter_groups()
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        if not self.parameters:
            raise InputError("the model has no parameters to train; training takes 0 steps")
        assert len(self.parameters) == len(checkpoints.trainable(model)), "a parameter is in no group, or in two"
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, eps=1e-8, weight_decay=config.weight_decay, fused=True
        )
        self.scaler = torch.amp.GradScaler(precision.device.type, enabled=precision.reduced is torch.float16)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.folder = out / CHECKPOINT
        self.last_checkpoint: Path | None = None
        self._names: list[str] = []
        self._sums: Tensor | None = None  # terms of this step, averaged over its micro-batches
        self._unchecked: list[Tensor] = []  # terms of each step not yet checked, kept on the device
        # Terms of each step since the last row of the history; None for a gradient that overflowed float16.
        self._window: list[list[float | None]] = []
        self._started = time.monotonic()
        self._seconds_before = 0.0

    def seconds(self) -> float:
        """Return the wall time so far, that of interrupted runs up to their last checkpoint included."""
        return self._seconds_before + time.monotonic() - self._started

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        checkpoint = checkpoints.latest(self.folder)
        if checkpoint is None:
            return
        record = checkpoint.record
        if record["seed"] != self.seed or checkpoint.step > self.config.steps:
            raise InputError(f"checkpoint {checkpoint.path} is of another training (seed {record['seed']})")
        checkpoints.restore(checkpoint, self.model, self.optimizer)
        self.scaler.load_state_dict(record["scaler"])
        self.step, self.history = checkpoint.step, record["history"]
        self._names, self._window = record["names"], record["window"]
        self._seconds_before, self.last_checkpoint = record["seconds"], checkpoint.path
        if self.processes.leads and self.history:
            self._write_history()  # the file may be from after the checkpoint, or damaged

    def save(self) -> None:
        """Write a checkpoint, in the leading process; the others wait."""
        self._check()
        if self.processes.leads:
            record = {
                "seed": self.seed,
                "history": self.history,
                "names": self._names,
                "window": self._window,
                "seconds": self.seconds(),
                "scaler": self.scaler.state_dict(),
            }
            self.last_checkpoint = checkpoints.save(self.folder, self.step, record, self.model, self.optimizer)
        self.processes.wait()

    def start_step(self) -> None:
        """Set the learning rates, and the model's schedules, of the next step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate_at(self.step) * group.get("lr_scale", 1.0)
        self.model.on_step(self.step, self.config.steps)
        self.optimizer.zero_grad(set_to_none=True)
        self._sums = None

    def accumulate_gradient(self, terms: Mapping[str, Tensor], count: int) -> None:
        """Add the gradient and the loss terms of one of `count` micro-batches, whose mean is taken."""
        self._names = [*terms, "gradient_norm"]
        self.scaler.scale(terms["loss"] / count).backward()  # type: ignore[no-untyped-call]
        values = torch.stack([term.detach().float() for term in terms.values()]) / count
        self._sums = values if self._sums is None else self._sums + values

    def optimizer_step(self) -> None:
        """Take the optimizer step.

        Raises:
            TrainingDivergedError: a loss term or the gradient is not finite.
        """
        assert self._sums is not None
        self.scaler.unscale_(self.optimizer)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._unchecked.append(torch.cat([self._sums, norm.float().reshape(1)]))
        # On a CPU reading a number is free, so a bad step is caught before it changes a weight. On a GPU it would wait
        # for the device, so 50 steps are checked together.
        if self.precision.device.type == "cpu":
            self._check()
        if self.config.gradient_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.config.gradient_clip, norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        if len(self._unchecked) >= 50:
            self._check()

    def newest_loss(self) -> dict[str, float]:
        """Return the newest loss that is known without waiting for the device."""
        loss = self._window[-1][0] if self._window else None
        return {} if loss is None else {"loss": loss}

    def _check(self) -> None:
        """Read the terms of the steps since the last check, and raise at the first that is not finite."""
        if not self._unchecked:
            return
        table = self.processes.mean(torch.stack(self._unchecked)).tolist()
        # Counted before the optimizer step on a CPU, after it elsewhere.
        first = self.step + (self.precision.device.type == "cpu") - len(table)
        for offset, values in enumerate(table):
            for name, value in zip(self._names, values, strict=True):
                if not math.isfinite(value) and not self._may_overflow(name):
                    where = self.last_checkpoint or "none was written yet"
                    raise TrainingDivergedError(
                        f"training stopped at step {first + offset + 1}: {name} is {value}; "
                        f"last good checkpoint: {where}"
                    )
        self._window.extend([value if math.isfinite(value) else None for value in values] for values in table)
        self._unchecked.clear()

    def _may_overflow(self, name: str) -> bool:
        """Return whether a term may be infinite: a gradient in float16, whose step the scaler skips, by design."""
        return name == "gradient_norm" and self.scaler.is_enabled()

    def _write_history(self) -> None:
        write_numbers(self.out / "history.csv", self.history, first=("step", "learning_rate", "loss"))

    def log(self, observe: Observe | None) -> None:
        """Add a row to the history and write `history.csv`.

        The gradient's norm is averaged over the steps that were taken, and missing if none was.
        """
        self._check()
        row: dict[str, float] = {"step": self.step, "learning_rate": self.config.learning_rate_at(self.step - 1)}
        for name, values in zip(self._names, zip(*self._window, strict=True), strict=True):
            finite = [value for value in values if value is not None]
            if finite:
                row[name] = float(np.mean(finite))
        self._window.clear()
        if self.processes.leads:
            if observe is not None:
                self.model.eval()
                row |= observe(row)
                self.model.train()
            self.history.append(row)
            self._write_history()
        self.processes.wait()
