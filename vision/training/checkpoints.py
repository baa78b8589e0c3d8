"""Checkpoints of a training: safetensors and JSON, nothing pickled, the last two kept.

Each step draws its noise and its images from generators that are seeded by the seed and the step alone, so no state of
a random generator has to be saved.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from darla.common import InputError
from darla.common.files import load_tensors, save_tensors
from darla.common.jobs.sealed import read_if_sound, write_sealed

_KEPT = 2
_NAME = re.compile(r"step-(\d{9})\.json")


@dataclass(frozen=True)
class Checkpoint:
    """A training after `step` optimizer steps."""

    path: Path
    """The JSON file; the tensors lie beside it."""
    step: int
    record: dict[str, Any]
    """Seed, history rows, seconds, and what else the loop keeps."""
    tensors: dict[str, Tensor]


def save(folder: Path, step: int, record: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer) -> Path:
    """Write a checkpoint and delete older ones; the JSON file comes last and makes it valid.

    Returns:
        The path of the JSON file.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in trainable(model).items():
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
    path = folder / f"step-{step:09d}.json"
    save_tensors(path.with_suffix(".safetensors"), tensors)
    write_sealed(path, {**record, "step": step}, [path.with_suffix(".safetensors")])
    for old in sorted(path for path in folder.glob("step-*.json") if _NAME.fullmatch(path.name))[:-_KEPT]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)
    return path


def latest(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint in a folder that is as it was written, None where there is none.

    A damaged one is reported on the standard error and passed over: training from an earlier one, or from the
    beginning, has the same result.
    """
    for path in sorted((path for path in folder.glob("step-*.json") if _NAME.fullmatch(path.name)), reverse=True):
        record = read_if_sound(path, "a checkpoint is not used")
        if record is not None:
            return Checkpoint(path, int(record["step"]), record, load_tensors(path.with_suffix(".safetensors")))
    return None


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put a checkpoint's parameters and optimizer state back.

    Values are copied into new tensors of the parameters' memory layout (channels last), which sums depend on: so the
    resumed run has the same bytes as one that was never interrupted. All of an optimizer's state goes to the device of
    its parameters, the number of steps as well, because a fused optimizer counts them there.
    """
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}}
    for name, value in checkpoint.tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    try:
        model.load_state_dict(parts["model"], strict=True)
    except RuntimeError as error:
        raise InputError(f"checkpoint {checkpoint.path} is of another model: {error}") from error
    for name, parameter in trainable(model).items():
        state: dict[str, Tensor] = {}
        for rest, value in parts["optimizer"].items():
            key, _, owner = rest.partition(".")
            if owner == name:
                like = parameter if value.shape == parameter.shape else value
                state[key] = torch.zeros_like(like, dtype=value.dtype, device=parameter.device).copy_(value)
        optimizer.state[parameter] = state


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
