"""Policies on disk: safetensors and JSON, rebuilt from our own registry; nothing in them can run."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from darla.agents.algorithms.registry import SMALLEST_IMAGE, build_policy, get_algorithm, policy_space
from darla.agents.algorithms.settings import MemoryConfig, Observation
from darla.agents.fine_tuning import extractor_arguments
from darla.common import InputError
from darla.common.files import load_tensors, read_json, save_tensors, write_json

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy

DESCRIPTION = "policy.json"
WEIGHTS = "policy.safetensors"
SNAPSHOTS = "snapshots"

_FORMAT = 1
_LATER = {"vision", "table"}
"""Fields that are absent where they say nothing."""
_LARGEST = 1 << 16
"""No size in `policy.json` may exceed this: a damaged number must not allocate the machine's memory."""
_LARGEST_TABLE = 1 << 30
"""Nor may the numbers in the table of an episodic memory, which are four bytes each."""


@dataclass(frozen=True)
class PolicyDescription:
    """Everything about a policy but its weights."""

    algorithm: str
    """Name in the registry of algorithms."""
    observation: Observation
    """Whether it sees codes, images or the ground truth."""
    hidden: tuple[int, ...]
    """Units of its hidden layers."""
    image_shape: tuple[int, int, int]
    """(height, width, channels) of the environment's images."""
    n_actions: int
    """Number of discrete actions it chooses from."""
    frame_stack: int
    """Successive codes or images it sees at once."""
    latent_dim: int | None
    """Latents of its frozen encoder, or numbers in the state vector; None on pixels."""
    encoder: str | None
    """Digest of the encoder artefact it was trained on, or began with where it was fine-tuned; None without one."""
    precision: str | None
    """Arithmetic of the frozen encoder it was trained on; None without one."""
    exploration: float
    """Random-action rate of a value-based policy that is asked to act stochastically; 0 for the others."""
    env_steps: int
    """Environment steps it was trained for."""
    snapshot_steps: tuple[int, ...]
    """Environment steps of each file in `snapshots/`, in their order."""
    vision: Mapping[str, Any] | None = None
    """Configuration of the encoder that is part of the policy and was trained with it; None where there is none."""
    table: MemoryConfig | None = None
    """Size of the table of episodic control; None for the other algorithms."""

    def __post_init__(self) -> None:
        get_algorithm(self.algorithm)
        # Read from a file, whatever the annotations above say.
        kind: str = self.observation
        shape: tuple[int, ...] = self.image_shape
        if kind not in ("latents", "pixels", "state"):
            raise InputError(f"observation must be 'latents', 'pixels' or 'state', not {self.observation!r}")
        latents = () if self.latent_dim is None else (self.latent_dim,)
        sizes = (*self.hidden, *shape, *latents, self.n_actions, self.frame_stack)
        if len(shape) != 3 or len(self.hidden) > 32 or not all(_is_size(size) for size in sizes):
            raise InputError("its sizes must be positive whole numbers")
        if (kind == "pixels") != (self.latent_dim is None) or (kind == "latents") != (self.precision is not None):
            raise InputError("latent_dim belongs to policies on latents or on the state, precision to those on latents")
        if self.vision is not None and (kind != "pixels" or self.encoder is None or not _is_modest(self.vision)):
            raise InputError("vision describes the encoder that a policy on pixels began with, in numbers of its size")
        get_algorithm(self.algorithm).policy_arguments(self.hidden, self.table)  # refuses a table where none belongs
        if self.table is not None and not self._is_modest_table(self.table):
            raise InputError("its table must hold positive whole numbers, and no more entries than memory holds")
        if self.precision not in (None, "float32", "bfloat16"):
            raise InputError(f"precision must be 'float32' or 'bfloat16', not {self.precision!r}")

    def _is_modest_table(self, table: MemoryConfig) -> bool:
        sizes = (table.neighbours, *(() if table.projection is None else (table.projection,)))
        seen = self.latent_dim if self.latent_dim is not None else math.prod(self.image_shape)
        width = table.projection or seen * self.frame_stack
        capacity: object = table.capacity
        if not isinstance(capacity, int) or isinstance(capacity, bool) or not all(_is_size(size) for size in sizes):
            return False
        numbers = self.n_actions * capacity * width + seen * self.frame_stack * (table.projection or 0)
        return table.neighbours <= capacity and numbers <= _LARGEST_TABLE

    def build(self, device: str = "cpu") -> "BasePolicy":
        """Build the policy network, with weights that are waiting to be overwritten."""
        shape = self.image_shape if self.latent_dim is None else (self.latent_dim,)
        smallest = SMALLEST_IMAGE if self.vision is None else 1
        space = policy_space(self.observation, shape, self.frame_stack, smallest=smallest)
        extractor = extractor_arguments(self.vision, self.frame_stack)
        return build_policy(self.algorithm, self.hidden, space, self.n_actions, device, extractor, self.table)

    def to_dict(self) -> dict[str, Any]:
        """Return the description as plain values; `vision` and `table` only where there is one."""
        found = asdict(self)
        return {name: value for name, value in found.items() if name not in _LATER or value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "PolicyDescription":
        """Rebuild a description from JSON.

        Raises:
            InputError: a field is missing, unknown or of another type.
        """
        names = {field.name for field in fields(cls)}
        if not names - _LATER <= record.keys() <= names:
            raise InputError(f"its fields must be {', '.join(sorted(names))}")
        try:
            lists = {name: tuple(record[name]) for name in ("hidden", "image_shape", "snapshot_steps")}
            table = None if record.get("table") is None else MemoryConfig(**record["table"])
            return cls(**{**record, **lists, "table": table})
        except TypeError as error:
            raise InputError(str(error)) from error


def save_weights(path: Path, policy: "BasePolicy") -> None:
    """Write a policy's weights as safetensors, each once where several names share it."""
    state = policy.state_dict()
    save_tensors(path, {name: state[name] for name in sorted(set(_first_names(state).values()))})


def save_description(folder: Path, description: PolicyDescription) -> None:
    """Write `policy.json`, which completes a policy."""
    write_json(folder / DESCRIPTION, {"format": _FORMAT, **description.to_dict()})


def load_description(folder: Path) -> PolicyDescription:
    """Read `policy.json`.

    Raises:
        InputError: it is missing or does not describe a policy of this version.
    """
    path = folder / DESCRIPTION
    record = read_json(path)
    if not isinstance(record, dict):
        raise InputError(f"{path} is damaged: it must hold one JSON object")
    record = dict(record)
    if (found := record.pop("format", None)) != _FORMAT:
        raise InputError(f"{path} has policy format {found!r}; this version of darla reads {_FORMAT}")
    try:
        return PolicyDescription.from_dict(record)
    except InputError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def load_weights(path: Path, policy: "BasePolicy") -> None:
    """Put weights from a file into a policy; every tensor must be there, of its shape, and no other.

    Raises:
        InputError: the file is damaged or belongs to another policy.
    """
    tensors = load_tensors(path)
    state = policy.state_dict()
    first = _first_names(state)
    needed = set(first.values())
    if tensors.keys() != needed:
        odd = sorted(tensors.keys() ^ needed)[0]
        problem = "is missing" if odd in needed else "is not part of it"
        raise InputError(f"{path} does not fit its policy.json: tensor {odd!r} {problem}")
    for name in sorted(needed):
        if tensors[name].shape != state[name].shape or tensors[name].dtype != state[name].dtype:
            raise InputError(
                f"{path} does not fit its policy.json: tensor {name!r} is {_kind(tensors[name])},"
                f" and {_kind(state[name])} is needed"
            )
    policy.load_state_dict({name: tensors[first[name]] for name in state}, strict=True)


def snapshot_file(number: int) -> str:
    """Return the name of a snapshot, counted from 1, within the artefact."""
    return f"{SNAPSHOTS}/{number:02d}.safetensors"


def _first_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Map every name to the first for the same memory: SB3 lists a shared network several times."""
    owners: dict[tuple[int, tuple[int, ...]], str] = {}
    return {name: owners.setdefault((tensor.data_ptr(), tuple(tensor.shape)), name) for name, tensor in state.items()}


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST


def _is_modest(value: object) -> bool:
    """Tell whether no number in plain, nested values is larger than a size may be."""
    if isinstance(value, Mapping):
        return all(_is_modest(each) for each in value.values())
    return not isinstance(value, int | float) or abs(value) <= _LARGEST


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
