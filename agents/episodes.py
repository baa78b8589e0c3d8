"""Run an agent for whole episodes, each reset with a seed of its own: the one rollout loop of darla.

Evaluation, the choice of a snapshot and film strips all use `rollout`. Episodes are run in batches of fixed membership:
batch b holds the episodes from b * n on, one on each of n environments, and the agent acts on all n images at every
step. So each episode counts once whatever its length (`evaluate_policy` of SB3 needs a quota for that), the images of a
step are encoded together, and the outcome of an episode does not depend on which process runs its batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from darla.agents.agent import Actor
from darla.common import InputError

Images = np.ndarray[Any, np.dtype[np.uint8]]
Infos = list[Mapping[str, Any]]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_MAX_STEPS = 100_000
"""Steps after which an episode is taken to be endless."""


class EpisodeEnvs(Protocol):
    """n environments of one domain that are reset by the caller; `make_vec` returns such."""

    num_envs: int
    observation_space: spaces.Space[Any]
    """Of one environment."""
    action_space: spaces.Space[Any]
    """Of one environment."""

    def draw_images(self, wanted: bool) -> None:
        """Choose whether images are drawn. Those that are not wanted may be black; nothing else changes."""

    def begin_episodes(
        self, seeds: Sequence[int | None], options: Sequence[Mapping[str, Any] | None] | None = None
    ) -> tuple[Images, Infos]:
        """Reset environment i with `seeds[i]`; one whose seed is None stays idle, and its image is black.

        Args:
            seeds: one for each environment.
            options: the `options` of each reset; None for none.

        Returns:
            Images uint8 (n, H, W, C) and infos.
        """

    def step_episodes(self, actions: np.ndarray[Any, Any]) -> tuple[Images, Floats, Flags, Flags, Infos]:
        """Step every environment whose episode is not over; the others keep their last image and info.

        Args:
            actions: integers (n,), or of continuous actions floats (n, A); those of finished and idle environments are
                ignored.

        Returns:
            Images uint8 (n, H, W, C), rewards float64 (n,), terminated and truncated, bool (n,), and infos.
        """


@dataclass
class RolloutEpisode:
    """One episode of a rollout."""

    number: int
    """Its place in `seeds`, from 0."""
    seed: int
    """What the environment was reset with."""
    first_info: Mapping[str, Any]
    """What the reset returned beside the image."""
    last_info: Mapping[str, Any]
    """What the last step returned."""
    rewards: list[float] = field(default_factory=list)
    """The reward of each step."""
    total: float = 0.0
    """Their sum, the undiscounted return."""
    truncated: bool = False
    """Whether its last step reached a time limit, be the episode terminated there or not."""
    images: list[Images] = field(default_factory=list)
    """The image before each step and at the end, uint8 (H, W, C); empty unless images were recorded."""
    actions: list[Any] = field(default_factory=list)
    """The action of each step; empty unless images were recorded."""
    over: bool = False
    """Whether it has ended."""

    @property
    def length(self) -> int:
        """Environment steps."""
        return len(self.rewards)


def rollout(
    actor: Actor,
    envs: EpisodeEnvs,
    seeds: Sequence[int],
    generator: Callable[[range], np.random.Generator],
    *,
    deterministic: bool = False,
    options: Sequence[Mapping[str, Any] | None] | None = None,
    record_images: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[RolloutEpisode]:
    """Run one episode for each seed.

    Args:
        actor: chooses the actions.
        envs: the environments, as many as episodes are run side by side.
        seeds: `reset(seed=...)` of each episode.
        generator: returns, for the numbers of the episodes of a batch, the source of the actor's draws; see
            `PerEpisodeGenerators`.
        deterministic: whether the actor takes its most probable (or most valuable) action.
        options: `reset(options=...)` of each episode; None for none.
        record_images: whether every image and every action is kept.
        progress: called with the number of episodes after each batch.

    Returns:
        One record for each seed, in their order.

    Raises:
        InputError: an episode does not end within 100,000 steps.
    """
    episodes: list[RolloutEpisode] = []
    # Drawing is most of a step, and neither random play nor a policy on the state looks at an image.
    envs.draw_images(record_images or getattr(actor, "reads_images", True))
    for first in range(0, len(seeds), envs.num_envs):
        numbers = range(first, min(first + envs.num_envs, len(seeds)))
        episodes += _rollout_batch(
            actor, envs, numbers, seeds, generator(numbers), deterministic, options, record_images
        )
        if progress is not None:
            progress(len(numbers))
    return episodes


def _rollout_batch(
    actor: Actor,
    envs: EpisodeEnvs,
    numbers: range,
    seeds: Sequence[int],
    rng: np.random.Generator,
    deterministic: bool,
    options: Sequence[Mapping[str, Any] | None] | None,
    record_images: bool,
) -> list[RolloutEpisode]:
    # The batch keeps its size although some environments are idle or done: matrix products of another size may round
    # differently, and an episode's result must not depend on what runs beside it.
    idle = envs.num_envs - len(numbers)
    images, infos = envs.begin_episodes(
        [*(seeds[number] for number in numbers), *[None] * idle],
        None if options is None else [*(options[number] for number in numbers), *[None] * idle],
    )
    infos[len(numbers) :] = infos[:1] * idle
    batch = [
        RolloutEpisode(number, seeds[number], infos[slot], infos[slot], images=[images[slot]] if record_images else [])
        for slot, number in enumerate(numbers)
    ]
    actor.reset(envs.num_envs)
    while not all(episode.over for episode in batch):
        actions = actor.act(images, deterministic, rng, infos)
        images, rewards, terminated, truncated, infos = envs.step_episodes(actions)
        infos[len(numbers) :] = infos[:1] * idle
        for slot, episode in enumerate(batch):
            if episode.over:
                continue
            episode.rewards.append(float(rewards[slot]))
            episode.total += float(rewards[slot])
            episode.last_info = infos[slot]
            episode.over = bool(terminated[slot] or truncated[slot])
            episode.truncated = bool(truncated[slot])
            if record_images:
                episode.images.append(images[slot])
                episode.actions.append(actions[slot])
            if not episode.over and episode.length >= _MAX_STEPS:
                raise InputError(
                    f"the episode with seed {episode.seed} did not end within {_MAX_STEPS} steps; "
                    "give the environment a time limit"
                )
    return batch


class PerEpisodeGenerators(np.random.Generator):
    """One generator for a batch of episodes: what is drawn for row i comes from the generator of episode i.

    So the actions of an episode depend on its own number, and not on the episodes that are run beside it.

    Args:
        generators: one for each episode.
        rows: rows of a draw, at least as many; those beyond the generators belong to idle environments and get zeros.
    """

    def __init__(self, generators: Sequence[np.random.Generator], rows: int) -> None:
        super().__init__(generators[0].bit_generator)
        self._generators, self._rows = list(generators), rows

    def random(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Draw uniformly from [0, 1)."""
        return self._by_row("random", (), size, args, kwargs)

    def integers(self, low: Any, high: Any = None, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Draw integers."""
        return self._by_row("integers", (low, high), size, args, kwargs)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw Gumbel noise; the argmax of logits plus Gumbel noise is a sample of the softmax of the logits."""
        return self._by_row("gumbel", (loc, scale), size, (), {})

    def standard_normal(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Draw from N(0, 1)."""
        return self._by_row("standard_normal", (), size, args, kwargs)

    def _by_row(
        self, method: str, leading: tuple[Any, ...], size: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        shape = (size,) if isinstance(size, int | np.integer) else tuple(size or ())
        if not shape or shape[0] != self._rows:
            raise ValueError(f"draws for {self._rows} episodes need as many rows, not the size {size!r}")
        drawn = [getattr(each, method)(*leading, shape[1:], *args, **kwargs) for each in self._generators]
        rows = np.zeros(shape, np.asarray(drawn[0]).dtype)
        rows[: len(drawn)] = drawn
        return rows
