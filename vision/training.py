"""The training loop of everything in `darla.vision`: DAE, beta-VAE, and whatever else is an `ImageModel`."""

import csv
import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from darla.base import InputError, Progress, rng_for, seed_for, unknown_name
from darla.base.artefact import CHECKPOINT
from darla.base.files import write_bytes
from darla.vision import checkpoints
from darla.vision.base import ImageModel
from darla.vision.hardware import Numerics, Processes, keep_freed_memory

M = TypeVar("M", bound=nn.Module)
SCHEDULES = ("one_cycle", "constant")
Observe = Callable[[Mapping[str, float]], Mapping[str, float]]


class Frames(Protocol):
    """Images that can be indexed: a `FrameSet`, or an array of uint8 (N, H, W, C)."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> np.ndarray[Any, Any]: ...


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how fast a model is trained."""

    steps: int = 7000
    """Optimiser steps; 7,000 of 64 is where a trial's encoder kept small objects."""
    batch_size: int = 64
    """Images a step, over all processes together."""
    learning_rate: float = 2e-3
    """Adam's largest learning rate; papers use 1e-4 to 1e-3, constant, for many more steps."""
    schedule: str = "one_cycle"
    """`one_cycle`: up along a cosine for `warm_up`, then down along one to almost nothing. `constant`: always the same."""
    warm_up: float = 0.15
    """Share of the steps in which `one_cycle` rises."""
    gradient_clip: float | None = None
    """Largest norm of the gradient over all parameters; none if not given. Losses are sums over pixels: norms of a
    thousand are usual."""
    weight_decay: float = 0.0
    """Decoupled weight decay (AdamW); 0 is Adam."""
    precision: str = "auto"
    """`auto`, `float32` or `bfloat16`."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, ..."""
    parts: int = 0
    """Into how many parts each batch is split, each with noise of its own; the processes of `torchrun` share them out.
    0 is one for each process. With the same number of parts the result is the same, up to rounding, for any number of
    processes, and a batch that does not fit in memory can be worked through part by part."""
    log_every: int = 250
    """Steps between rows of `history.csv`."""
    checkpoint_every: int = 1000
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        for name in ("steps", "batch_size", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be above 0, not {self.learning_rate}")
        if self.schedule not in SCHEDULES:
            raise unknown_name("schedule", self.schedule, SCHEDULES)
        if not 0 <= self.warm_up < 1:
            raise InputError(f"warm_up must be a share in [0, 1), not {self.warm_up}")
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise InputError(f"gradient_clip must be above 0, not {self.gradient_clip}")
        if self.parts < 0 or (self.parts and self.batch_size % self.parts):
            raise InputError(f"a batch of {self.batch_size} cannot be split into {self.parts} equal parts")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: a function of the step alone, so nothing to restore."""
        if self.schedule == "constant":
            return self.learning_rate
        rise = max(1.0, self.warm_up * self.steps)
        if step < rise:
            low, high, share = self.learning_rate / 25, self.learning_rate, step / rise
        else:
            low, high, share = self.learning_rate, self.learning_rate / 1e4, (step - rise) / max(1.0, self.steps - rise)
        return low + (high - low) * (1 - math.cos(math.pi * share)) / 2


class TrainingStopped(InputError):
    """A loss or a gradient was no longer a finite number."""


@dataclass(frozen=True)
class Training:
    """What a finished training leaves behind."""

    history: list[dict[str, float]]
    """A row every `log_every` steps: step, learning rate, means of the loss terms and of the gradient's norm since the
    row before, and what `observe` found."""
    seconds: float
    """Wall time, all resumed parts together."""


class _Objective(nn.Module):
    """Makes the loss a forward pass, which is what DistributedDataParallel hooks into."""

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        return self.model.loss(images, generator)


class BatchOrder:
    """Which images each step sees: one permutation of the rows after another, each named by the seed and its number.

    Args:
        rows: indices of the images to train on.
        batch_size: images a step.
        seed: seed of the order.
    """

    def __init__(self, rows: np.ndarray[Any, Any], batch_size: int, seed: int) -> None:
        if not len(rows):
            raise InputError("there are no images to train on")
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self._number = -1
        self._pass = rows

    def __call__(self, step: int) -> np.ndarray[Any, Any]:
        """Return the indices of a step, counted from 0, whatever was asked for before."""
        position, left = step * self.batch_size, self.batch_size
        pieces = []
        while left:
            number, start = divmod(position, len(self.rows))
            if number != self._number:
                self._number = number
                self._pass = self.rows[rng_for(self.seed, "pass", number).permutation(len(self.rows))]
            piece = self._pass[start : start + left]
            pieces.append(piece)
            position, left = position + len(piece), left - len(piece)
        return np.concatenate(pieces)


def initialised(build: Callable[[], M], seed: int) -> M:
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
) -> Training:
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
        observe: called with every row of the history, the model in eval mode, in the process that writes files; the
            numbers it returns become part of the row.

    Returns:
        The history and the wall time. The model is left in eval mode.

    Raises:
        TrainingStopped: a loss term or the gradient is not finite; names the step, the term and the last checkpoint.
        InputError: the batch cannot be shared out, or a checkpoint is of another training.
    """
    keep_freed_memory()
    numerics = Numerics.choose(config.precision, config.device)
    processes = Processes.join(numerics.device)
    parts = config.parts or processes.world
    if parts % processes.world or config.batch_size % parts:
        raise InputError(
            f"a batch of {config.batch_size} in {parts} parts cannot be shared out equally among {processes.world} processes"
        )
    numerics.place(model)
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
    return Training(loop.history, loop.seconds())


class _Loop:
    """The state of one training: model, optimiser, step, history."""

    def __init__(
        self,
        model: ImageModel,
        config: TrainingConfig,
        out: Path,
        seed: int,
        numerics: Numerics,
        processes: Processes,
        parts: int,
    ) -> None:
        self.model, self.config, self.out, self.seed = model, config, out, seed
        self.numerics, self.processes, self.parts = numerics, processes, parts
        self.parameters = list(checkpoints.trainable(model).values())
        if not self.parameters:
            raise InputError("the model has no parameters to train")
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config.learning_rate, eps=1e-8, weight_decay=config.weight_decay, fused=True
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
        """Take one optimiser step on the images `rows`; return the newest loss that is known without waiting."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(self.step)
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
                    raise TrainingStopped(
                        f"training stopped at step {first + offset + 1}: {name} is {value}; last good checkpoint: {where}"
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
            write_history(self.out / "history.csv", self.history)
        self.processes.wait()


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Write the history as CSV with six significant digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in history)
    write_bytes(path, text.getvalue().encode())
