"""Vectorized environments of one domain, in this process or in workers."""

from typing import TYPE_CHECKING

from darla.agents.vec_env.local import LocalVecEnv
from darla.agents.vec_env.workers import WorkerVecEnv
from darla.common import InputError

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain


def make_vec(domain: "AnyDomain", n_envs: int, seed: int | None = None, workers: int = 1) -> LocalVecEnv | WorkerVecEnv:
    """Make environments of a domain that are stepped together, each below SB3's `Monitor`.

    Environment i is first reset with a seed that depends on `seed` and i alone, so that the number of workers changes
    the speed and nothing else. They can be used in two ways: as SB3 uses a `VecEnv`, where an environment whose episode
    is over is reset at once, or by `darla.agents.rollout`, which resets each with a seed of its own.

    Args:
        domain: the domain of all of them.
        n_envs: how many there are.
        seed: master seed of their first reset; None leaves it to chance.
        workers: processes that share them; 1 keeps them in this one. Each worker makes its own environments, since a
            rendering context cannot be sent from one process to another.

    Raises:
        InputError: a number is not positive, or the environments do not show uint8 images (height, width, channels) or
            do not take actions that agents can choose from (`darla.agents.actions`).
    """
    if n_envs < 1 or workers < 1:
        raise InputError(f"n_envs and workers must be at least 1, not {n_envs} and {workers}")
    together = min(workers, n_envs)
    vec = LocalVecEnv(domain, n_envs) if together == 1 else WorkerVecEnv(domain, n_envs, together)
    if seed is not None:
        vec.seed(seed)
    return vec
