"""Run agents for whole episodes, each with a seed of its own that is published beside its result.

Episodes are played in batches of fixed membership: batch b holds the episodes from b * E on, one on each of
E environments, and the agent sees all E images at every step. So each episode counts once whatever its
length (no short one gets in twice), the images of a step are encoded together, and a batch is the same
piece of work in any process: rows do not depend on the number of workers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from darla.agents import Actor, Agent
from darla.common import InputError, rng_for, seed_for
from darla.envs import AnyDomain, make

Images = NDArray[np.uint8]
Actions = Literal["sampled", "greedy"]

_LONGEST = 100_000
"""Steps after which an episode is taken to be endless."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """Which episodes are played, and how actions are chosen in them."""

    episodes: int = 100
    """Episodes for each agent and domain; a success rate of one half is then known to +-0.10."""
    n_envs: int = 8
    """Environments that a batch of episodes is played on; also the agent's batch size."""
    evaluation_seed: int = 2017
    """Master seed of the evaluation. Every method meets the same episodes."""
    actions: Actions = "sampled"
    """`sampled`: drawn from the policy as in training, by a generator of the episode's own. `greedy`: the
    most probable action; a policy trained with an entropy bonus may then turn left and right for ever."""

    def __post_init__(self) -> None:
        for name in ("episodes", "n_envs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.evaluation_seed < 0:
            raise InputError(f"evaluation_seed is {self.evaluation_seed}, but must not be negative")
        if self.actions not in ("sampled", "greedy"):
            raise InputError(f"actions is {self.actions!r}, but must be 'sampled' or 'greedy'")

    def seeds(self, domain: str) -> list[int]:
        """Return what each episode in a domain is reset with."""
        return [seed_for(self.evaluation_seed, domain, episode) for episode in range(self.episodes)]


@dataclass(frozen=True)
class Episode:
    """The outcome of one episode."""

    number: int
    """From 0."""
    seed: int
    """What the environment was reset with."""
    total: float
    """Sum of the rewards: the undiscounted return."""
    length: int
    """Environment steps."""
    success: bool | None
    """What the environment said at the end; None if it says nothing."""
    truncated: bool
    """Whether the time limit ended it."""
    collected_good: int
    """Good objects collected; in other environments, steps with a positive reward."""
    collected_bad: int
    """Bad objects collected; in other environments, steps with a negative reward."""


class VecEvaluator:
    """The environments of one domain, opened once and used for any number of episodes and agents.

    Args:
        domain: where episodes take place.
        environments: how many are played side by side.
        name: what results call it, and part of every episode's seed; the domain's own name if None.
    """

    def __init__(self, domain: AnyDomain, n_envs: int, name: str | None = None) -> None:
        self.name = name or domain.name
        self._envs: list[Any] = []
        try:
            for _ in range(n_envs):
                self._envs.append(make(domain))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "VecEvaluator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def n_actions(self) -> int:
        """Number of discrete actions.

        Raises:
            InputError: actions are of another kind.
        """
        space = self._envs[0].action_space
        if not isinstance(space, spaces.Discrete):
            raise InputError(f"{self} takes {space}, but darla's agents choose one of n discrete actions")
        return int(space.n)

    def check_compatible(self, agent: Agent) -> None:
        """Check that an agent sees images and takes actions of this domain's kind.

        Raises:
            InputError: it does not.
        """
        agent.check(self._envs[0].observation_space, self._envs[0].action_space, str(self))

    def play(
        self, agent: Actor, plan: EvaluationProtocol, progress: Callable[[int], None] | None = None
    ) -> list[Episode]:
        """Play the episodes of a plan.

        Args:
            agent: who acts.
            plan: which episodes there are.
            progress: told the number of episodes after each batch.

        Returns:
            One outcome for each episode, in their order.
        """
        seeds = plan.seeds(self.name)
        outcomes: list[Episode] = []
        for first in range(0, plan.episodes, len(self._envs)):
            numbers = range(first, min(first + len(self._envs), plan.episodes))
            outcomes += self._play_batch(agent, plan, numbers, seeds[first : numbers.stop])
            if progress is not None:
                progress(len(numbers))
        return outcomes

    def _play_batch(self, agent: Actor, plan: EvaluationProtocol, numbers: range, seeds: list[int]) -> list[Episode]:
        # Environments without an episode, and those whose episode is over, keep showing their last image: the
        # agent's batch is of one size throughout, which keeps its arithmetic the same.
        observations = np.zeros((len(self._envs), *self._envs[0].observation_space.shape), np.uint8)
        tallies = [_Tally(number, seed) for number, seed in zip(numbers, seeds, strict=True)]
        infos: list[Mapping[str, Any]] = [{}] * len(self._envs)
        for slot, seed in enumerate(seeds):
            observations[slot], infos[slot] = self._envs[slot].reset(seed=seed)
        infos[len(seeds) :] = infos[:1] * (len(self._envs) - len(seeds))
        rng = PerEpisodeGenerators(
            [rng_for(plan.evaluation_seed, "actions", self.name, number) for number in numbers],
            len(self._envs),
        )
        agent.reset(len(self._envs))
        while not all(tally.over for tally in tallies):
            actions = agent.act(observations, plan.actions == "greedy", rng, infos)
            for slot, tally in enumerate(tallies):
                if not tally.over:
                    image, reward, terminated, truncated, info = self._envs[slot].step(int(actions[slot]))
                    observations[slot], infos[slot] = image, info
                    tally.count(reward, terminated, truncated, info)
        return [tally.outcome() for tally in tallies]

    def close(self) -> None:
        """Close the environments."""
        while self._envs:
            self._envs.pop().close()

    def __str__(self) -> str:
        return f"domain {self.name!r}"


class PerEpisodeGenerators(np.random.Generator):
    """One generator for a batch of episodes: what is drawn for row i comes from the stream of episode i.

    So the actions of an episode depend on its own number and on nothing that is played beside it.

    Args:
        streams: one for each episode.
        rows: rows of a draw, at least as many; those beyond the streams are of no consequence and get zeros.
    """

    def __init__(self, streams: Sequence[np.random.Generator], rows: int) -> None:
        super().__init__(streams[0].bit_generator)
        self._streams, self._rows = list(streams), rows

    def random(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Draw uniformly from [0, 1)."""
        return self._by_row("random", (), size, args, kwargs)

    def integers(self, low: Any, high: Any = None, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Draw whole numbers."""
        return self._by_row("integers", (low, high), size, args, kwargs)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw Gumbel noise, whose largest logit is a sample of the softmax."""
        return self._by_row("gumbel", (loc, scale), size, (), {})

    def _by_row(
        self, method: str, leading: tuple[Any, ...], size: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        shape = (size,) if isinstance(size, int | np.integer) else tuple(size or ())
        if not shape or shape[0] != self._rows:
            raise ValueError(f"draws for {self._rows} episodes need as many rows, not the size {size!r}")
        drawn = [getattr(stream, method)(*leading, shape[1:], *args, **kwargs) for stream in self._streams]
        rows = np.zeros(shape, np.asarray(drawn[0]).dtype)
        rows[: len(drawn)] = drawn
        return rows


class _Tally:
    """Counts what happens in one episode."""

    def __init__(self, number: int, seed: int) -> None:
        self.over = self._truncated = False
        self._number, self._seed = number, seed
        self._total, self._length, self._up, self._down = 0.0, 0, 0, 0
        self._info: Mapping[str, Any] = {}

    def count(self, reward: Any, terminated: bool, truncated: bool, info: Mapping[str, Any]) -> None:
        """Take in what a step gave beside its image."""
        self._total += float(reward)
        self._length += 1
        self._up += reward > 0
        self._down += reward < 0
        self.over, self._truncated = bool(terminated or truncated), bool(truncated and not terminated)
        self._info = info
        if not self.over and self._length >= _LONGEST:
            raise InputError(
                f"the episode with seed {self._seed} did not end within {_LONGEST} steps; "
                "give the environment a time limit"
            )

    def outcome(self) -> Episode:
        """Return what is known at the end."""
        success = self._info.get("success", self._info.get("is_success"))
        return Episode(
            number=self._number,
            seed=self._seed,
            total=self._total,
            length=self._length,
            success=None if success is None else bool(success),
            truncated=self._truncated,
            collected_good=int(self._info.get("picked_good", self._up)),
            collected_bad=int(self._info.get("picked_bad", self._down)),
        )
