"""Draw one shard of frames: images, the context of each, and the facts about the state behind it."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from darla.common import InputError, seed_for
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.factor_space import structured
from darla.envs.domains.world import Info
from darla.envs.make_env import make

_ANYWHERE = {"start": "anywhere"}
"""Options of `reset` that an environment without a world understands if its attribute `starts_anywhere` is true."""


@dataclass(frozen=True)
class Shard:
    """The frames of one shard."""

    images: npt.NDArray[np.uint8]
    """(n, height, width, 3)."""
    factors: npt.NDArray[Any] | None
    """(n,), a named field for each factor; None for an environment without factors."""
    state: npt.NDArray[Any] | None
    """(n,), the facts of the world (`World.fact_type`); None for an environment without facts."""


class FrameDrawer:
    """An open environment of a domain, and how frames are taken in it.

    Args:
        domain: where contexts are drawn from.
        stride: steps of a random walk between two frames; None to reset for every frame, which draws a new context,
            layout and pose.
        seed: master seed.

    Raises:
        InputError: without a stride, for an environment that cannot start an episode anywhere.
    """

    def __init__(self, domain: AnyDomain, stride: int | None, seed: int) -> None:
        self._stride, self._seed = stride, seed
        self._world = domain.world if isinstance(domain, Domain) else None
        self._fact_type = self._world.fact_type if self._world else None
        self._env: gymnasium.Env[Any, Any] = make(domain)
        if self._world:
            random_start = self._world.random_start
        else:
            random_start = _ANYWHERE if getattr(self._env, "starts_anywhere", False) else None
        if stride is None and random_start is None:
            self._env.close()
            raise InputError(
                f"domain {domain.name!r} cannot start an episode anywhere, as sampling 'uniform' needs; "
                "use sampling 'random_policy'"
            )
        self._options = dict(random_start) if random_start else None
        shape = self._env.observation_space.shape
        assert shape is not None
        self.image_shape: tuple[int, ...] = shape

    def __enter__(self) -> "FrameDrawer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._env.close()

    def draw(self, shard: int, first: int, size: int) -> Shard:
        """Draw one shard.

        Args:
            shard: its number; a random walk depends on it.
            first: the number of its first frame in the whole set; a uniform pose depends on it.
            size: its number of frames.
        """
        images = np.empty((size, *self.image_shape), np.uint8)
        contexts: list[Info] = []
        state = None if self._fact_type is None else np.zeros(size, self._fact_type)
        frames = self._uniform(first) if self._stride is None else self._walk(shard, self._stride)
        for row, (image, info) in zip(range(size), frames, strict=False):
            images[row] = image
            contexts.append(info.get("context", {}))
            if state is not None:
                assert self._world is not None
                state[row] = self._world.fact_row(info)
        return Shard(images, self._factors(contexts), state)

    def _factors(self, contexts: list[Info]) -> npt.NDArray[Any] | None:
        if self._world:
            return self._world.space.to_array(contexts)
        names = list(contexts[0])
        return structured({name: [context.get(name) for context in contexts] for name in names}) if names else None

    def _uniform(self, first: int) -> Iterator[tuple[Any, Info]]:
        number = first
        while True:
            yield self._env.reset(seed=seed_for(self._seed, "frame", number), options=self._options)
            number += 1

    def _walk(self, shard: int, stride: int) -> Iterator[tuple[Any, Info]]:
        episode = 0
        while True:
            self._env.action_space.seed(seed_for(self._seed, "walk", shard, episode, "actions"))
            image, reset_info = self._env.reset(seed=seed_for(self._seed, "walk", shard, episode))
            yield image, reset_info
            over, steps = False, 0
            while not over:
                image, _, terminated, truncated, info = self._env.step(self._env.action_space.sample())
                over, steps = terminated or truncated, steps + 1
                if steps % stride == 0:
                    # The context stays the same in an episode, so an environment need give it only at the reset.
                    yield image, {**info, "context": reset_info.get("context", {})}
            episode += 1
