"""A domain: a set or a distribution of contexts, as data.

A SeekAvoid domain is a mixture of components; a component says for each factor one value, a range, or a choice, and
factors that it does not name keep their default. That form can be sampled, written to JSON, and compared with another
domain factor by factor, which is how the leak level of a result is computed instead of declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from darla.common import InputError
from darla.envs.domains.factors import FACTORS, Context, Value, factor

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Uniform:
    """A factor drawn uniformly from an interval; for a circular factor the interval may pass 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """A factor drawn from a list, each value equally likely."""

    values: tuple[Value, ...]


Spec = Uniform | Choice | Value
Component = Mapping[str, Spec]


@dataclass(frozen=True)
class Domain:
    """A named distribution of SeekAvoid contexts.

    Args:
        name: what tables call it.
        components: equally likely parts of the mixture.

    Raises:
        InputError: no component, an unknown factor, a value outside its bounds, or an empty range.
    """

    name: str
    components: tuple[Component, ...] = field(default_factory=lambda: ({},))

    def __post_init__(self) -> None:
        if not self.components:
            raise InputError(f"domain {self.name!r} has no component, but needs at least one")
        checked = tuple(MappingProxyType({key: _check(key, part[key]) for key in part}) for part in self.components)
        object.__setattr__(self, "components", checked)

    def __hash__(self) -> int:
        return hash((self.name, tuple(tuple(sorted(part.items(), key=str)) for part in self.components)))

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only mappings do not travel between processes by themselves.
        return Domain.from_dict, (self.to_dict(),)

    def sample(self, rng: np.random.Generator) -> Context:
        """Draw a context."""
        part = (
            self.components[int(rng.integers(len(self.components)))] if len(self.components) > 1 else self.components[0]
        )
        values: dict[str, object] = {}
        for name in FACTORS:  # in a fixed order, so that the draw does not depend on how the domain was written
            if name in part:
                values[name] = _draw(part[name], rng)
        return Context(values)

    def support(self, name: str) -> tuple[Spec, ...]:
        """Return what the factor `name` can be, component by component."""
        default = factor(name).default
        return tuple(part.get(name, default) for part in self.components)

    def to_dict(self) -> dict[str, Any]:
        """Return the domain as plain data; `from_dict` reads it back."""
        return {
            "name": self.name,
            "components": [{key: _plain(part[key]) for key in sorted(part)} for part in self.components],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Domain":
        """Build a domain from what `to_dict` returned.

        Raises:
            InputError: the data is not of that form.
        """
        try:
            parts = tuple({key: _spec(value) for key, value in part.items()} for part in data["components"])
            return cls(str(data["name"]), parts)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{data!r} does not describe a domain: a name and a list of components are needed"
            ) from error

    @classmethod
    def of(cls, context: Context, name: str = "one context") -> "Domain":
        """Return the domain that holds one context."""
        return cls(name, (context.to_dict(),))


@dataclass(frozen=True)
class EnvDomain:
    """A domain of any Gymnasium image environment: its id and keyword arguments.

    Several keyword sets make a mixture; an episode plays one of them, drawn by its seed.
    """

    name: str
    env_id: str
    variants: tuple[Mapping[str, Any], ...] = field(default_factory=lambda: ({},))

    def __post_init__(self) -> None:
        if not self.variants:
            raise InputError(f"domain {self.name!r} has no variant, but needs at least one set of keyword arguments")

    def __hash__(self) -> int:
        return hash((self.name, self.env_id, str(self.variants)))

    def to_dict(self) -> dict[str, Any]:
        """Return the domain as plain data; `from_dict` reads it back."""
        return {"name": self.name, "env_id": self.env_id, "variants": [dict(part) for part in self.variants]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "EnvDomain":
        """Build a domain from what `to_dict` returned."""
        return cls(str(data["name"]), str(data["env_id"]), tuple(dict(part) for part in data["variants"]))


AnyDomain = Domain | EnvDomain


def domain_from_dict(data: Mapping[str, Any]) -> AnyDomain:
    """Build a domain of either kind from plain data."""
    return EnvDomain.from_dict(data) if "env_id" in data else Domain.from_dict(data)


def covers(name: str, outer: tuple[Spec, ...], inner: tuple[Spec, ...]) -> bool:
    """Tell whether every value that `inner` allows the factor `name` is one that `outer` allows."""
    return not uncovered(name, outer, inner)


def uncovered(name: str, outer: tuple[Spec, ...], inner: tuple[Spec, ...]) -> tuple[Spec, ...]:
    """Return the values and ranges of `inner` that `outer` does not allow, or does not allow in full."""
    return tuple(small for small in _split(inner) if not any(_contains(name, big, small) for big in outer))


def overlaps(name: str, one: tuple[Spec, ...], other: tuple[Spec, ...]) -> bool:
    """Tell whether some value of the factor `name` is allowed by both."""
    return any(_meets(name, left, right) for left in _split(one) for right in _split(other))


def _split(specs: tuple[Spec, ...]) -> list[Spec]:
    """Take choices apart into their values."""
    return [value for spec in specs for value in (spec.values if isinstance(spec, Choice) else (spec,))]


def _interval(spec: Spec) -> tuple[float, float]:
    if isinstance(spec, Uniform):
        return spec.low, spec.high
    assert isinstance(spec, int | float)
    return float(spec), float(spec)


def _contains(name: str, big: Spec, small: Spec) -> bool:
    if isinstance(big, Choice):
        return any(_contains(name, value, small) for value in big.values)
    if factor(name).kind == "discrete":
        return big == small
    (low, high), (start, end) = _interval(big), _interval(small)
    turns = (-1.0, 0.0, 1.0) if factor(name).kind == "circular" else (0.0,)
    whole = factor(name).kind == "circular" and high - low >= 1.0 - _TOLERANCE
    return whole or any(low - _TOLERANCE <= start + turn and end + turn <= high + _TOLERANCE for turn in turns)


def _meets(name: str, one: Spec, other: Spec) -> bool:
    if factor(name).kind == "discrete":
        return one == other
    (low, high), (start, end) = _interval(one), _interval(other)
    turns = (-1.0, 0.0, 1.0) if factor(name).kind == "circular" else (0.0,)
    return any(low - _TOLERANCE <= end + turn and start + turn <= high + _TOLERANCE for turn in turns)


def _check(name: str, spec: Spec) -> Spec:
    known = factor(name)
    if isinstance(spec, Choice):
        if not spec.values:
            raise InputError(f"factor {name!r} has an empty choice, but needs at least one value")
        return Choice(tuple(known.check(value) for value in spec.values))
    if isinstance(spec, Uniform):
        if known.kind == "discrete":
            raise InputError(f"factor {name!r} is discrete and cannot be drawn from a range; use a choice")
        if not spec.low < spec.high:
            raise InputError(f"factor {name!r} has the range [{spec.low}, {spec.high}], but low must be below high")
        if known.kind == "continuous":
            known.check(spec.low), known.check(spec.high)
        elif spec.high - spec.low > 1.0:
            raise InputError(f"factor {name!r} has the range [{spec.low}, {spec.high}], but a full turn is 1")
        return spec
    return known.check(spec)


def _draw(spec: Spec, rng: np.random.Generator) -> Value:
    if isinstance(spec, Uniform):
        return float(rng.uniform(spec.low, spec.high))
    if isinstance(spec, Choice):
        return spec.values[int(rng.integers(len(spec.values)))]
    return spec


def _plain(spec: Spec) -> Any:
    if isinstance(spec, Uniform):
        return {"uniform": [spec.low, spec.high]}
    if isinstance(spec, Choice):
        return {"choice": list(spec.values)}
    return spec


def _spec(data: Any) -> Spec:
    if isinstance(data, Mapping):
        if set(data) == {"uniform"}:
            low, high = data["uniform"]
            return Uniform(float(low), float(high))
        if set(data) == {"choice"}:
            return Choice(tuple(data["choice"]))
        raise InputError(
            f"{dict(data)!r} is not a range or a choice: use {{'uniform': [low, high]}} or {{'choice': [...]}}"
        )
    value: Spec = data
    return value
