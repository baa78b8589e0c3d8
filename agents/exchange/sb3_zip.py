"""Zips of Stable-Baselines3: ours written for its `load`, and those of others read for their weights alone."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from darla.agents.actions import action_space
from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.algorithms.settings import AlgorithmSettings
from darla.agents.fine_tuning import extractor_arguments
from darla.agents.policy_io import PolicyDescription
from darla.common import InputError
from darla.common.files import write_aside

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy

_WEIGHTS, _DATA = "policy.pth", "data"
_LARGEST_MEMBER = 4 << 30
"""Bytes of a zip's member that are read at most."""
_AS_OBJECT = "give `darla transfer` the model that you have loaded, as an object with predict"
_REPLAY = 1_000
"""Transitions of the replay buffer that an exported algorithm allocates when it is loaded."""


def write_zip(path: Path, description: PolicyDescription, policy: "BasePolicy", settings: AlgorithmSettings) -> None:
    """Write a policy as a zip that the `load` of its algorithm reads, in a process that can import darla.

    The zip has the algorithm's settings; a replay buffer and the optimizer begin anew.

    Args:
        path: the file.
        description: of the policy.
        policy: on images or on the state; see `whole_policy`.
        settings: of its training.

    Raises:
        InputError: the zip does not give the same actions.
    """
    from stable_baselines3.common.vec_env import DummyVecEnv

    algorithm = ALGORITHMS[description.algorithm]
    space = policy.observation_space
    assert isinstance(space, spaces.Box)
    actions = action_space(description.n_actions, description.action_bounds)
    arguments = settings.arguments()
    if "buffer_size" in arguments:
        arguments["buffer_size"] = min(int(arguments["buffer_size"]), _REPLAY)
    extractor = extractor_arguments(description.vision, description.frame_stack)
    sb3_class: type[Any] = algorithm.sb3_class()
    model = sb3_class(
        policy=algorithm.policy_name(space.shape),
        env=DummyVecEnv([lambda: _SpacesOnly(space, actions)] * settings.n_envs),
        policy_kwargs={**algorithm.policy_arguments(algorithm.architecture(settings)), **extractor},
        device="cpu",
        **arguments,
    )
    model.policy.load_state_dict(policy.state_dict())
    model.num_timesteps = description.env_steps

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            model.save(file)
        again = sb3_class.load(aside, device="cpu")  # it is our own, so it may be
        shown = _some_observations(space, 16)
        first, second = (each.predict(shown, deterministic=True)[0] for each in (policy, again))
        if not np.allclose(first, second, atol=1e-5):
            raise InputError(f"{path} would not act as the agent does; it was not written")

    write_aside(path, write)


def _some_observations(space: spaces.Box, count: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    if space.dtype == np.uint8:
        return rng.integers(0, 256, (count, *space.shape), dtype=np.uint8)
    return rng.normal(size=(count, *space.shape)).astype(np.float32)


class _SpacesOnly(gymnasium.Env[Any, Any]):
    """An environment of which only the spaces are asked."""

    def __init__(self, observation_space: spaces.Box, actions: spaces.Space[Any]) -> None:
        self.observation_space, self.action_space = observation_space, actions

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(self.observation_space.shape or (), self.observation_space.dtype), {}


def read_zip(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the weights and the plain values of a zip of Stable-Baselines3; nothing is unpickled.

    Args:
        path: the file.

    Returns:
        The policy's tensors by name, and those entries of its `data` that are plain JSON. Pickled entries are there as
        the text that SB3 writes beside them.

    Raises:
        InputError: it is no such zip, or its weights are not plain tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            raw, data = (_member(archive, name, path) for name in (_WEIGHTS, _DATA))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; `model.save` of Stable-Baselines3 writes one") from None
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as a zip of Stable-Baselines3: {error}") from error
    try:
        tensors: Any = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # many kinds, all of them the file's
        raise InputError(f"{_WEIGHTS} in {path} does not hold plain tensors ({type(error).__name__})") from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise InputError(f"{_WEIGHTS} in {path} does not hold tensors by name")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{_DATA} in {path} is not JSON") from error
    if not isinstance(values, dict):
        raise InputError(f"{_DATA} in {path} must be a JSON object")
    return tensors, values


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise InputError(f"{path} has no member {name!r}, so it is no zip of Stable-Baselines3") from None
    if info.file_size > _LARGEST_MEMBER:
        raise InputError(f"{name!r} in {path} is larger than {_LARGEST_MEMBER >> 30} GiB")
    return archive.read(name)


def plain_layers(values: Mapping[str, Any], path: Path) -> tuple[int, ...] | None:
    """Return the hidden layers that the `policy_kwargs` of a zip name; None where they name none.

    Raises:
        InputError: they change the policy in another way, which weights do not show, such as its activation; or darla
            wrote the zip, of an agent on codes.
    """
    given = values.get("policy_kwargs") or {}
    changed = sorted(name for name in given if not name.startswith(":") and name not in ("net_arch", "use_sde"))
    if any("'darla." in str(given[name]) for name in changed):  # SB3 writes `<class 'darla. ...'>` beside its pickle
        raise InputError(
            f"{path} was written by darla export, with the encoder inside; it cannot be imported; use the folder of "
            "the agent that it was made of"
        )
    if changed or values.get("use_sde"):
        what = changed[0] if changed else "use_sde"
        raise InputError(
            f"the policy in {path} was built with {what}={str(given.get(what, True))[:80]}, which its weights do not "
            f"show; {_AS_OBJECT}, or write a class that builds it so, and name that by its import path as the algorithm"
        )
    layers = given.get("net_arch")
    if layers is None:
        return None
    if isinstance(layers, dict) and len({json.dumps(each) for each in layers.values()}) == 1:
        layers = next(iter(layers.values()))
    if not isinstance(layers, list) or not all(isinstance(units, int) for units in layers):
        raise InputError(
            f"the net_arch of {path} is {str(layers)[:80]}, but the hidden layers must be one list of numbers of units "
            f"for all parts; {_AS_OBJECT}"
        )
    return tuple(layers)


def load_policy(policy: "BasePolicy", tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put the weights of a zip into a policy, all of them and no others.

    Raises:
        InputError: they are of another policy; says how.
    """
    state = policy.state_dict()
    for name in sorted(tensors.keys() ^ state.keys()):
        problem = "lacks the tensor" if name in state else "has another tensor than the policy described:"
        raise InputError(f"{path} does not fit: it {problem} {name!r}")
    for name, tensor in state.items():
        if tensors[name].shape != tensor.shape:
            raise InputError(
                f"{path} does not fit: {name!r} has shape {tuple(tensors[name].shape)}, and {tuple(tensor.shape)} is "
                "needed for these images, actions and layers"
            )
    policy.load_state_dict(dict(tensors))
