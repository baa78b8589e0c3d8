"""Checkpoints of a training run: the whole state of an SB3 algorithm as safetensors and JSON."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.save_util import recursive_getattr
from torch import Tensor

from darla.common import ArtefactError, InputError
from darla.common.files import load_tensors, save_tensors
from darla.common.jobs.sealed import read_if_sound, write_sealed

STATE = "state.json"

# Attributes of SB3's algorithms. Schedules are functions of the progress, and the progress is a function of these.
_COUNTERS = (
    "num_timesteps",
    "_n_updates",
    "_episode_num",
    "_n_calls",
    "_current_progress_remaining",
    "exploration_rate",
)
_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def save_checkpoint(
    folder: Path, model: BaseAlgorithm, progress: dict[str, Any], snapshots: Sequence[Path] = ()
) -> None:
    """Write a checkpoint, which replaces the last one when it is complete.

    The tensors go to a file named after the step; the JSON that points to it is renamed into place last.

    Args:
        folder: of the checkpoints.
        model: its policy, optimizer, counters and, if it has one, replay buffer are saved.
        progress: state of the run itself, as JSON.
        snapshots: files of the run that are finished; the checkpoint is used only while they are as they are now.
    """
    name = f"{model.num_timesteps:012d}.safetensors"
    save_tensors(folder / name, {**_policy_tensors(model), **_other_tensors(model), **_replay_tensors(model)})
    state = {
        "tensors": name,
        "counters": {key: getattr(model, key) for key in _COUNTERS if hasattr(model, key)},
        "replay": _replay_position(model),
        "recent_episodes": [_plain(episode) for episode in model.ep_info_buffer or ()],
        "recent_successes": [float(success) for success in model.ep_success_buffer or ()],
        "progress": progress,
    }
    write_sealed(folder / STATE, state, [folder / name, *snapshots])
    for old in folder.glob("*.safetensors"):
        if old.name != name:
            old.unlink(missing_ok=True)


def load_checkpoint(folder: Path, model: BaseAlgorithm) -> dict[str, Any] | None:
    """Put a newly built algorithm into the state of the checkpoint in `folder`.

    Returns:
        The `progress` that was given to `save_checkpoint`; None where there is no checkpoint. One that is damaged is
        reported on the standard error and not used: training from the beginning has the same result.

    Raises:
        ArtefactError: the checkpoint is of another algorithm.
    """
    state = read_if_sound(folder / STATE, "the checkpoint is not used")
    if state is None:
        return None
    try:
        tensors = load_tensors(folder / Path(state["tensors"]).name)
        model.policy.load_state_dict(_below("policy", tensors), strict=True)
        _restore_others(model, tensors)
        _restore_replay(model, _below("replay", tensors), state["replay"])
        for key in _COUNTERS:
            if hasattr(model, key):
                setattr(model, key, state["counters"][key])
        window = model._stats_window_size
        model.ep_info_buffer = deque(state["recent_episodes"], maxlen=window)
        model.ep_success_buffer = deque(state["recent_successes"], maxlen=window)
        progress: dict[str, Any] = state["progress"]
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise ArtefactError(
            f"the checkpoint in {folder} cannot be resumed from ({str(error).splitlines()[0]});"
            " delete that folder to train from the beginning"
        ) from error
    return progress


def _policy_tensors(model: BaseAlgorithm) -> dict[str, Tensor]:
    return {f"policy/{name}": tensor for name, tensor in model.policy.state_dict().items()}


def _other_tensors(model: BaseAlgorithm) -> dict[str, Tensor]:
    """Return the moments of every optimizer, and what SAC and its like have beside their policy."""
    optimizers, others = _beside_policy(model)
    moments = {
        f"optimizer/{name}/{index}/{moment}": torch.as_tensor(value)
        for name, optimizer in optimizers.items()
        for index, state in optimizer.state_dict()["state"].items()
        for moment, value in state.items()
    }
    return {**moments, **{f"other/{name}": tensor.detach() for name, tensor in others.items()}}


def _restore_others(model: BaseAlgorithm, tensors: dict[str, Tensor]) -> None:
    optimizers, others = _beside_policy(model)
    for name, optimizer in optimizers.items():
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _below(f"optimizer/{name}", tensors).items():
            index, moment = key.split("/")
            moments.setdefault(int(index), {})[moment] = tensor
        # The groups hold constants of the settings, and a learning rate that SB3 sets before every update.
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
    with torch.no_grad():
        for name, tensor in others.items():
            tensor.copy_(tensors[f"other/{name}"])


def _beside_policy(model: BaseAlgorithm) -> tuple[dict[str, torch.optim.Optimizer], dict[str, Tensor]]:
    """Return an algorithm's optimizers and further tensors by the names that SB3 saves them under."""
    modules, variables = model._get_torch_save_params()
    optimizers = {name: recursive_getattr(model, name) for name in modules if name != "policy"}
    return optimizers, {name: recursive_getattr(model, name) for name in variables}


def _replay(model: BaseAlgorithm) -> ReplayBuffer | None:
    return getattr(model, "replay_buffer", None)


def _replay_position(model: BaseAlgorithm) -> dict[str, Any] | None:
    buffer = _replay(model)
    return None if buffer is None else {"position": buffer.pos, "full": buffer.full}


def _replay_tensors(model: BaseAlgorithm) -> dict[str, Tensor]:
    buffer = _replay(model)
    if buffer is None:
        return {}
    # Rows that were never filled are left out: a new buffer has zeros there, too.
    filled = buffer.buffer_size if buffer.full else buffer.pos
    return {f"replay/{name}": torch.from_numpy(getattr(buffer, name)[:filled]) for name in _REPLAY}


def _restore_replay(model: BaseAlgorithm, tensors: dict[str, Tensor], position: dict[str, Any] | None) -> None:
    buffer = _replay(model)
    if (buffer is None) != (position is None):
        raise ValueError("it is of another algorithm")
    if buffer is None or position is None:
        return
    for name in _REPLAY:
        rows = tensors[name].numpy()
        getattr(buffer, name)[: len(rows)] = rows
    buffer.pos, buffer.full = int(position["position"]), bool(position["full"])


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{prefix}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")
    }


def _plain(episode: dict[str, Any]) -> dict[str, Any]:
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in episode.items()}
