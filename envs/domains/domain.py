"""A domain: a set or a distribution of contexts, as data.

A domain of a world is a mixture of components; a component says for each factor one value, a range, or a choice, and
factors that it does not name keep their default. That form can be sampled, written to JSON, and compared with another
domain factor by factor, which is how the leak level of a result is computed instead of declared. Any other Gymnasium
environment makes a domain by its id and keyword arguments (`darla.envs.domains.env_domain`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from darla.common import InputError
from darla.envs.domains.env_domain import EnvDomain
from darla.envs.domains.factor_space import Context, Value
from darla.envs.domains.specs import Spec, check_spec, covers, draw, spec_from_json, spec_to_json
from darla.envs.domains.world import World, world_named

Component = Mapping[str, Spec]


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
        checked = tuple(
            MappingProxyType({name: check_spec(world.space[name], part[name]) for name in part})
            for part in self.components
        )
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
        values: dict[str, Value] = {}
        for name in self.world.space:  # in a fixed order, so that the draw does not depend on how it was written
            if name in component:
                values[name] = draw(component[name], rng)
        return Context(self.world.space, values)

    def component_of(self, context: Mapping[str, Value]) -> int:
        """Return the number of the first component that allows a context.

        Raises:
            InputError: none does.
        """
        for number, part in enumerate(self.components):
            if self._allows(part, context):
                return number
        raise InputError(f"domain {self.name!r} has no component that allows the context {dict(context)!r}")

    def contains(self, other: "Domain") -> bool:
        """Tell whether each component of another domain allows nothing that a component of this one does not allow."""
        return self.world == other.world and all(
            any(self._allows(outer, inner) for outer in self.components) for inner in other.components
        )

    def _allows(self, outer: Component, inner: Component) -> bool:
        """Tell whether a component allows nothing that another does not allow, factor by factor."""
        return all(
            covers(factor, (outer.get(name, factor.default),), (inner.get(name, factor.default),))
            for name, factor in self.world.space.items()
        )

    def with_looks(self, count: int, rng: np.random.Generator) -> "Domain":
        """Return a domain of `count` looks drawn from this one, each a component.

        A look is a value of every factor but those that decide which objects exist (`World.content`).

        Raises:
            InputError: `count` is below 1.
        """
        if count < 1:
            raise InputError(f"a domain needs at least one look, not {count}")
        components: list[Component] = []
        for _ in range(count):
            part = self.sample_component(rng)
            values = self.sample_within(part, rng)
            content = {name: part[name] for name in self.world.content if name in part}
            components.append({**{name: values[name] for name in self.world.space}, **content})
        return Domain(self.name, tuple(components), world=self.world)

    def support(self, name: str) -> tuple[Spec, ...]:
        """Return what the factor `name` can be, component by component."""
        default = self.world.space[name].default
        return tuple(part.get(name, default) for part in self.components)

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
