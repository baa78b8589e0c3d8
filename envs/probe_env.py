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
_SEEDS = range(2017, 2020)
"""Several: two random images may be equal by chance, in an environment that shows few."""


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
        env.action_space.seed(_SEEDS[0])
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
    """Reset with a few seeds, then take the actions; an episode that ends is followed by one with the next seed."""
    run = _Run([], [])

    def keep(image: Any, reward: float = 0.0, terminated: bool = False, truncated: bool = False) -> None:
        run.images.append(np.array(image))  # a copy: an environment may draw every image into the same array
        run.outcomes.append((float(reward), bool(terminated), bool(truncated)))

    for seed in _SEEDS:
        keep(env.reset(seed=seed)[0])
    for action in actions:
        if run.outcomes[-1][1] or run.outcomes[-1][2]:
            seed += 1
            keep(env.reset(seed=seed)[0])
        image, reward, terminated, truncated, _ = env.step(action)
        keep(image, float(reward), terminated, truncated)
    return run


def _first_difference(one: _Run, other: _Run) -> int | None:
    """Return the number of the step, counted from 1, at which two runs differed; 0 for the resets before it."""
    for number, (image, again) in enumerate(zip(one.images, other.images, strict=False)):
        if one.outcomes[number] != other.outcomes[number] or not np.array_equal(image, again):
            return max(0, number - len(_SEEDS) + 1)
    return None
