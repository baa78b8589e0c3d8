"""Draw one shard of frames: images, the context of each, the facts about the state behind it, and units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from types import TracebackType
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from darla.common import InputError, rng_for, seed_for
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.env_domain import UNSET, EnvDomain
from darla.envs.domains.factor_space import Context, structured
from darla.envs.domains.world import Info
from darla.envs.frames.units import REST, UnitPlan
from darla.envs.make_env import make
from darla.envs.packages import packages_of
from darla.envs.paired_rendering import contexts_of_one_state

_ANYWHERE = {"start": "anywhere"}
"""Options of `reset` that an environment without a world understands if its attribute `starts_anywhere` is true."""
_LASTING = ("context", "variant")
"""Entries of `info` that stay the same in an episode."""
_FRUITLESS = 10
"""Episodes in a row without a unit after which collecting stops."""
Frame = tuple[Any, Info]
"""An image, and the `info` that came with it."""


@dataclass(frozen=True)
class Shard:
    """The frames of one shard."""

    images: npt.NDArray[np.uint8]
    """(n, height, width, 3)."""
    factors: npt.NDArray[Any] | None
    """(n,), a named field for each factor; None for an environment without factors."""
    state: npt.NDArray[Any] | None = None
    """(n,), the facts of the world (`World.fact_type`); None for an environment without facts."""
    domains: npt.NDArray[np.int64] | None = None
    """(n,), which part of the domain each frame is of; None for a domain of one part."""
    known: npt.NDArray[Any] | None = None
    """(n / k,), of groups which part varies, of transitions the action; None for other units."""


@dataclass(frozen=True)
class Unit:
    """Frames that were drawn together, and what is known of them beside their contexts."""

    frames: Sequence[Frame]
    known: Any = None


class FrameDrawer:
    """An open environment of a domain, and how frames are taken in it.

    Args:
        domain: where contexts are drawn from.
        stride: steps of a random walk between two units; None to reset for every unit, which draws a new context,
            layout and pose.
        seed: master seed.
        plan: which frames are drawn together.

    Raises:
        InputError: without a stride, for an environment that cannot start an episode anywhere.
    """

    def __init__(self, domain: AnyDomain, stride: int | None, seed: int, plan: UnitPlan | None = None) -> None:
        self._domain, self._stride, self._seed, self._plan = domain, stride, seed, plan or UnitPlan()
        self._fruitless = 0  # episodes in a row without a unit
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

    def packages(self) -> dict[str, str]:
        """Return the versions of the packages that make the images."""
        return packages_of(self._env)

    def draw(self, shard: int, first: int, size: int) -> Shard:
        """Draw one shard.

        Args:
            shard: its number; a random walk depends on it.
            first: the number of its first frame in the whole set; a uniform pose depends on it.
            size: its number of frames, in whole units.
        """
        images = np.empty((size, *self.image_shape), np.uint8)
        infos: list[Info] = []
        known: list[Any] = []
        for unit in islice(self._units(shard, first // self._plan.size), size // self._plan.size):
            for image, info in unit.frames:
                images[len(infos)] = image
                infos.append(info)
            known.append(unit.known)
        state = None
        if self._fact_type is not None:
            assert self._world is not None
            state = np.array([self._world.fact_row(info) for info in infos], self._fact_type)
        contexts = [info.get("context", {}) for info in infos]
        return Shard(images, self._factors(contexts), state, self._domains(contexts, infos), self._known(known))

    def _factors(self, contexts: list[Info]) -> npt.NDArray[Any] | None:
        if self._world:
            return self._world.space.to_array(contexts)
        assert isinstance(self._domain, EnvDomain)
        # Every keyword that any variant names is a factor: what a shard holds must not depend on what it begins with.
        possible = self._domain.columns()
        return structured({name: [context.get(name, UNSET) for context in contexts] for name in possible}, possible)

    def _domains(self, contexts: list[Info], infos: list[Info]) -> npt.NDArray[np.int64] | None:
        if isinstance(self._domain, Domain):
            if len(self._domain.components) == 1:
                return None
            return np.array([self._domain.component_of(context) for context in contexts], np.int64)
        return np.array([info["variant"] for info in infos], np.int64) if len(self._domain.variants) > 1 else None

    def _known(self, known: list[Any]) -> npt.NDArray[Any] | None:
        if self._plan.kind == "group":
            return np.array(known, np.int64)
        if self._plan.kind != "transition":
            return None
        actions = np.asarray(known)
        return actions.astype(np.int64 if np.issubdtype(actions.dtype, np.integer) else np.float32)

    def _units(self, shard: int, first: int) -> Iterator[Unit]:
        """Yield the units from number `first` on, without end."""
        if self._stride is not None:
            walk = self._transitions if self._plan.kind == "transition" else self._kept_frames
            return walk(shard, self._stride)
        return {"image": self._images, "pair": self._pairs, "group": self._groups}[self._plan.kind](first)

    def _images(self, first: int) -> Iterator[Unit]:
        for number in count(first):
            yield Unit([self._env.reset(seed=seed_for(self._seed, "frame", number), options=self._options)])

    def _pairs(self, first: int) -> Iterator[Unit]:
        assert isinstance(self._domain, Domain)
        for number in count(first):
            contexts = contexts_of_one_state(self._domain, self._domain, self._seed, number)
            yield Unit([self._show(context, "unit", number) for context in contexts])

    def _groups(self, first: int) -> Iterator[Unit]:
        domain, parts = self._domain, self._plan.parts
        assert isinstance(domain, Domain)
        for number in count(first):
            rng = rng_for(self._seed, "group", number)
            varied = self._plan.draw_part(rng)
            component = domain.sample_component(rng)
            base = domain.sample_within(component, rng).to_dict()
            frames = []
            for member in range(self._plan.size):
                other = domain.sample_within(component, rng).to_dict()
                if parts[varied] == REST:
                    # The rest is everything that no factor of the groups names, the state included.
                    context = {**other, **{name: base[name] for name in parts if name != REST}}
                    frames.append(self._show(context, "unit", number, member))
                else:
                    context = {**base, parts[varied]: other[parts[varied]]}
                    frames.append(self._show(context, "unit", number))
            yield Unit(frames, varied)

    def _show(self, context: Info | Context, *name: str | int) -> Frame:
        """Return the frame of a context, in the state that a name in the tree of seeds determines."""
        options = {**(self._options or {}), "context": context}
        return _kept(self._env.reset(seed=seed_for(self._seed, *name), options=options))

    def _kept_frames(self, shard: int, stride: int) -> Iterator[Unit]:
        """Yield frames of random walks, every `stride` steps; the frames of a unit are of one episode."""
        for episode in self._episodes():
            kept: list[Frame] = []
            for steps, _, frame in self._walk(shard, episode):
                if steps % stride == 0:
                    kept.append(_kept(frame))
                if len(kept) == self._plan.size:
                    yield Unit(kept)
                    kept, self._fruitless = [], 0

    def _transitions(self, shard: int, stride: int) -> Iterator[Unit]:
        """Yield the frames before and after every action of random walks whose number is a multiple of `stride`."""
        for episode in self._episodes():
            before: Frame | None = None
            for steps, action, frame in self._walk(shard, episode):
                if before is not None and (steps - 1) % stride == 0:
                    yield Unit([before, frame], action)
                    self._fruitless = 0
                before = _kept(frame)

    def _episodes(self) -> Iterator[int]:
        """Count episodes, and stop where they are too short for a unit.

        Raises:
            InputError: ten episodes in a row had none.
        """
        for episode in count():
            if self._fruitless == _FRUITLESS:
                raise InputError(
                    f"{_FRUITLESS} episodes of {self._domain.name!r} in a row ended before a {self._plan.kind} with "
                    f"stride {self._stride}; use a smaller stride"
                )
            self._fruitless += 1
            yield episode

    def _walk(self, shard: int, episode: int) -> Iterator[tuple[int, Any, Frame]]:
        """Yield the number of steps, the last action and the frame, from the first of an episode to its last."""
        self._env.action_space.seed(seed_for(self._seed, "walk", shard, episode, "actions"))
        image, reset_info = self._env.reset(seed=seed_for(self._seed, "walk", shard, episode))
        yield 0, None, (image, reset_info)
        # An environment need give what stays the same in an episode only at the reset.
        lasting: dict[str, Any] = {name: reset_info[name] for name in _LASTING if name in reset_info}
        over, steps = False, 0
        while not over:
            action = self._env.action_space.sample()
            image, _, terminated, truncated, info = self._env.step(action)
            over, steps = terminated or truncated, steps + 1
            yield steps, action, (image, {**info, **lasting})


def _kept(frame: Frame) -> Frame:
    """Return a frame that stays as it is when the environment draws the next one into the same array."""
    return np.array(frame[0]), frame[1]
