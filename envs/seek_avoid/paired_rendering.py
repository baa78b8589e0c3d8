"""The same states as two domains show them: one layout, one pose, the same objects, in the looks of either.

What an episode's seed places does not depend on its context. So a state can be drawn again in another context, pixel by
pixel the same room but for its looks: what a code makes of the change is the change's doing alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError, rng_for, seed_for
from darla.envs.domains.domain import AnyDomain, Domain, covers
from darla.envs.domains.factors import Context
from darla.envs.make_env import make

Images = npt.NDArray[np.uint8]
OBJECTS = "object_set"
"""The factor that belongs to the state: which objects there are. All others are looks."""


@dataclass(frozen=True)
class PairedRendering:
    """N states, each seen twice."""

    source: Images
    """(N, height, width, 3), in looks of the source."""
    target: Images
    """(N, height, width, 3), in looks of the target."""
    contexts: tuple[tuple[Context, Context], ...]
    """The two contexts of each state."""
    states: tuple[dict[str, Any], ...]
    """The ground truth of each as `SeekAvoid.state` gives it, seen with the target's camera."""


def render_pairs(source: AnyDomain, target: AnyDomain, states: int, seed: int) -> PairedRendering:
    """Draw states of a target, and each again as the source would have shown it.

    A state's objects are those of its target context. Its looks in the source are drawn from the parts of the source
    that have these objects; from all of it where none has.

    Args:
        source: a domain of SeekAvoid.
        target: another, or the same.
        states: N, at least 2: unrelated states are what a change of looks is compared with.
        seed: names the states and the contexts; state i depends on it and on i alone.

    Raises:
        InputError: too few states, or a domain of another environment, whose states cannot be shown in other looks.
    """
    if states < 2:
        raise InputError(f"states is {states}, but at least 2 are needed")
    if not isinstance(source, Domain) or not isinstance(target, Domain):
        other = target if isinstance(source, Domain) else source
        raise InputError(
            f"{other.name!r} is no domain of SeekAvoid: its states cannot be shown in the looks of another"
        )
    contexts = tuple(_contexts(source, target, seed, number) for number in range(states))
    env = make(target)
    try:
        seen: list[list[Any]] = [[], []]
        told: list[dict[str, Any]] = []
        for number, pair in enumerate(contexts):
            for images, context in zip(seen, pair, strict=True):
                image, info = env.reset(seed=seed_for(seed, "state", number), options={"context": context})
                images.append(image)
            told.append(info["state"])
    finally:
        env.close()
    return PairedRendering(np.stack(seen[0]), np.stack(seen[1]), contexts, tuple(told))


def _contexts(source: Domain, target: Domain, seed: int, number: int) -> tuple[Context, Context]:
    there = target.sample(rng_for(seed, "target looks", number))
    objects = there.name(OBJECTS)
    offers: Sequence[Any] = source.support(OBJECTS)
    alike = [
        part for part, offered in zip(source.components, offers, strict=True) if covers(OBJECTS, (offered,), (objects,))
    ]
    looks = Domain("looks", tuple({**part, OBJECTS: objects} for part in alike or source.components))
    return looks.sample(rng_for(seed, "source looks", number)), there
