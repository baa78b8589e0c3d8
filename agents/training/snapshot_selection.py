"""Choosing a snapshot by what it does on the source validation split, and by nothing else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from darla.agents.agent import Actor
from darla.agents.vec_env.local import make_vec
from darla.common import Progress, rng_for, seed_for

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain

_TOGETHER = 8
"""Episodes played side by side."""


@dataclass(frozen=True)
class SnapshotScore:
    """How one snapshot did on the validation split."""

    snapshot: int
    """Its number, from 1."""
    env_steps: int
    """Environment steps it was trained for."""
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
    """Let every snapshot play the same episodes of the validation split.

    Args:
        actors: the snapshots, in order.
        env_steps: what each was trained for.
        validation: the source validation split.
        episodes: how many each plays.
        seed: master seed; episode i is the same for every snapshot.
        workers: processes that share the environments.
    """
    seeds = [seed_for(seed, "validation", episode) for episode in range(episodes)]
    scores = []
    with Progress(len(actors) * episodes, "validate", "episode") as progress:
        for number, (actor, steps) in enumerate(zip(actors, env_steps, strict=True), start=1):
            returns = play(actor, validation, seeds, seed, workers)
            progress.update(episodes)
            scores.append(SnapshotScore(number, steps, round(float(np.mean(returns)), 6), episodes))
    return scores


def best(scores: list[SnapshotScore]) -> SnapshotScore:
    """Return the snapshot with the highest mean return; of several, the one trained longest."""
    return max(scores, key=lambda score: (score.mean_return, score.env_steps))


def csv(scores: list[SnapshotScore]) -> str:
    """Return the scores as comma-separated text with a header."""
    lines = [f"{score.snapshot},{score.env_steps},{score.mean_return},{score.episodes}" for score in scores]
    return "\n".join(["snapshot,env_steps,mean_return,episodes", *lines]) + "\n"


def play(actor: Actor, domain: "AnyDomain", seeds: list[int], seed: int, workers: int = 1) -> list[float]:
    """Play one episode for each seed, with actions drawn from the policy.

    Args:
        actor: who acts.
        domain: where.
        seeds: `reset(seed=...)` of each episode.
        seed: master seed of the actor's own draws.
        workers: processes that share the environments.
    """
    returns = [0.0] * len(seeds)
    together = min(_TOGETHER, len(seeds))
    vec = make_vec(domain, together, seed, workers)
    try:
        for first in range(0, len(seeds), together):
            batch = seeds[first : first + together]
            # The last batch may be short; the environments without an episode of their own play one again,
            # unseen.
            vec._seeds = [*batch, *batch[:1] * (together - len(batch))]
            images = vec.reset()
            infos = vec.reset_infos
            actor.reset(together)
            rng = rng_for(seed, "validation", "actions", first)
            over = np.arange(together) >= len(batch)
            while not over.all():
                assert isinstance(images, np.ndarray)
                images, rewards, dones, infos = vec.step(actor.act(images, False, rng, infos))
                for index in np.flatnonzero(~over):
                    returns[first + index] += float(rewards[index])
                over |= dones
    finally:
        vec.close()
    return returns
