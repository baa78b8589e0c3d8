"""Build an algorithm for training, or its policy alone for loading."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.algorithms.settings import AlgorithmSettings, Observation, Precision
from darla.common import InputError, user_code_error

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from stable_baselines3.common.vec_env import VecEnv

SMALLEST_IMAGE = 36
"""Pixels on a side below which the three strided convolutions of SB3's NatureCNN have no output."""


def build(
    name: str,
    settings: AlgorithmSettings,
    env: "VecEnv",
    seed: int,
    device: str = "cpu",
    extractor: Mapping[str, Any] = MappingProxyType({}),
    precision: Precision = "float32",
) -> "BaseAlgorithm":
    """Build an untrained algorithm on a vectorized environment of codes or of images.

    Args:
        name: a name in `ALGORITHMS`.
        settings: its hyperparameters.
        env: codes of shape (D,) or uint8 images (H, W, C); its number of environments is `settings.n_envs`.
        seed: seeds SB3's generators, and with them the policy's first weights.
        device: the policy's device. Small policies on codes are fastest on the CPU (SB3 #1245).
        extractor: `features_extractor_class` and its arguments; SB3's own network for images if empty.
        precision: arithmetic of SB3's network for images; bfloat16 only where the algorithm has it.

    Raises:
        InputError: the settings are of another algorithm, or the algorithm cannot choose from the environments'
            actions, or refuses its arguments.
    """
    algorithm = ALGORITHMS[name]
    algorithm.check_actions(env.action_space)
    if not isinstance(settings, algorithm.settings):
        raise InputError(f"algorithm {name!r} takes {algorithm.settings.__name__}, not {type(settings).__name__}")
    sb3_class: type[Any] = algorithm.sb3_class()
    policy: Any = algorithm.policy_name(env.observation_space.shape or ())
    arguments = settings.arguments()
    if precision == "bfloat16":
        from darla.agents.pixels.policy import BfloatCnnPolicy
        from darla.agents.pixels.rollout_buffer import ImageRolloutBuffer

        policy = BfloatCnnPolicy
        arguments["rollout_buffer_class"] = ImageRolloutBuffer
    try:
        model: BaseAlgorithm = sb3_class(
            policy=policy,
            env=env,
            policy_kwargs={**algorithm.policy_arguments(algorithm.architecture(settings)), **extractor},
            seed=seed,
            device=device,
            verbose=0,
            **arguments,
        )
    except (TypeError, ValueError, AssertionError) as error:
        if isinstance(error, InputError):
            raise
        raise user_code_error(f"algorithm {name!r} cannot be built with its settings", error) from error
    return model


def build_policy(
    name: str,
    architecture: Mapping[str, Any],
    observation_space: spaces.Box,
    actions: spaces.Discrete | spaces.Box,
    device: str = "cpu",
    extractor: Mapping[str, Any] = MappingProxyType({}),
    precision: Precision = "float32",
) -> "BasePolicy":
    """Build the policy network alone, with random weights that are to be overwritten.

    Args:
        name: a name in `ALGORITHMS`.
        architecture: as the algorithm's `architecture` returns it.
        observation_space: codes (D,), or channel-first images (C, H, W) as SB3 hands them to a policy.
        actions: what the policy chooses from.
        device: the policy's device.
        extractor: as for `build`.
        precision: as for `build`.
    """
    algorithm = ALGORITHMS[name]
    policy_class, arguments = algorithm.policy_class(observation_space.shape, architecture, extractor)
    if precision == "bfloat16":
        from darla.agents.pixels.policy import BfloatCnnPolicy

        policy_class = BfloatCnnPolicy
    policy: BasePolicy = policy_class(
        observation_space,
        actions,
        lambda _: 0.0,  # the learning rate, of an optimizer that takes no step
        **arguments,
    )
    return policy.to(device)


def policy_space(
    observation: Observation, shape: tuple[int, ...], frame_stack: int, *, smallest: int = SMALLEST_IMAGE
) -> spaces.Box:
    """Return the observation space that a policy network is built for.

    Args:
        observation: latents, pixels or state.
        shape: (D,) of the codes or the state, or (H, W, C) of the images.
        frame_stack: how many of them it observes at once.
        smallest: pixels on a side that the network on images needs.

    Raises:
        InputError: the images are smaller.
    """
    if observation != "pixels":
        return spaces.Box(-np.inf, np.inf, (shape[0] * frame_stack,), np.float32)
    height, width, channels = shape
    if min(height, width) < smallest:
        raise InputError(
            f"images of {height}x{width} are too small for a policy on pixels:"
            f" NatureCNN needs at least {smallest}x{smallest}"
        )
    return spaces.Box(0, 255, (channels * frame_stack, height, width), np.uint8)
