"""Choose a snapshot by its mean return on the source validation split, and by nothing else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darla.agents.agent import Actor
from darla.agents.episodes import EpisodeEnvs, rollout
from darla.agents.expected_time import VALIDATE_LABEL
from darla.agents.vec_env.make_vec import make_vec
from darla.common import Progress, rng_for, seed_for

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain

_BATCH = 8
"""Episodes that are run side by side."""


@dataclass(frozen=True)
class SnapshotScore:
    """Result of one snapshot on the validation split."""

    snapshot: int
    """Its number, from 1."""
    env_steps: int
    """Environment steps that it was trained for."""
    mean_return: float
    """Over the validation episodes."""
    episodes: int
    """Their number."""


def score_snapshots(
    actors: list[Actor],
    env_steps: list[int],
    validation: "AnyDomain",
    episodes: int,
    seed: int,
    workers: int = 1,
) -> list[SnapshotScore]:
    """Evaluate every snapshot on the same episodes of the validation split.

    Args:
        actors: the snapshots, in order.
        env_steps: environment steps that each was trained for.
        validation: the source validation split.
        episodes: how many of them.
        seed: master seed; episode i is the same for every snapshot.
        workers: processes that share the environments.
    """
    seeds = [seed_for(seed, "validation", episode) for episode in range(episodes)]
    scores = []
    envs = make_vec(validation, min(_BATCH, episodes), workers=workers)
    try:
        with Progress(len(actors) * episodes, VALIDATE_LABEL, "episode") as progress:
            for number, (actor, steps) in enumerate(zip(actors, env_steps, strict=True), start=1):
                returns = returns_of(actor, envs, seeds, seed)
                progress.update(episodes)
                scores.append(SnapshotScore(number, steps, round(float(np.mean(returns)), 6), episodes))
    finally:
        envs.close()
    return scores


def best(scores: list[SnapshotScore]) -> SnapshotScore:
    """Return the snapshot with the highest mean return; of several, the one trained longest."""
    return max(scores, key=lambda score: (score.mean_return, score.env_steps))


def returns_of(actor: Actor, envs: EpisodeEnvs, seeds: list[int], seed: int) -> list[float]:
    """Return the undiscounted return of one episode for each seed, with actions drawn from the policy.

    Args:
        actor: chooses the actions.
        envs: environments of the validation split.
        seeds: `reset(seed=...)` of each episode.
        seed: master seed of the actor's own draws, one generator for each batch of episodes.
    """
    episodes = rollout(actor, envs, seeds, lambda numbers: rng_for(seed, "validation", "actions", numbers.start))
    return [episode.total for episode in episodes]
