"""The ground-truth state in place of images, for policies that are an upper bound for any encoder."""

from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from darla.envs.seek_avoid.state_vector import places_for, state_vector, state_vectors, vector_size

Vectors = np.ndarray[Any, np.dtype[np.float32]]


class StateVecEnv(VecEnvWrapper):
    """Return the ground-truth state (`darla.envs.seek_avoid.state_vector`) in place of each image.

    The environments are reset once, to count the objects.

    Args:
        venv: environments with their state in the info.

    Raises:
        InputError: they have no such state.
    """

    def __init__(self, venv: VecEnv) -> None:
        venv.reset()
        self.places = max(places_for(info) for info in venv.reset_infos)
        super().__init__(venv, spaces.Box(-np.inf, np.inf, (vector_size(self.places),), np.float32))

    def reset(self) -> Vectors:
        """Reset every environment.

        Returns:
            States, float32 (n_envs, D).
        """
        self.venv.reset()
        return state_vectors(self.venv.reset_infos, self.places)

    def step_wait(self) -> VecEnvStepReturn:
        """Wait for the step; where an episode has ended, the state is that of the next one.

        Returns:
            States (n_envs, D), rewards, dones, infos; `terminal_observation` in an info is a state (D,) as well.
        """
        _, rewards, dones, infos = self.venv.step_wait()
        now = [begun if over else info for over, info, begun in zip(dones, infos, self.venv.reset_infos, strict=True)]
        for info in infos:
            if "terminal_observation" in info:
                info["terminal_observation"] = state_vector(info, self.places)
        return state_vectors(now, self.places), rewards, dones, infos
