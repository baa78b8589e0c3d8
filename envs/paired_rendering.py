"""Paired rendering: the same states in the looks of two domains.

In a paired world the state of an episode depends on its seed and not on its context. So a state can be rendered again
in another context. The two renderings differ only in appearance, so any change in the code is caused by appearance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError, rng_for, seed_for
from darla.envs.domains.dependence import Component, draw_component
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.factor_space import Context
from darla.envs.domains.specs import covers
from darla.envs.make_env import make

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PairedRendering:
    """N states, each rendered twice."""

    source: Images
    """(N, height, width, 3), in contexts of the source."""
    target: Images
    """(N, height, width, 3), in contexts of the target."""
    contexts: tuple[tuple[Context, Context], ...]
    """The two contexts of each state."""
    states: tuple[dict[str, Any], ...]
    """The ground truth of each from the `info` of the target's rendering; empty where the environment gives none."""


def render_pairs(source: AnyDomain, target: AnyDomain, states: int, seed: int) -> PairedRendering:
    """Render states of a target, and each again as the source would have shown it.

    Both renderings share the content factors of the target's context (`World.content`), such as the set of objects.
    The other factors are drawn from the components of the source that allow this content; from all of the source where
    none does.

    Args:
        source: a domain of a paired world.
        target: another domain of that world, or the same.
        states: N, at least 2: drift compares pairs of one state with pairs of unrelated states.
        seed: names the states and the contexts; state i depends on it and on i alone.

    Raises:
        InputError: too few states, or domains of other environments or of two worlds, whose states cannot be rendered
            in two contexts.
    """
    if states < 2:
        raise InputError(f"states is {states}, but at least 2 are needed")
    for domain in (source, target):
        if not isinstance(domain, Domain) or not domain.world.paired:
            raise InputError(
                f"domain {domain.name!r} has no factors or is of a world that is not paired; its states cannot be"
                " rendered in two contexts"
            )
    assert isinstance(source, Domain)
    assert isinstance(target, Domain)
    if source.world != target.world:
        raise InputError(
            f"domain {source.name!r} is of world {source.world.name!r} and {target.name!r} of {target.world.name!r};"
            " states can be rendered again in one world only"
        )
    contexts = tuple(contexts_of_one_state(source, target, seed, number) for number in range(states))
    start = target.world.random_start or {}
    env = make(target)
    try:
        rendered: tuple[list[Any], list[Any]] = ([], [])
        truths: list[dict[str, Any]] = []
        for number, pair in enumerate(contexts):
            for images, context in zip(rendered, pair, strict=True):
                image, info = env.reset(seed=seed_for(seed, "state", number), options={**start, "context": context})
                images.append(image)
            truths.append(info.get("state", {}))
    finally:
        env.close()
    return PairedRendering(np.stack(rendered[0]), np.stack(rendered[1]), contexts, tuple(truths))


def contexts_of_one_state(source: Domain, target: Domain, seed: int, number: int) -> tuple[Context, Context]:
    """Draw two contexts in which one state can be shown: of the source and of the target, with the same content.

    Args:
        source: a domain of a paired world.
        target: another domain of that world, or the same.
        seed: master seed.
        number: of the state; the contexts depend on the seed and on it alone.
    """
    space, content = source.world.space, source.world.content
    target_context = target.sample(rng_for(seed, "target looks", number))
    shared = {name: target_context[name] for name in content}
    rng = rng_for(seed, "source looks", number)

    def allows(part: Component) -> bool:
        return all(covers(space[name], (part.get(name, space[name].default),), (shared[name],)) for name in content)

    if source.dependences:
        # Without dependences and with their probabilities: content may go together with looks.
        weighted = [(weight, part) for weight, part in source.parts if allows(part)] or source.parts
        weights = np.array([weight for weight, _ in weighted])
        chosen = weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][1]
        return Context(space, draw_component(space, {**chosen, **shared}, rng)), target_context
    matching = [part for part in source.components if allows(part)]
    looks = Domain("looks", tuple({**part, **shared} for part in matching or source.components), world=source.world)
    return looks.sample(rng), target_context
