"""What a domain says about one factor: a value, a range, a choice, or that it goes together with another.

And how two sets of values compare.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from darla.common import InputError, unknown_name
from darla.envs.domains.factor_space import Factor, Value

_TOLERANCE = 1e-6
"""Differences below this do not make a value new; one millionth of a turn of the color wheel is not visible."""


@dataclass(frozen=True)
class Uniform:
    """A factor drawn uniformly from an interval; for a circular factor the interval may pass 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """A factor drawn from a list, each value equally likely."""

    values: tuple[Value, ...]


@dataclass(frozen=True)
class Given:
    """A factor that goes together with another one.

    With probability `strength` it is drawn from the case of the value that the other has; else from one of all cases,
    each equally likely. With two equally likely values and two cases that are values, too, `strength` is the
    correlation of the two.
    """

    factor: str
    """The other factor; in the same component it has a value or a choice of values."""
    cases: tuple[tuple[Value, "Spec"], ...]
    """What goes with each value of the other: a value, a range or a choice."""
    strength: float = 1.0
    """1: the case follows from the other's value; 0: both are independent."""


Spec = Uniform | Choice | Given | Value


def check_spec(factor: Factor, spec: Spec) -> Spec:
    """Return `spec` in its canonical form.

    Raises:
        InputError: a value outside the factor's bounds, an empty choice or an empty range.
    """
    name = factor.name
    if isinstance(spec, Given):
        # That the cases fit the other factor is checked with the component (`dependence`).
        if not spec.cases:
            raise InputError(f"factor {name!r} depends on {spec.factor!r}, but has no case")
        if not 0.0 <= spec.strength <= 1.0:
            raise InputError(f"factor {name!r} has strength {spec.strength}, but it must be from 0 to 1")
        return spec
    if isinstance(spec, Choice):
        if not spec.values:
            raise InputError(f"factor {name!r} has an empty choice, but needs at least one value")
        return Choice(tuple(factor.check(value) for value in spec.values))
    if isinstance(spec, Uniform):
        if factor.kind == "discrete":
            raise InputError(f"factor {name!r} is discrete and cannot be drawn from a range; use a choice")
        if not spec.low < spec.high:
            raise InputError(f"factor {name!r} has the range [{spec.low}, {spec.high}], but low must be below high")
        if factor.kind == "continuous":
            factor.check(spec.low), factor.check(spec.high)
        elif spec.high - spec.low > 1.0:
            raise InputError(f"factor {name!r} has the range [{spec.low}, {spec.high}], but a full turn is 1")
        return spec
    return factor.check(spec)


def draw(spec: Spec, rng: np.random.Generator) -> Value:
    """Draw a value of anything but a dependence, whose value follows from another factor's."""
    assert not isinstance(spec, Given), spec
    if isinstance(spec, Uniform):
        return float(rng.uniform(spec.low, spec.high))
    if isinstance(spec, Choice):
        return spec.values[int(rng.integers(len(spec.values)))]
    return spec


def spec_to_json(spec: Spec) -> Any:
    """Return a spec as plain data; `spec_from_json` reads it back."""
    if isinstance(spec, Uniform):
        return {"uniform": [spec.low, spec.high]}
    if isinstance(spec, Choice):
        return {"choice": list(spec.values)}
    if isinstance(spec, Given):
        cases: Any = [[value, spec_to_json(case)] for value, case in spec.cases]
        if all(isinstance(value, str) for value, _ in spec.cases):
            cases = dict(cases)
        strength = {} if spec.strength == 1.0 else {"strength": spec.strength}
        return {"given": spec.factor, "cases": cases, **strength}
    return spec


def spec_from_json(data: Any) -> Spec:
    """Build a spec from what `spec_to_json` returned.

    Raises:
        InputError: an object that is neither a range, nor a choice, nor a dependence.
    """
    if isinstance(data, Mapping):
        if set(data) == {"uniform"}:
            ends = data["uniform"]
            if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(map(_is_finite, ends)):
                raise InputError(f"{dict(data)!r} is not a range: 'uniform' needs two finite numbers, [low, high]")
            return Uniform(float(ends[0]), float(ends[1]))
        if set(data) == {"choice"}:
            if not isinstance(data["choice"], list | tuple):
                raise InputError(f"{dict(data)!r} is not a choice: 'choice' needs a list of values")
            return Choice(tuple(data["choice"]))
        if "given" in data:
            return _given(data)
        raise InputError(
            f"{dict(data)!r} is not a range or a choice: use {{'uniform': [low, high]}} or {{'choice': [...]}}, or "
            "{'given': factor, 'cases': {...}} for a factor that goes together with another"
        )
    value: Spec = data
    return value


def _given(data: Mapping[str, Any]) -> Given:
    """Build a dependence from plain data; cases are an object, or a list of pairs where the values are numbers."""
    for name in data:
        if name not in ("given", "cases", "strength"):
            raise unknown_name("part of a dependence:", str(name), ("given", "cases", "strength"))
    cases, strength = data.get("cases"), data.get("strength", 1.0)
    pairs = list(cases.items()) if isinstance(cases, Mapping) else cases
    if (
        not isinstance(data["given"], str)
        or not isinstance(pairs, list)
        or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs)
        or any(isinstance(value, list | Mapping) for value, _ in pairs)
    ):
        raise InputError(
            f"{dict(data)!r} is not a dependence: 'given' is the name of a factor, and 'cases' has what goes with each "
            "of its values, {value: ...} or [[value, ...], ...]"
        )
    if not _is_finite(strength):
        raise InputError(f"{dict(data)!r} is not a dependence: its strength must be a number from 0 to 1")
    return Given(data["given"], tuple((value, spec_from_json(case)) for value, case in pairs), float(strength))


def _is_finite(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)


def covers(factor: Factor, outer: tuple[Spec, ...], inner: tuple[Spec, ...]) -> bool:
    """Tell whether every value that `inner` allows is one that `outer` allows."""
    return not uncovered(factor, outer, inner)


def uncovered(factor: Factor, outer: tuple[Spec, ...], inner: tuple[Spec, ...]) -> tuple[Spec, ...]:
    """Return the values and ranges of `inner` that `outer` does not allow, or does not allow in full."""
    return tuple(small for small in split(inner) if not any(_contains(factor, big, small) for big in outer))


def apart(factor: Factor, specs: tuple[Spec, ...], distance: float) -> tuple[Spec, ...]:
    """Return every value that is not allowed by `specs`, as few specs as possible.

    Args:
        factor: whose values these are.
        specs: values, ranges and choices.
        distance: of a number to the nearest allowed one, at least, in the factor's unit. A discrete factor has none.
    """
    values = split(specs)
    if factor.kind == "discrete":
        others = tuple(choice for choice in factor.choices if choice not in values)
        return (Choice(others),) if len(others) > 1 else others
    taken = [(low - distance, high + distance) for low, high in map(_interval, values)]
    first, last = factor.low, factor.high
    if factor.kind == "circular":
        # Around the circle from the start of what is taken first; what passes 1 is taken again at the beginning.
        turned = [(low % 1.0, low % 1.0 + high - low) for low, high in taken]
        first = min(turned)[0]
        last = first + 1.0
        taken = [(low + shift, high + shift) for low, high in turned for shift in (-1.0, 0.0)]
    free: list[Spec] = []
    reach = first
    for low, high in [*sorted(taken), (last, last)]:
        if min(low, last) - reach > _TOLERANCE:
            turns = math.floor(reach) if factor.kind == "circular" else 0
            free.append(Uniform(reach - turns, min(low, last) - turns))
        reach = max(reach, high)
    return tuple(free)


def overlaps(factor: Factor, one: tuple[Spec, ...], other: tuple[Spec, ...]) -> bool:
    """Tell whether some value is allowed by both."""
    return any(_intersects(factor, left, right) for left in split(one) for right in split(other))


def split(specs: tuple[Spec, ...]) -> list[Spec]:
    """Take choices apart into their values."""
    return [value for spec in specs for value in (spec.values if isinstance(spec, Choice) else (spec,))]


def _interval(spec: Spec) -> tuple[float, float]:
    if isinstance(spec, Uniform):
        return spec.low, spec.high
    assert isinstance(spec, int | float)
    return float(spec), float(spec)


def _shifts(factor: Factor) -> tuple[float, ...]:
    # Circular values are stored in [0, 1), and a range may pass 1: 0.1 lies in [0.9, 1.7] as 1.1 does.
    return (-1.0, 0.0, 1.0) if factor.kind == "circular" else (0.0,)


def _contains(factor: Factor, big: Spec, small: Spec) -> bool:
    if isinstance(big, Choice):
        return any(_contains(factor, value, small) for value in big.values)
    if factor.kind == "discrete":
        return big == small
    (low, high), (start, end) = _interval(big), _interval(small)
    full_turn = factor.kind == "circular" and high - low >= 1.0 - _TOLERANCE
    return full_turn or any(
        low - _TOLERANCE <= start + shift and end + shift <= high + _TOLERANCE for shift in _shifts(factor)
    )


def _intersects(factor: Factor, one: Spec, other: Spec) -> bool:
    if factor.kind == "discrete":
        return one == other
    (low, high), (start, end) = _interval(one), _interval(other)
    return any(low - _TOLERANCE <= end + shift and start + shift <= high + _TOLERANCE for shift in _shifts(factor))
