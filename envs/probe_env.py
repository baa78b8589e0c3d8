"""Play an environment for a moment: what it shows, what it takes, and whether its seed decides what happens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.env_domain import EnvDomain
from darla.envs.domains.env_setup import EnvSetup
from darla.envs.make_env import make

STEPS = 20
"""Steps that are taken twice with the same seeds and actions."""
_SEED = 2017


@dataclass(frozen=True)
class ProbedEnv:
    """What an environment did."""

    image_shape: tuple[int, int, int]
    """Height, width, channels."""
    darkest: int
    brightest: int
    """Smallest and largest value in any image."""
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]
    differs_at: int | None
    """The step at which two runs with one seed differed, 0 at the reset; None if they did not."""


@dataclass(frozen=True)
class _Run:
    images: list[npt.NDArray[np.uint8]]
    outcomes: list[tuple[float, bool, bool]]


def parts_of(domain: AnyDomain) -> Iterator[tuple[str, AnyDomain]]:
    """Yield every variant of environments, or every component of a world's domain, as a domain by itself.

    Yields:
        A key, which is equal for equal parts of several domains, and the domain of one part.
    """
    if isinstance(domain, EnvDomain):
        for whole in domain.whole_variants():
            part: AnyDomain = EnvDomain(domain.name, domain.env_id, (whole,), setup=EnvSetup(), folder=domain.folder)
            yield repr((domain.env_id, whole)), part
    else:
        for component in domain.components:
            yield (
                repr((domain.world.name, sorted(component.items()))),
                Domain(domain.name, (component,), world=domain.world),
            )


def probe_env(domain: AnyDomain) -> ProbedEnv:
    """Make, reset and step the environment of a domain, twice with the same seeds and actions.

    Raises:
        InputError: it cannot be made, it fails, or what it shows is not what it declares.
    """
    env = make(domain)
    try:
        env.action_space.seed(_SEED)
        actions = [env.action_space.sample() for _ in range(STEPS)]
        first, second = _run(env, actions), _run(env, actions)
    finally:
        env.close()
    shape = first.images[0].shape
    return ProbedEnv(
        (shape[0], shape[1], shape[2]),
        min(int(image.min()) for image in first.images),
        max(int(image.max()) for image in first.images),
        env.observation_space,
        env.action_space,
        _first_difference(first, second),
    )


def _run(env: gymnasium.Env[Any, Any], actions: list[Any]) -> _Run:
    """Take the actions; an episode that ends is followed by one with the next seed."""
    seed = _SEED
    image, _ = env.reset(seed=seed)
    # Copies: an environment may draw every image into the same array.
    run = _Run([np.array(image)], [(0.0, False, False)])
    for action in actions:
        if run.outcomes[-1][1] or run.outcomes[-1][2]:
            seed += 1
            image, _ = env.reset(seed=seed)
            run.images.append(np.array(image))
            run.outcomes.append((0.0, False, False))
        image, reward, terminated, truncated, _ = env.step(action)
        run.images.append(np.array(image))
        run.outcomes.append((float(reward), bool(terminated), bool(truncated)))
    return run


def _first_difference(one: _Run, other: _Run) -> int | None:
    for step, (image, again) in enumerate(zip(one.images, other.images, strict=False)):
        if one.outcomes[step] != other.outcomes[step] or not np.array_equal(image, again):
            return step
    return None
