"""One axis at a time: a target for each factor in which it alone leaves the values that the source has.

    axes_task("squares")                                    # the source: every factor at its default
    axes_task("squares", source, pairs=True)                # and a target for every two factors

Such a task says which change of appearance breaks a policy; one return over a target in which everything differs does
not. The benchmark KAGE-Bench does the same with pairs of tasks in two dimensions.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations, product

from darla.common import InputError, unknown_name
from darla.common.checked_config import checked_arguments
from darla.envs.domains.dependence import Component
from darla.envs.domains.domain import Domain
from darla.envs.domains.factor_space import Factor
from darla.envs.domains.specs import Choice, Spec, Uniform, apart
from darla.envs.domains.transfer_task import TransferTask, new_values
from darla.envs.domains.world import World, world_named

FAR = 0.25
"""Default distance between a factor's values in the source and those in its target, as a share of its range."""
SINGLE_AXES = 3
"""Targets with one new factor from which on a task is one of axes."""
_BETWEEN = " + "
_ANY = 1e-3
"""Smallest distance, as a share of a factor's range."""


@checked_arguments
def axes_task(
    world: World | str,
    source: Domain | None = None,
    *,
    name: str | None = None,
    factors: Sequence[str] | None = None,
    pairs: bool | Sequence[Sequence[str]] = False,
    distance: float = FAR,
    unlabeled: Domain | None = None,
    about: str = "",
) -> TransferTask:
    """Return a task with a target for each factor, in which it alone leaves the values that the source has.

    A continuous factor takes the values below and above those of the source that are far enough from them, both sides
    equally likely; a circular one those on the rest of the circle; a discrete one every choice that the source does not
    have.

    Args:
        world: whose factors these are, or its registered name.
        source: D_S; one context, with every factor at its default, if None.
        name: of the task; `axes of WORLD` if None.
        factors: those with a target; if None, all that the source leaves a value to go to and that show there
            (`Factor.needs`).
        pairs: True for a further target for every two of these factors, or the pairs that get one, called
            `one + other`.
        distance: between a number in a target and those of the source, as a share of the factor's range, below 0.5. A
            circle has the range 1.
        unlabeled: D_U; if None, every factor is drawn from its whole range, so that the leak level is `visual`.
        about: one line on the task.

    Raises:
        InputError: an unknown world, a source of another one, an unknown factor or one named twice, a distance out of
            bounds, a factor without a value that far from the source's, or one that does not show there.
    """
    world = world_named(world)
    if not _ANY <= distance < 0.5:
        raise InputError(
            f"distance is {distance}, but must be from {_ANY} to below 0.5, as a share of a factor's range"
        )
    source = Domain("source", world=world) if source is None else source
    if source.world != world:
        raise InputError(
            f"domain {source.name!r} is of world {source.world.name!r}, but the axes are of {world.name!r}"
        )
    for factor_name in factors or ():
        world.space[factor_name]  # an unknown one is answered with the closest
    if factors is not None and len(set(factors)) < len(factors):
        raise InputError(f"factors are {', '.join(factors)}, but each is named once")
    away: dict[str, tuple[Spec, ...]] = {}
    for factor_name, factor in world.space.items():
        asked_for = _may_leave(factor, source) if factors is None else factor_name in factors
        if not asked_for:
            continue
        if not _shows(factor, source):
            if factors is None:
                continue
            raise InputError(
                f"factor {factor_name!r} does not show where {factor.needs!r} is 0, as in the source {source.name!r}; "
                f"give the source another {factor.needs}, or leave the factor out"
            )
        for other, given in source.dependences:
            if given.factor == factor_name:
                raise InputError(
                    f"factor {factor_name!r} cannot leave the source's values alone, since {other!r} goes together "
                    "with it there; name the factors without it"
                )
        away[factor_name] = _away(factor, source, distance)
    if not away:
        raise InputError(f"the source {source.name!r} has every value of every factor, so there is nowhere to go")
    groups = [(axis,) for axis in away] + [_checked_pair(pair, away) for pair in _pairs(pairs, away)]
    targets = {_BETWEEN.join(group): _target(group, away, source) for group in groups}
    if unlabeled is None:
        unlabeled = Domain("unlabeled", ({part: _whole(factor) for part, factor in world.space.items()},), world=world)
    return TransferTask(
        name or f"axes of {world.name}",
        unlabeled,
        Domain("source", source.components, world=world),
        Domain("validation", source.components, world=world),
        targets,
        about=about or f"one factor of {world.name} at a time leaves the source's values",
    )


def axes_of(task: TransferTask) -> dict[str, tuple[str, ...]]:
    """Return which factors leave the source's values in each target; empty unless the task has one axis at a time.

    That is where every target has one or two new factors, and at least `SINGLE_AXES` have one. It follows from the
    contexts, so it holds for tasks that were written by hand, too.
    """
    if not isinstance(task.source, Domain):
        return {}
    new = {
        name: tuple(new_values(task.source, goal)) for name, goal in task.targets.items() if isinstance(goal, Domain)
    }
    single = sum(len(factors) == 1 for factors in new.values())
    return new if single >= SINGLE_AXES and all(len(factors) in (1, 2) for factors in new.values()) else {}


def _target(group: tuple[str, ...], away: dict[str, tuple[Spec, ...]], source: Domain) -> Domain:
    """Return the source with other values of these factors."""
    others = [dict(zip(group, specs, strict=True)) for specs in product(*(away[axis] for axis in group))]
    components: list[Component] = [{**part, **other} for part in source.components for other in others]
    return Domain(_BETWEEN.join(group), tuple(components), world=source.world)


def _pairs(pairs: bool | Sequence[Sequence[str]], away: Iterable[str]) -> Iterable[tuple[str, ...]]:
    if isinstance(pairs, bool):
        return combinations(away, 2) if pairs else ()
    return [tuple(pair) for pair in pairs]


def _checked_pair(pair: tuple[str, ...], away: Iterable[str]) -> tuple[str, ...]:
    if len(pair) != 2 or pair[0] == pair[1]:
        raise InputError(f"the pair {list(pair)} cannot be used: it must be two different factors")
    for factor in pair:
        if factor not in away:
            raise unknown_name(f"factor of the pair {list(pair)}:", str(factor), away)
    return pair


def _whole(factor: Factor) -> Spec:
    """Return everything that a factor can be."""
    if factor.kind == "discrete":
        return Choice(factor.choices)
    return Uniform(0.0, 1.0) if factor.kind == "circular" else Uniform(factor.low, factor.high)


def _may_leave(factor: Factor, source: Domain) -> bool:
    """Return whether there is a value that the source does not have."""
    return bool(apart(factor, source.support(factor.name), _ANY * _span(factor)))


def _shows(factor: Factor, source: Domain) -> bool:
    """Return whether a factor shows anywhere in the source."""
    return not factor.needs or any(spec != 0.0 for spec in source.support(factor.needs))


def _span(factor: Factor) -> float:
    return factor.high - factor.low if factor.kind == "continuous" else 1.0


def _away(factor: Factor, source: Domain, distance: float) -> tuple[Spec, ...]:
    """Return the values that are far enough from the source's.

    Raises:
        InputError: there are none.
    """
    specs = apart(factor, source.support(factor.name), distance * _span(factor))
    if not specs:
        far = "" if factor.kind == "discrete" else f" that is at least {distance:g} of its range away"
        raise InputError(
            f"factor {factor.name!r} has no value outside those of the source {source.name!r}{far}; "
            f"{'leave it out' if factor.kind == 'discrete' else 'choose a smaller distance, or leave it out'}"
        )
    return specs
