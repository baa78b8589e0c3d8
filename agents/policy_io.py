"""Policies on disk: safetensors and JSON, rebuilt from the registry of algorithms; loading one executes no code."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from darla.agents.actions import Bounds, action_space
from darla.agents.algorithms.build import SMALLEST_IMAGE, build_policy, policy_space
from darla.agents.algorithms.registry import ALGORITHMS, MAX_SIZE, Algorithm, is_size
from darla.agents.algorithms.settings import Observation, Precision
from darla.agents.fine_tuning import extractor_arguments
from darla.common import ArtefactError, InputError
from darla.common.checked_config import check_field_types
from darla.common.files import load_tensors, read_json, save_tensors, write_json

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy

DESCRIPTION = "policy.json"
WEIGHTS = "policy.safetensors"
SNAPSHOTS = "snapshots"

FORMAT = 2
"""Of `policy.json`."""
_OPTIONAL = {"action_bounds"}
"""Fields that `policy.json` has only where they are not None."""


@dataclass(frozen=True)
class PolicyDescription:
    """Everything about a policy but its weights."""

    algorithm: str
    """Name in the registry of algorithms."""
    observation: Observation
    """Its input: codes, images or the ground-truth state."""
    architecture: Mapping[str, Any]
    """What its algorithm builds it from beside its spaces, such as `{"net_arch": [64, 64]}`."""
    image_shape: tuple[int, int, int]
    """(height, width, channels) of the environment's images."""
    n_actions: int
    """Number of discrete actions it chooses from, or of the numbers in a continuous action."""
    frame_stack: int
    """Successive codes or images it observes at once."""
    latent_dim: int | None
    """Latents of its frozen encoder, or numbers in the state vector; None on pixels."""
    encoder: str | None
    """Digest of the encoder artefact it was trained on, or that was fine-tuned with it; None without one."""
    precision: str | None
    """Arithmetic of the frozen encoder it was trained on, or `bfloat16` of a policy on pixels that was trained in it;
    None is float32."""
    exploration: float
    """Probability of a random action when a value-based policy acts stochastically; 0 for the others."""
    env_steps: int
    """Environment steps it was trained for."""
    snapshot_steps: tuple[int, ...]
    """Environment steps of each file in `snapshots/`, in their order."""
    vision: Mapping[str, Any] | None
    """Configuration of the encoder that is part of the policy and was trained with it; None without one."""
    action_bounds: Bounds | None = None
    """Least and largest value of each number of a continuous action; None for discrete actions."""

    def __post_init__(self) -> None:
        algorithm = ALGORITHMS[self.algorithm]
        # The fields may come from a file and be of any type.
        kind: str = self.observation
        shape: tuple[int, ...] = self.image_shape
        if kind not in ("latents", "pixels", "state"):
            raise InputError(f"observation must be 'latents', 'pixels' or 'state', not {self.observation!r}")
        latents = () if self.latent_dim is None else (self.latent_dim,)
        sizes = (*shape, *latents, self.n_actions, self.frame_stack)
        if len(shape) != 3 or not all(is_size(size) for size in sizes):
            raise InputError(
                "image_shape, latent_dim, n_actions and frame_stack must be positive whole numbers, at most"
                f" {MAX_SIZE}, not {', '.join(map(repr, sizes))}"
            )
        if self.action_bounds is not None:
            _check_bounds(self.action_bounds, self.n_actions)
        if (kind == "pixels") != (self.latent_dim is None) or ((kind == "latents") and self.precision is None):
            raise InputError("latent_dim belongs to policies on latents or on the state, precision to those on latents")
        if kind != "latents" and self.precision is not None and not self._is_bfloat16_on_pixels(algorithm):
            raise InputError(f"a policy of {self.algorithm!r} on {kind} has no precision {self.precision!r}")
        if self.vision is not None and (kind != "pixels" or self.encoder is None or not _has_modest_sizes(self.vision)):
            raise InputError(
                "vision must describe the encoder that was fine-tuned with a policy on pixels, with no number above"
                f" {MAX_SIZE}"
            )
        if not isinstance(self.architecture, Mapping):
            raise InputError(f"architecture must be a JSON object, not {self.architecture!r}")
        inputs = math.prod(shape) if self.latent_dim is None else self.latent_dim
        algorithm.check_architecture(self.architecture, inputs * self.frame_stack, self.n_actions)
        if self.precision not in (None, "float32", "bfloat16"):
            raise InputError(f"precision must be 'float32' or 'bfloat16', not {self.precision!r}")
        check_field_types(self)  # those that nothing above has said more about

    def _is_bfloat16_on_pixels(self, algorithm: Algorithm) -> bool:
        on_images = self.observation == "pixels" and self.vision is None
        return on_images and algorithm.has_bfloat16_pixels and self.precision == "bfloat16"

    def build(self, device: str = "cpu") -> "BasePolicy":
        """Build the policy network, with random weights that are to be overwritten."""
        shape = self.image_shape if self.latent_dim is None else (self.latent_dim,)
        smallest = SMALLEST_IMAGE if self.vision is None else 1
        space = policy_space(self.observation, shape, self.frame_stack, smallest=smallest)
        extractor = extractor_arguments(self.vision, self.frame_stack)
        actions = action_space(self.n_actions, self.action_bounds)
        precision: Precision = "bfloat16" if self._is_bfloat16_on_pixels(ALGORITHMS[self.algorithm]) else "float32"
        return build_policy(self.algorithm, self.architecture, space, actions, device, extractor, precision)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain values."""
        return {name: value for name, value in asdict(self).items() if name not in _OPTIONAL or value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "PolicyDescription":
        """Rebuild a description from JSON.

        Raises:
            InputError: a field is missing, unknown or of another type.
        """
        names = {field.name for field in fields(cls)}
        if record.keys() | _OPTIONAL != names:
            raise InputError(f"its fields must be {', '.join(sorted(names - _OPTIONAL))}")
        try:
            bounds = record.get("action_bounds")
            tuples = {name: tuple(record[name]) for name in ("image_shape", "snapshot_steps")}
            return cls(**{**record, **tuples, "action_bounds": bounds and tuple(map(tuple, bounds))})
        except TypeError as error:
            raise InputError(str(error)) from error


def _check_bounds(bounds: object, count: int) -> None:
    """Check bounds that may come from a file."""
    if not (
        isinstance(bounds, tuple)
        and len(bounds) == 2
        and all(len(end) == count and all(isinstance(number, int | float) for number in end) for end in bounds)
        and all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in zip(*bounds, strict=True))
    ):
        raise InputError(f"action_bounds must be {count} least and {count} larger finite numbers, not {bounds!r}")


def save_weights(path: Path, policy: "BasePolicy") -> None:
    """Write a policy's weights as safetensors, each once where several names share it."""
    state = policy.state_dict()
    save_tensors(path, {name: state[name] for name in sorted(set(_first_names(state).values()))})


def save_description(folder: Path, description: PolicyDescription) -> None:
    """Write `policy.json`."""
    write_json(folder / DESCRIPTION, {"format": FORMAT, **description.to_dict()})


def load_description(folder: Path) -> PolicyDescription:
    """Read `policy.json`.

    Raises:
        ArtefactError: it is missing or does not describe a policy of this version.
    """
    path = folder / DESCRIPTION
    record = read_json(path)
    if not isinstance(record, dict):
        raise ArtefactError(f"{path} is damaged: it must hold one JSON object")
    record = dict(record)
    if (written := record.pop("format", None)) != FORMAT:
        raise ArtefactError(f"{path} has policy format {written!r}; this version of darla reads {FORMAT}")
    try:
        return PolicyDescription.from_dict(record)
    except InputError as error:
        raise ArtefactError(f"{path} is damaged: {error}") from error


def load_weights(path: Path, policy: "BasePolicy") -> None:
    """Put weights from a file into a policy; every tensor must be there, of its shape, and no other.

    Raises:
        ArtefactError: the file is damaged or belongs to another policy.
    """
    tensors = load_tensors(path)
    state = policy.state_dict()
    first = _first_names(state)
    needed = set(first.values())
    if tensors.keys() != needed:
        name = sorted(tensors.keys() ^ needed)[0]
        problem = "is missing" if name in needed else "is not part of it"
        raise ArtefactError(f"{path} does not fit its policy.json: tensor {name!r} {problem}")
    for name in sorted(needed):
        if tensors[name].shape != state[name].shape or tensors[name].dtype != state[name].dtype:
            raise ArtefactError(
                f"{path} does not fit its policy.json: tensor {name!r} is {_kind(tensors[name])},"
                f" and {_kind(state[name])} is needed"
            )
    policy.load_state_dict({name: tensors[first[name]] for name in state}, strict=True)


def snapshot_file(number: int) -> str:
    """Return the name of a snapshot, counted from 1, within the artefact."""
    return f"{SNAPSHOTS}/{number:02d}.safetensors"


def _first_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Map every name to the first name of the same memory.

    SB3's actor-critic policies list a shared features extractor three times, and safetensors refuses shared tensors.
    """
    owners: dict[tuple[int, tuple[int, ...]], str] = {}
    return {name: owners.setdefault((tensor.data_ptr(), tuple(tensor.shape)), name) for name, tensor in state.items()}


def _has_modest_sizes(value: object) -> bool:
    """Return whether no number in plain, nested values is larger than a size may be."""
    if isinstance(value, Mapping):
        return all(_has_modest_sizes(each) for each in value.values())
    return not isinstance(value, int | float) or abs(value) <= MAX_SIZE


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
