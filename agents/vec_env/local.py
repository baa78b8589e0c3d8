"""n environments of one domain in this process, stepped one after the other."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from darla import envs
from darla.agents.vec_env.spaces import check_spaces
from darla.common import InputError, seed_for
from darla.envs.domains.domain import Domain
from darla.envs.packages import packages_of

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain

Images = np.ndarray[Any, np.dtype[np.uint8]]


def environment_seeds(seed: int, n_envs: int) -> list[int | None]:
    """Return the seed of each environment's next reset, unrelated from one environment to the next."""
    return [seed_for(seed, "environment", index) for index in range(n_envs)]


class LocalVecEnv(DummyVecEnv):
    """Environments in this process, stepped one after the other.

    SB3's `DummyVecEnv` deep-copies the info dictionary of every environment at every step. With the state of all
    objects in it that takes as long as a policy's forward pass. Here the info is a new dictionary with the same values
    and SB3's own entries.

    Args:
        domain: the domain of all of them.
        n_envs: how many there are.
    """

    def __init__(self, domain: "AnyDomain", n_envs: int) -> None:
        super().__init__([partial(_make, domain) for _ in range(n_envs)])
        # Of any other environment, a wrapper of the user may read the images.
        self._can_go_undrawn = isinstance(domain, Domain) and hasattr(type(self.envs[0].unwrapped), "draws_images")
        assert self.observation_space.shape is not None
        self._images: Images = np.zeros((n_envs, *self.observation_space.shape), np.uint8)
        self._is_discrete = isinstance(self.action_space, spaces.Discrete)
        # Of `begin_episodes` and `step_episodes` alone.
        self._terminated, self._truncated = np.zeros((2, n_envs), dtype=bool)
        self._infos: list[Mapping[str, Any]] = [{}] * n_envs

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the seeds of the next reset; None continues the environments' own generators."""
        self._seeds = [None] * self.num_envs if seed is None else environment_seeds(seed, self.num_envs)
        return self._seeds

    def draw_images(self, wanted: bool) -> None:
        """Choose whether images are drawn; where a world can do without, those that are not wanted are black."""
        if self._can_go_undrawn:
            for env in self.envs:
                env.unwrapped.draws_images = wanted  # type: ignore[attr-defined]

    def reset(self) -> Images:
        """Reset every environment, with the seeds that were set, if any.

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
        """Step every environment, and reset those whose episode is over; their info has its last image.

        Returns:
            Images (n_envs, H, W, C), rewards, dones, infos.
        """
        infos: list[dict[str, Any]] = []
        for index, env in enumerate(self.envs):
            image, reward, terminated, truncated, step_info = env.step(self.actions[index])
            info = dict(step_info)
            info["TimeLimit.truncated"] = truncated and not terminated
            if terminated or truncated:
                info["terminal_observation"] = np.array(image)
                image, self.reset_infos[index] = env.reset()
            self._images[index] = image
            self.buf_rews[index] = reward
            self.buf_dones[index] = terminated or truncated
            infos.append(info)
        return self._images.copy(), self.buf_rews.copy(), self.buf_dones.copy(), infos

    def packages(self) -> dict[str, str]:
        """Return the versions of the packages that make the images."""
        return packages_of(self.envs[0])

    def begin_episodes(
        self, seeds: Sequence[int | None], options: Sequence[Mapping[str, Any] | None] | None = None
    ) -> tuple[Images, list[Mapping[str, Any]]]:
        """Reset each environment with a seed of its own; see `darla.agents.episodes.EpisodeEnvs`."""
        self._images[:] = 0
        for index, seed in enumerate(seeds):
            self._terminated[index], self._truncated[index], self._infos[index] = seed is None, False, {}
            if seed is not None:
                chosen = None if options is None or options[index] is None else dict(options[index] or {})
                self._images[index], self._infos[index] = self.envs[index].reset(seed=seed, options=chosen)
        return self._images.copy(), list(self._infos)

    def step_episodes(
        self, actions: np.ndarray[Any, Any]
    ) -> tuple[Images, np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any], list[Mapping[str, Any]]]:
        """Step the environments whose episodes are not over; see `darla.agents.episodes.EpisodeEnvs`."""
        rewards = np.zeros(self.num_envs)
        for index in np.flatnonzero(~(self._terminated | self._truncated)):
            action = int(actions[index]) if self._is_discrete else np.asarray(actions[index], self.action_space.dtype)
            image, reward, terminated, truncated, self._infos[index] = self.envs[index].step(action)
            self._images[index], rewards[index] = image, reward
            self._terminated[index], self._truncated[index] = terminated, truncated
        return self._images.copy(), rewards, self._terminated.copy(), self._truncated.copy(), list(self._infos)


def _make(domain: "AnyDomain") -> "gymnasium.Env[Any, Any]":
    env = envs.make(domain)
    try:
        check_spaces(env.observation_space, env.action_space, f"domain {domain.name!r}")
    except InputError:
        env.close()
        raise
    return Monitor(env)
