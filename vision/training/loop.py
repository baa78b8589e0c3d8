"""The training loop of everything in `darla.vision`: DAE, every VAE, and whatever else is an `ImageModel`."""

import math
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
from darla.vision.models.base import ImageModel
from darla.vision.training import checkpoints
from darla.vision.training.batches import BatchOrder, Frames
from darla.vision.training.config import TrainingConfig
from darla.vision.training.devices import DevicePrecision, DistributedContext, disable_malloc_trim

M = TypeVar("M", bound=nn.Module)
Observe = Callable[[Mapping[str, float]], Mapping[str, float]]


@dataclass(frozen=True)
class TrainResult:
    """What a finished training leaves behind."""

    history: list[dict[str, float]]
    """A row every `log_every` steps: step, learning rate, means of the loss terms and of the gradient's norm
    since the row before, and what `observe` found."""
    seconds: float
    """Wall time, all resumed parts together."""


class _Objective(nn.Module):
    """Makes the loss a forward pass, which is what DistributedDataParallel hooks into."""

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return self.model.loss(images, generator)


def build_seeded(build: Callable[[], M], seed: int) -> M:
    """Build a model with weights drawn from `seed`, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def train_model(
    model: ImageModel,
    frames: Frames,
    config: TrainingConfig,
    out: Path,
    seed: int,
    *,
    rows: np.ndarray[Any, Any] | None = None,
    label: str = "train",
    observe: Observe | None = None,
) -> TrainResult:
    """Train a model on frames; resume where an earlier call with the same arguments was interrupted.

    On a CPU the resumed training ends with the same bytes as one that was never interrupted.

    Args:
        model: trained in place. It may hold frozen parts; those stay as they are.
        frames: uint8 images.
        config: length, speed, number format.
        out: folder for `history.csv` and, below `checkpoint/`, the checkpoints.
        seed: names the order of the images and the noise; the weights are the caller's.
        rows: indices of the frames to train on; all if None.
        label: what the progress line says.
        observe: called with every row of the history, the model in eval mode, in the process that writes
            files; the numbers it returns become part of the row.

    Returns:
        The history and the wall time. The model is left in eval mode. Of a training of 0 steps there is no history,
        and no file is written.

    Raises:
        TrainingDivergedError: a loss term or the gradient is not finite; names the step, the term and the last
            checkpoint.
        InputError: the batch cannot be shared out, or a checkpoint is of another training.
    """
    disable_malloc_trim()
    numerics = DevicePrecision.choose(config.precision, config.device)
    processes = DistributedContext.join(numerics.device)
    parts = config.parts or processes.world
    if parts % processes.world or config.batch_size % parts:
        raise InputError(
            f"a batch of {config.batch_size} in {parts} parts cannot be shared out equally "
            f"among {processes.world} processes"
        )
    numerics.place(model)
    if config.steps == 0:
        model.eval()
        return TrainResult([], 0.0)
    model.set_images(len(frames) if rows is None else len(rows))
    loop = _Loop(model, config, out, seed, numerics, processes, parts)
    loop.resume()
    order = BatchOrder(np.arange(len(frames)) if rows is None else rows, config.batch_size, seed_for(seed, "order"))
    model.train()
    with numerics.fast_float32(), Progress(config.steps, label, done=loop.step) as progress:
        while loop.step < config.steps:
            terms = loop.advance(frames, order(loop.step))
            if processes.leads:
                progress.update(1, **terms)
            if loop.step % config.log_every == 0 or loop.step == config.steps:
                loop.log(observe)
            if loop.step % config.checkpoint_every == 0 or loop.step == config.steps:
                loop.save()
    model.eval()
    return TrainResult(loop.history, loop.seconds())


class _Loop:
    """The state of one training: model, optimiser, step, history."""

    def __init__(
        self,
        model: ImageModel,
        config: TrainingConfig,
        out: Path,
        seed: int,
        numerics: DevicePrecision,
        processes: DistributedContext,
        parts: int,
    ) -> None:
        self.model, self.config, self.out, self.seed = model, config, out, seed
        self.numerics, self.processes, self.parts = numerics, processes, parts
        groups = model.parameter_groups()
        self.parameters = [parameter for group in groups for parameter in group["params"]]
        if not self.parameters:
            raise InputError("the model has no parameters to train; training takes 0 steps")
        assert len(self.parameters) == len(checkpoints.trainable(model)), "a parameter is in no group, or in two"
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, eps=1e-8, weight_decay=config.weight_decay, fused=True
        )
        objective: nn.Module = _Objective(model)
        if processes.world > 1:
            objective = DistributedDataParallel(objective)
        self.objective = objective
        self.scaler = torch.amp.GradScaler(numerics.device.type, enabled=numerics.reduced is torch.float16)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.folder = out / CHECKPOINT
        self.last_checkpoint: Path | None = None
        self._names: list[str] = []
        self._pending: list[Tensor] = []  # terms of each step not yet checked, kept where they were computed
        self._window: list[list[float]] = []  # terms of each step since the last row of the history
        self._started = time.monotonic()
        self._seconds_before = 0.0

    def seconds(self) -> float:
        """Return the wall time so far, that of interrupted runs up to their last checkpoint included."""
        return self._seconds_before + time.monotonic() - self._started

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        found = checkpoints.latest(self.folder)
        if found is None:
            return
        if found.record["seed"] != self.seed or found.step > self.config.steps:
            raise InputError(f"checkpoint {found.path} is of another training (seed {found.record['seed']})")
        checkpoints.restore(found, self.model, self.optimizer)
        self.scaler.load_state_dict(found.record["scaler"])
        self.step, self.history = found.step, found.record["history"]
        self._names, self._window = found.record["names"], found.record["window"]
        self._seconds_before, self.last_checkpoint = found.record["seconds"], found.path

    def save(self) -> None:
        """Write a checkpoint; the leading process alone does."""
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

    def advance(self, frames: Frames, rows: np.ndarray[Any, Any]) -> dict[str, float]:
        """Take one optimiser step on the images `rows`; return the newest loss known without waiting."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(self.step) * group.get("rate", 1.0)
        self.model.set_progress(self.step / self.config.steps)
        self.optimizer.zero_grad(set_to_none=True)
        size = len(rows) // self.parts
        mine = range(self.processes.rank, self.parts, self.processes.world)
        share = len(mine)
        sums: Tensor | None = None
        for part in mine:
            images = self.model.to_input(frames[rows[part * size : (part + 1) * size]])
            noise = torch.Generator(self.numerics.device)
            noise.manual_seed(seed_for(self.seed, "noise", self.step, part))
            with self.numerics.autocast():
                terms = self.objective(images, noise)
            self._names = [*terms, "gradient_norm"]
            self.scaler.scale(terms["loss"] / share).backward()
            values = torch.stack([term.detach().float() for term in terms.values()])
            sums = values / share if sums is None else sums + values / share
        assert sums is not None
        self.scaler.unscale_(self.optimizer)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        self._pending.append(torch.cat([sums, norm.float().reshape(1)]))
        # On a CPU looking at a number is free, so a bad step is caught before it changes a weight.
        if self.numerics.device.type == "cpu":
            self._check()
        if self.config.gradient_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, self.config.gradient_clip, norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        if len(self._pending) >= 50:
            self._check()
        return {"loss": self._window[-1][0]} if self._window else {}

    def _check(self) -> None:
        """Look at the terms of the steps since the last look, and stop at the first that is not finite."""
        if not self._pending:
            return
        table = self.processes.mean(torch.stack(self._pending)).tolist()
        # Counted before the optimiser step on a CPU, after it elsewhere.
        first = self.step + (self.numerics.device.type == "cpu") - len(table)
        for offset, values in enumerate(table):
            for name, value in zip(self._names, values, strict=True):
                # float16 overflows now and then by design; the scaler skips that step and lowers its scale.
                overflow = name == "gradient_norm" and self.scaler.is_enabled()
                if not math.isfinite(value) and not overflow:
                    where = self.last_checkpoint or "none was written yet"
                    raise TrainingDivergedError(
                        f"training stopped at step {first + offset + 1}: {name} is {value}; "
                        f"last good checkpoint: {where}"
                    )
        self._window.extend(table)
        self._pending.clear()

    def log(self, observe: Observe | None) -> None:
        """Add a row to the history and write `history.csv`."""
        self._check()
        means = np.asarray(self._window, dtype=np.float64).mean(axis=0)
        row: dict[str, float] = {"step": self.step, "learning_rate": self.config.rate(self.step - 1)}
        row |= {name: float(value) for name, value in zip(self._names, means, strict=True)}
        self._window.clear()
        if self.processes.leads:
            if observe is not None:
                self.model.eval()
                row |= observe(row)
                self.model.train()
            self.history.append(row)
            write_numbers(self.out / "history.csv", self.history, first=("step", "learning_rate", "loss"))
        self.processes.wait()
