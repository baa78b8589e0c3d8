"""A domain: a set or a distribution of contexts, as data.

A domain of a world is a mixture of components; a component says for each factor one value, a range, a choice, or which
other factor it goes together with, and factors that it does not name keep their default. That form can be sampled,
written to JSON, and compared with another domain factor by factor, which is how the leak level of a result is computed
instead of declared. Any other Gymnasium environment makes a domain by its id and keyword arguments
(`darla.envs.domains.env_domain`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np

from darla.common import InputError
from darla.envs.domains.dependence import (
    Component,
    Weighted,
    check_component,
    deviation,
    draw_component,
    without_dependences,
)
from darla.envs.domains.env_domain import EnvDomain
from darla.envs.domains.factor_space import Context, Value
from darla.envs.domains.specs import Given, Spec, covers, spec_from_json, spec_to_json, split
from darla.envs.domains.world import World, world_named

_ROUNDING = 1e-9
"""Differences between two probabilities below this are those of their sums."""


@dataclass(frozen=True)
class Domain:
    """A named distribution of contexts of a world.

    Args:
        name: what tables call it.
        components: equally likely parts of the mixture.
        world: whose factors these are, or its registered name.

    Raises:
        InputError: an unknown world, no component, an unknown factor, a value outside its bounds, or an empty range.
    """

    name: str
    components: tuple[Component, ...] = field(default_factory=lambda: ({},))
    world: World = field(kw_only=True)

    def __post_init__(self) -> None:
        world = world_named(self.world)
        object.__setattr__(self, "world", world)
        if not self.components:
            raise InputError(f"domain {self.name!r} has no component, but needs at least one")
        checked = tuple(MappingProxyType(check_component(world.space, part)) for part in self.components)
        object.__setattr__(self, "components", checked)

    def __hash__(self) -> int:
        parts = tuple(tuple(sorted(part.items(), key=str)) for part in self.components)
        return hash((self.world.name, self.name, parts))

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only mappings cannot be pickled.
        return _rebuild, (self.name, tuple(dict(part) for part in self.components), self.world)

    def sample(self, rng: np.random.Generator) -> Context:
        """Draw a context."""
        return self.sample_within(self.sample_component(rng), rng)

    def sample_component(self, rng: np.random.Generator) -> Component:
        """Draw a component; nothing is drawn where there is only one."""
        return self.components[int(rng.integers(len(self.components)))]

    def sample_within(self, component: Component, rng: np.random.Generator) -> Context:
        """Draw a context of one component."""
        return Context(self.world.space, draw_component(self.world.space, component, rng))

    @cached_property
    def parts(self) -> Weighted:
        """What the domain is made of: components without dependences, each with its probability."""
        share = 1.0 / len(self.components)
        return tuple(
            (share * weight, plain)
            for part in self.components
            for weight, plain in without_dependences(self.world.space, part)
        )

    @property
    def dependences(self) -> tuple[tuple[str, Given], ...]:
        """Every factor that goes together with another, and how."""
        found = [(name, spec) for part in self.components for name, spec in part.items() if isinstance(spec, Given)]
        return tuple(dict.fromkeys(found))

    def component_of(self, context: Mapping[str, Value]) -> int:
        """Return the number of the first component that allows a context.

        Raises:
            InputError: none does.
        """
        for number, part in enumerate(self.components):
            if any(self._allows(plain, context) for _, plain in without_dependences(self.world.space, part)):
                return number
        raise InputError(f"domain {self.name!r} has no component that allows the context {dict(context)!r}")

    def contains(self, other: "Domain") -> bool:
        """Tell whether each component of another domain allows nothing that a component of this one does not allow.

        Where factors go together, each of their values counts as a component.
        """
        joint = {each for name, given in self.dependences for each in (name, given.factor)}
        return self.world == other.world and all(
            any(self._allows(outer, inner) for _, outer in self.parts)
            for _, part in other.parts
            for inner in _by_value(part, joint)
        )

    def goes_otherwise(self, other: "Domain") -> bool:
        """Tell whether in another domain factors depart more often from what they go together with in this one.

        They do not where every component of the other is one of this domain's.
        """
        space = self.world.space
        return not all(part in self.components for part in other.components) and any(
            deviation(space, other.parts, name, given) > deviation(space, self.parts, name, given) + _ROUNDING
            for name, given in self.dependences
        )

    def _allows(self, outer: Component, inner: Component) -> bool:
        """Tell whether a component allows nothing that another does not allow, factor by factor."""
        return all(
            covers(factor, (outer.get(name, factor.default),), (inner.get(name, factor.default),))
            for name, factor in self.world.space.items()
        )

    def with_looks(self, count: int, rng: np.random.Generator) -> "Domain":
        """Return a domain of `count` looks drawn from this one, each a component.

        A look is a value of every factor but those that decide which objects exist (`World.content`) and go together
        with none.

        Raises:
            InputError: `count` is below 1.
        """
        if count < 1:
            raise InputError(f"a domain needs at least one look, not {count}")
        components: list[Component] = []
        for _ in range(count):
            part = self.sample_component(rng)
            values = self.sample_within(part, rng)
            joint = {each for name, spec in part.items() if isinstance(spec, Given) for each in (name, spec.factor)}
            content = {name: part[name] for name in self.world.content if name in part and name not in joint}
            components.append({**{name: values[name] for name in self.world.space}, **content})
        return Domain(self.name, tuple(components), world=self.world)

    def support(self, name: str) -> tuple[Spec, ...]:
        """Return what the factor `name` can be, component by component; without dependences."""
        default = self.world.space[name].default
        return tuple(part.get(name, default) for _, part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the domain as plain data; `from_dict` reads it back."""
        return {
            "name": self.name,
            "world": self.world.name,
            "components": [{name: spec_to_json(part[name]) for name in sorted(part)} for part in self.components],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Domain":
        """Build a domain from what `to_dict` returned.

        Raises:
            InputError: the data is not of that form, or there is no such world.
        """
        try:
            parts = tuple({name: spec_from_json(value) for name, value in part.items()} for part in data["components"])
            name, world = str(data["name"]), str(data["world"])
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{data!r} does not describe a domain: a name, a world and a list of components are needed"
            ) from error
        return cls(name, parts, world=world_named(world))

    @classmethod
    def of(cls, context: Context, world: World, name: str = "one context") -> "Domain":
        """Return the domain that holds one context."""
        return cls(name, (context.to_dict(),), world=world)


def _by_value(part: Component, names: set[str]) -> list[Component]:
    """Return a component for every combination of the values that these factors can choose from."""
    chosen = [name for name in part if name in names]
    values = product(*(split((part[name],)) for name in chosen))
    return [{**part, **dict(zip(chosen, combination, strict=True))} for combination in values]


def _rebuild(name: str, components: tuple[Component, ...], world: World) -> Domain:
    return Domain(name, components, world=world)


AnyDomain = Domain | EnvDomain


def domain_from_dict(data: Mapping[str, Any], folder: str = "") -> AnyDomain:
    """Build a domain of either kind from plain data.

    Args:
        data: what `to_dict` of either kind returned.
        folder: of environments by their id, where modules are searched first.
    """
    return EnvDomain.from_dict(data, folder) if "env_id" in data else Domain.from_dict(data)
