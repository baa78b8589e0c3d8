"""Run agents for whole episodes, each with its own published seed.

Episodes run in batches of fixed membership: batch b holds episodes b * E to (b + 1) * E - 1, one in each of E
environments, and the agent acts on all E images at every step. So every episode counts once whatever its length, the
images of a step are encoded together, and a batch is the same piece of work in any process: the outcomes do not depend
on the number of workers. The loop itself is `darla.agents.rollout`.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from gymnasium import spaces

from darla.agents import Actor, Agent, PerEpisodeGenerators, RolloutEpisode, make_vec, rollout
from darla.common import rng_for
from darla.envs import AnyDomain
from darla.evaluation.episode_records import Episode
from darla.evaluation.transfer_config import EvaluationProtocol


class VecEvaluator:
    """The environments of one domain, opened once and used for any number of episodes and agents.

    Args:
        domain: where episodes take place.
        n_envs: environments that run side by side.
        name: what results call the domain, and part of every episode's seed; the domain's own name if None.
    """

    def __init__(self, domain: AnyDomain, n_envs: int, name: str | None = None) -> None:
        self.name = name or domain.name
        self._envs = make_vec(domain, n_envs)

    def __enter__(self) -> "VecEvaluator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def action_space(self) -> "spaces.Space[Any]":
        """What agents choose from."""
        return self._envs.action_space

    def packages(self) -> dict[str, str]:
        """Return the versions of the packages that make the images."""
        return self._envs.packages()

    def check_compatible(self, agent: Agent) -> None:
        """Check that an agent was trained on images and actions like those of this domain.

        Raises:
            InputError: it was not.
        """
        agent.check(self._envs.observation_space, self._envs.action_space, str(self))

    def evaluate(
        self, agent: Actor, protocol: EvaluationProtocol, progress: Callable[[int], None] | None = None
    ) -> list[Episode]:
        """Run the episodes of a protocol.

        Args:
            agent: chooses the actions.
            protocol: which episodes there are.
            progress: called with the number of episodes after each batch.

        Returns:
            The outcome of each episode, in their order.
        """

        def generator(numbers: range) -> PerEpisodeGenerators:
            streams = [rng_for(protocol.evaluation_seed, "actions", self.name, number) for number in numbers]
            return PerEpisodeGenerators(streams, self._envs.num_envs)

        episodes = rollout(
            agent,
            self._envs,
            protocol.seeds(self.name),
            generator,
            deterministic=protocol.deterministic,
            progress=progress,
        )
        return [_outcome(episode) for episode in episodes]

    def close(self) -> None:
        """Close the environments."""
        self._envs.close()

    def __str__(self) -> str:
        return f"domain {self.name!r}"


def _outcome(episode: RolloutEpisode) -> Episode:
    """Read from the last `info` what an environment reports."""
    info = episode.last_info
    success = info.get("success", info.get("is_success"))
    return Episode(
        number=episode.number,
        seed=episode.seed,
        return_=episode.total,
        length=episode.length,
        success=None if success is None else bool(success),
        truncated=episode.truncated,
        collected_good=_count(info.get("collected_good")),
        collected_bad=_count(info.get("collected_bad")),
    )


def _count(number: Any) -> int | None:
    return None if number is None else int(number)
