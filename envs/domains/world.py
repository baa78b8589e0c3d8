"""A world: an environment whose appearance is described by named factors.

A world is registered under its name. Every module of `darla.envs.worlds` registers one; another package offers one by
an entry point of the group `darla.worlds`:

    [project.entry-points."darla.worlds"]
    squares = "my_package.squares_world"

where the module ends with `register_world(World("squares", env_id=..., space=FactorSpace([...])))`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from darla.common import InputError, unknown_name
from darla.common.registry import Registry
from darla.envs.domains.factor_space import FactorSpace

FactKind = Literal["class", "number", "angle", "mask"]
FACT_KINDS: tuple[FactKind, ...] = ("class", "number", "angle", "mask")
Info = Mapping[str, Any]

WORLDS: Registry["World"] = Registry("world", "darla.envs.worlds", "darla.worlds")
"""Every world by name."""


@dataclass(frozen=True)
class Fact:
    """A named property of the state behind an image, which probes try to predict from codes.

    Raises:
        InputError: an unknown kind, or a class without values.
    """

    name: str
    kind: FactKind
    """`class`: index into `values`, -1 where there is none; scored by balanced accuracy. `number`: scored by R^2.
    `angle`: in radians; stored as its sine and cosine, each scored by R^2. `mask`: whether the other facts hold for
    this image; not scored."""
    values: tuple[str, ...] = ()
    """Names of the classes."""
    unit: str = "1"

    def __post_init__(self) -> None:
        if self.kind not in FACT_KINDS:
            raise unknown_name(f"kind of fact {self.name!r}:", str(self.kind), FACT_KINDS)
        if (self.kind == "class") != bool(self.values):
            raise InputError(f"fact {self.name!r} is a {self.kind} with the values {self.values}; a class needs values,"
                             " others have none")  # fmt: skip

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Name and NumPy type of the columns that the fact is stored in."""
        if self.kind == "angle":
            return [(f"{self.name}_sin", "<f8"), (f"{self.name}_cos", "<f8")]
        return [(self.name, {"class": "<i8", "number": "<f8", "mask": "?"}[self.kind])]

    def row(self, value: Any) -> tuple[Any, ...]:
        """Return one value as its columns hold it."""
        if self.kind == "angle":
            return math.sin(value), math.cos(value)
        if self.kind == "class":
            return (self.values.index(value) if value in self.values else -1,)
        return (value,)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads it back."""
        return {**asdict(self), "values": list(self.values)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Fact":
        """Build a fact from what `to_dict` returned."""
        return cls(**{**data, "values": tuple(data["values"])})


@dataclass(frozen=True)
class World:
    """An environment, its factors, and what the toolkit may ask of it.

    The environment is a Gymnasium environment with uint8 images (height, width, channels). With `accepts="context"` it
    plays the context in `reset(options={"context": {factor: value, ...}})`, which has every factor. The same seed must
    place the same state whatever the context, if `paired` is set.

    Raises:
        InputError: `content` names a factor that the space does not have.
    """

    name: str
    env_id: str
    """Gymnasium id; in the form `module:id` Gymnasium imports the module first."""
    space: FactorSpace
    accepts: Literal["context", "domain"] = "context"
    """What the environment takes: a `context` at each reset; or, as a keyword of its constructor, the `domain` whose
    contexts it then draws itself."""
    facts: tuple[Fact, ...] = ()
    """Properties of the state behind an image, stored with each frame."""
    read_facts: Callable[[Info], Mapping[str, Any]] | None = None
    """From an `info` to the value of each fact; if None they are entries of `info["state"]`."""
    content: tuple[str, ...] = ()
    """Factors that decide which objects exist and not how they look. Paired renderings share their values."""
    paired: bool = True
    """Whether one state can be rendered in two contexts, by two resets with one seed."""
    random_start: Mapping[str, Any] | None = None
    """Options of a `reset` after which the agent may be anywhere, for frames of independent states; None if the
    environment has none."""
    requires: str = ""
    """What to install for it beyond darla, as `pip install` takes it."""
    license: str = ""
    """License of the environment where it is not darla's own."""
    about: str = ""
    frame_stack: int = 1
    """Successive images that show what a policy has to know; more than 1 where one image does not show velocities."""
    action_names: tuple[tuple[str, ...], ...] = ()
    """Names of the discrete actions in their order, for each number of them that the environment can have."""

    def __post_init__(self) -> None:
        for name in self.content:
            self.space[name]
        if self.accepts not in ("context", "domain"):
            raise unknown_name("value of accepts:", str(self.accepts), ("context", "domain"))

    def __hash__(self) -> int:
        return hash((self.name, self.env_id, self.space))

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, tuple(getattr(self, part.name) for part in fields(self))

    @property
    def fact_type(self) -> "np.dtype[Any] | None":
        """Structured NumPy type of the facts of one image; None where there are none."""
        columns = [column for fact in self.facts for column in fact.columns]
        return np.dtype(columns) if columns else None

    def fact_row(self, info: Info) -> tuple[Any, ...]:
        """Return the facts behind an image, as one row of `fact_type`.

        Args:
            info: what `reset` or `step` returned with the image.

        Raises:
            InputError: the environment does not give one of the facts.
        """
        try:
            values = info["state"] if self.read_facts is None else self.read_facts(info)
            return tuple(number for fact in self.facts for number in fact.row(values[fact.name]))
        except KeyError as error:
            raise InputError(
                f"{self.env_id} does not give the fact {error} of world {self.name!r} in its info"
            ) from error


def _unpickled(*values: Any) -> World:
    # The look-up imports the module that registers the world, and with it the environment, in a worker process too.
    world = World(*values)
    return WORLDS[world.name] if world.name in WORLDS and WORLDS[world.name] == world else world


def register_world(world: World) -> World:
    """Register a world under its name, and return it.

    Raises:
        ValueError: another world has that name.
    """
    return WORLDS.register(world.name)(world)


def names_of_actions(domain: Mapping[str, Any], count: int) -> tuple[str, ...]:
    """Return the names of a domain's discrete actions; their numbers where no world names them.

    Args:
        domain: as plain data, of a world or of an environment.
        count: number of actions.
    """
    worlds = [world for world in _importable_worlds() if world.name == domain.get("world")] or [
        world for world in _importable_worlds() if world.env_id == domain.get("env_id")
    ]
    named = (names for world in worlds for names in world.action_names if len(names) == count)
    return next(named, tuple(f"action {number}" for number in range(count)))


def _importable_worlds() -> Iterator[World]:
    """Yield every world but those of packages that cannot be imported here."""
    for name in WORLDS:
        with suppress(InputError):
            yield WORLDS[name]


def world_named(world: World | str) -> World:
    """Return a world by its name; a world itself is returned as it is.

    Raises:
        InputError: there is no such world.
    """
    return WORLDS[world] if isinstance(world, str) else world
