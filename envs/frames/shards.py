"""Draw one shard of frames: images, the context of each, and what its nearest visible object is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from darla.common import InputError, seed_for
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.make_env import make
from darla.envs.seek_avoid.objects import KIND_NAMES

Info = Mapping[str, Any]

_STATE = np.dtype([("kind", "<i8"), ("bearing", "<f8"), ("distance", "<f8"), ("visible", "?")])


@dataclass(frozen=True)
class Shard:
    """The frames of one shard."""

    images: npt.NDArray[np.uint8]
    """(n, height, width, 3)."""
    factors: npt.NDArray[Any] | None
    """(n,), a named field for each factor; None where the environment tells of none."""
    state: npt.NDArray[Any] | None
    """(n,), fields `kind`, `bearing`, `distance`, `visible`; None where the environment tells of none."""


class Drawer:
    """An open environment of a domain, and how frames are taken in it.

    Args:
        domain: where contexts are drawn from.
        stride: steps of a random walk between two frames; None to reset for every frame, which draws a new context,
            layout and pose.
        seed: master seed.
    """

    def __init__(self, domain: AnyDomain, stride: int | None, seed: int) -> None:
        self._stride, self._seed = stride, seed
        self._knows_state = isinstance(domain, Domain)
        self._env: gymnasium.Env[Any, Any] = make(domain)
        # SeekAvoid's agent always starts anywhere; other environments may have to be asked.
        self._options = None if self._knows_state else {"start": "anywhere"}
        if stride is None and not (self._knows_state or getattr(self._env, "starts_anywhere", False)):
            self._env.close()
            raise InputError(
                f"domain {domain.name!r} cannot place its agent anywhere in the room, as poses 'uniform' need; "
                "use poses 'random_policy'"
            )
        shape = self._env.observation_space.shape
        assert shape is not None
        self.image_shape: tuple[int, ...] = shape

    def __enter__(self) -> "Drawer":
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
        state = np.zeros(size, _STATE) if self._knows_state else None
        frames = self._uniform(first) if self._stride is None else self._walk(shard, self._stride)
        for row, (image, info) in zip(range(size), frames, strict=False):
            images[row] = image
            contexts.append(info.get("context", {}))
            if state is not None:
                state[row] = _nearest(info["state"]["objects"])
        return Shard(images, _table(contexts), state)

    def _uniform(self, first: int) -> Iterator[tuple[Any, Info]]:
        number = first
        while True:
            yield self._env.reset(seed=seed_for(self._seed, "frame", number), options=self._options)
            number += 1

    def _walk(self, shard: int, stride: int) -> Iterator[tuple[Any, Info]]:
        episode = 0
        while True:
            self._env.action_space.seed(seed_for(self._seed, "walk", shard, episode, "actions"))
            image, told = self._env.reset(seed=seed_for(self._seed, "walk", shard, episode))
            yield image, told
            over, steps = False, 0
            while not over:
                image, _, terminated, truncated, info = self._env.step(self._env.action_space.sample())
                over, steps = terminated or truncated, steps + 1
                if steps % stride == 0:
                    # The context stays the same in an episode, so an environment need tell it only at the reset.
                    yield image, {**info, "context": told.get("context", {})}
            episode += 1


def _nearest(objects: list[Info]) -> tuple[int, float, float, bool]:
    for thing in objects:  # nearest first
        if thing["visible"]:
            return KIND_NAMES.index(thing["kind"]), thing["bearing"], thing["distance"], True
    return -1, 0.0, 0.0, False


def _table(contexts: list[Info]) -> npt.NDArray[Any] | None:
    """Put contexts into one array with a named field for each factor: numbers as float64, anything else as text."""
    names = list(contexts[0])
    if not names:
        return None
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        values = [context.get(name) for context in contexts]
        numeric = all(isinstance(value, int | float) for value in values)
        columns[name] = np.array(
            values if numeric else [str(value) for value in values], np.float64 if numeric else np.str_
        )
    table = np.empty(len(contexts), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        table[name] = column
    return table
