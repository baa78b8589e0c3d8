"""Factors that go together: how a component with dependences is checked, drawn, and written out without them.

    {"object_set": Choice(("A", "B")), "good_tint": Given("object_set", (("A", 0.3), ("B", 0.0)), strength=0.9)}

The factor that others go together with has one value or a choice, each equally likely, and no dependence of its own.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np

from darla.common import InputError
from darla.envs.domains.factor_space import Factor, FactorSpace, Value
from darla.envs.domains.specs import Given, Spec, Uniform, check_spec, covers, draw, split

Component = Mapping[str, Spec]
Weighted = tuple[tuple[float, Component], ...]
"""Components without dependences, each with its probability."""


def check_component(space: FactorSpace, part: Component) -> dict[str, Spec]:
    """Return a component with every spec in its canonical form.

    Raises:
        InputError: an unknown factor, a value outside its bounds, or a dependence that cannot be drawn.
    """
    checked = {name: check_spec(space[name], spec) for name, spec in part.items()}
    return {
        name: _checked_given(space, name, spec, checked) if isinstance(spec, Given) else spec
        for name, spec in checked.items()
    }


def draw_component(space: FactorSpace, part: Component, rng: np.random.Generator) -> dict[str, Value]:
    """Draw the factors that a component names, those that depend on others last."""
    values: dict[str, Value] = {}
    for name in space:  # in a fixed order, so that the draw does not depend on how it was written
        spec = part.get(name)
        if spec is not None and not isinstance(spec, Given):
            values[name] = draw(spec, rng)
    for name in space:
        spec = part.get(name)
        if isinstance(spec, Given):
            own = _case(space[spec.factor], spec, values.get(spec.factor, space[spec.factor].default))
            # Drawn only where chance decides: of 1 and 0 nothing is left to it.
            keeps = spec.strength == 1.0 or (spec.strength > 0.0 and rng.random() < spec.strength)
            case = own if keeps else spec.cases[int(rng.integers(len(spec.cases)))][1]
            values[name] = draw(case, rng)
    return values


def without_dependences(space: FactorSpace, part: Component) -> Weighted:
    """Return what a component is made of: parts in which every factor is drawn by itself, with their probabilities."""
    given = {name: spec for name, spec in part.items() if isinstance(spec, Given)}
    if not given:
        return ((1.0, part),)
    plain = {name: spec for name, spec in part.items() if name not in given}
    deciding = list(dict.fromkeys(spec.factor for spec in given.values()))
    choices = [split((part.get(name, space[name].default),)) for name in deciding]
    parts: list[tuple[float, Component]] = []
    for values in product(*choices):
        decided = dict(zip(deciding, values, strict=True))
        cases = [_weighted_cases(space[spec.factor], spec, decided[spec.factor]) for spec in given.values()]
        for drawn in product(*cases):
            weight = float(np.prod([share for share, _ in drawn])) / float(np.prod([len(each) for each in choices]))
            others = {name: case for name, (_, case) in zip(given, drawn, strict=True)}
            if weight > 0.0:
                parts.append((weight, {**plain, **decided, **others}))
    return tuple(parts)


def deviation(space: FactorSpace, parts: Weighted, name: str, given: Given) -> float:
    """Return the probability that a factor has another value than the one that goes with the factor it depends on.

    Args:
        space: the factors.
        parts: of a domain, without dependences.
        name: the factor.
        given: the dependence, which may be that of another domain.
    """
    factor, other = space[name], space[given.factor]
    share = 0.0
    for weight, part in parts:
        values, deciding = (split((part.get(each.name, each.default),)) for each in (factor, other))
        apart = 0
        for decided, value in product(deciding, values):
            case = _case_or_none(other, given, decided)
            apart += case is not None and not covers(factor, (case,), (value,))
        share += weight * apart / (len(values) * len(deciding))
    return share


def _checked_given(space: FactorSpace, name: str, given: Given, part: Component) -> Given:
    """Return a dependence in its canonical form."""
    factor, other = space[name], space[given.factor]
    if other.name == name:
        raise InputError(f"factor {name!r} depends on itself; 'given' names another factor")
    deciding = part.get(other.name, other.default)
    if isinstance(deciding, Given | Uniform):
        what = "a range" if isinstance(deciding, Uniform) else "a dependence of its own"
        raise InputError(
            f"factor {name!r} depends on {other.name!r}, which is {what}, but must be a value or a choice of values"
        )
    cases: list[tuple[Value, Spec]] = []
    for value, case in given.cases:
        if isinstance(case, Given):
            raise InputError(f"factor {name!r} has a case that is a dependence, but must be a value, range or choice")
        cases.append((other.check(value), check_spec(factor, case)))
    canonical = Given(given.factor, tuple(cases), given.strength)
    values = [value for value, _ in cases]
    for value in values:
        if sum(covers(other, (value,), (each,)) for each in values) > 1:
            raise InputError(f"factor {name!r} has two cases for {other.name} {value!r}, but needs one for each value")
    for needed in split((deciding,)):
        if _case_or_none(other, canonical, needed) is None:
            raise InputError(f"factor {name!r} has no case for {other.name} {needed!r}, which the component has")
    return canonical


def _case_or_none(other: Factor, given: Given, value: Spec) -> Spec | None:
    """Return what goes with a value; None where no case is for it."""
    return next((case for each, case in given.cases if covers(other, (each,), (value,))), None)


def _case(other: Factor, given: Given, value: Spec) -> Spec:
    case = _case_or_none(other, given, value)
    assert case is not None, f"{given} was checked, and has a case for {value!r}"
    return case


def _weighted_cases(other: Factor, given: Given, value: Spec) -> list[tuple[float, Spec]]:
    """Return every case with its probability, given a value of the factor that decides."""
    own, shares = _case(other, given, value), dict.fromkeys((case for _, case in given.cases), 0.0)
    for _, case in given.cases:
        shares[case] += (1.0 - given.strength) / len(given.cases)
    shares[own] += given.strength
    return [(share, case) for case, share in shares.items()]
