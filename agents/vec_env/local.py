"""Vectorised environments: n environments of one domain, in this process or in workers."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from darla import envs
from darla.agents.vec_env.spaces import check_spaces
from darla.common import InputError, seed_for

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain

Images = np.ndarray[Any, np.dtype[np.uint8]]


def make_vec(domain: "AnyDomain", n_envs: int, seed: int, workers: int = 1) -> VecEnv:
    """Make environments of a domain that are stepped together, each below a `Monitor`.

    Environment i is first reset with a seed that depends on `seed` and i alone, so that the number of workers
    changes the speed and nothing else.

    Args:
        domain: what the environments show.
        n_envs: how many there are.
        seed: master seed of their first reset.
        workers: processes that share them; 1 keeps them in this one. Each worker makes its environments
            itself, since a rendering context does not survive the way from one process to another.

    Raises:
        InputError: a number is not positive, or the environments do not show uint8 images (height, width, 3)
            or do not take discrete actions.
    """
    if n_envs < 1 or workers < 1:
        raise InputError(f"n_envs and workers must be at least 1, not {n_envs} and {workers}")
    vec: LocalVecEnv | VecEnv
    if min(workers, n_envs) == 1:
        vec = LocalVecEnv(domain, n_envs)
    else:
        from darla.agents.vec_env.workers import WorkerVecEnv

        vec = WorkerVecEnv(domain, n_envs, workers)
    vec.seed(seed)
    return vec


def environment_seeds(seed: int, n_envs: int) -> list[int | None]:
    """Return the seed of each environment's next reset, unrelated from one environment to the next."""
    return [seed_for(seed, "environment", index) for index in range(n_envs)]


class LocalVecEnv(DummyVecEnv):
    """Environments in this process, stepped one after the other.

    SB3's `DummyVecEnv` copies the whole info dictionary of every environment at every step, which costs as
    much as a policy once the info tells where every object stands. Here it is handed on as the environment
    made it, with SB3's own entries added to a new dictionary around it.

    Args:
        domain: what the environments show.
        n_envs: how many there are.
    """

    def __init__(self, domain: "AnyDomain", n_envs: int) -> None:
        super().__init__([partial(_make, domain) for _ in range(n_envs)])
        assert self.observation_space.shape is not None
        self._images: Images = np.zeros((n_envs, *self.observation_space.shape), np.uint8)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Choose the seeds of the next reset; None lets the environments go on with their own generators."""
        self._seeds = [None] * self.num_envs if seed is None else environment_seeds(seed, self.num_envs)
        return self._seeds

    def reset(self) -> Images:
        """Reset every environment, with the chosen seeds if there are any.

        Returns:
            uint8 images (n_envs, H, W, C).
        """
        for index, env in enumerate(self.envs):
            options = self._options[index] or None
            self._images[index], self.reset_infos[index] = env.reset(seed=self._seeds[index], options=options)
        self._reset_seeds()
        self._reset_options()
        return self._images.copy()

    def step_wait(self) -> VecEnvStepReturn:
        """Step every environment; one whose episode is over is reset, its last image is in its info.

        Returns:
            Images (n_envs, H, W, C), rewards, dones, infos.
        """
        infos: list[dict[str, Any]] = []
        for index, env in enumerate(self.envs):
            image, reward, terminated, truncated, given = env.step(self.actions[index])
            info = dict(given)
            info["TimeLimit.truncated"] = truncated and not terminated
            if terminated or truncated:
                info["terminal_observation"] = np.array(image)
                image, self.reset_infos[index] = env.reset()
            self._images[index] = image
            self.buf_rews[index] = reward
            self.buf_dones[index] = terminated or truncated
            infos.append(info)
        return self._images.copy(), self.buf_rews.copy(), self.buf_dones.copy(), infos


def _make(domain: "AnyDomain") -> "gymnasium.Env[Any, Any]":
    env = envs.make(domain)
    try:
        check_spaces(env.observation_space, env.action_space, f"domain {domain.name!r}")
    except InputError:
        env.close()
        raise
    return Monitor(env)
