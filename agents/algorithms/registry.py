"""The registry of learning algorithms: SB3's PPO, A2C and DQN, and episodic control, behind names and settings."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from darla.agents.algorithms.settings import (
    PRESETS,
    A2CSettings,
    DQNSettings,
    MemoryConfig,
    MFECSettings,
    Observation,
    PPOSettings,
    Settings,
)
from darla.common import InputError, unknown_name

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from stable_baselines3.common.vec_env import VecEnv

SMALLEST_IMAGE = 36
"""Pixels on a side below which NatureCNN's three strided convolutions have nothing left to look at."""


@dataclass(frozen=True)
class Algorithm:
    """A learning algorithm that a configuration can name."""

    name: str
    """Its name in configurations and in `policy.json`."""
    settings: type[PPOSettings] | type[A2CSettings] | type[DQNSettings] | type[MFECSettings]
    """The dataclass of its hyperparameters."""
    find: Callable[[], "type[BaseAlgorithm]"]
    """Imports and returns the class; SB3 is not loaded before it is needed."""
    value_based: bool
    """Whether the policy is read off action values (DQN, MFEC) and not off action probabilities."""

    def preset(self, observation: Observation) -> Settings:
        """Return the settings for policies on latents, on pixels or on the state."""
        return PRESETS[self.name, observation]

    def policy_arguments(self, hidden: tuple[int, ...], table: MemoryConfig | None = None) -> dict[str, Any]:
        """Return the policy's constructor arguments: plain numbers, the same for training and for loading.

        Args:
            hidden: units of its hidden layers.
            table: of episodic control, which has no layers; None for the others.

        Raises:
            InputError: there is a table where there should be none, or none where there should be one.
        """
        if (table is not None) != (self.settings is MFECSettings):
            raise InputError(f"algorithm {self.name!r} {'has no' if table else 'needs a'} table")
        if table is not None:
            return asdict(table)
        return {"net_arch": list(hidden) if self.value_based else {"pi": list(hidden), "vf": list(hidden)}}


def _ppo() -> "type[BaseAlgorithm]":
    from stable_baselines3 import PPO

    return PPO


def _a2c() -> "type[BaseAlgorithm]":
    from stable_baselines3 import A2C

    return A2C


def _dqn() -> "type[BaseAlgorithm]":
    from stable_baselines3 import DQN

    return DQN


def _mfec() -> "type[BaseAlgorithm]":
    from darla.agents.algorithms.episodic_control.algorithm import EpisodicControl

    return EpisodicControl


ALGORITHMS: dict[str, Algorithm] = {
    "ppo": Algorithm("ppo", PPOSettings, _ppo, value_based=False),
    "a2c": Algorithm("a2c", A2CSettings, _a2c, value_based=False),
    "dqn": Algorithm("dqn", DQNSettings, _dqn, value_based=True),
    "mfec": Algorithm("mfec", MFECSettings, _mfec, value_based=True),
}
"""Every algorithm that `ActConfig.algorithm` and `policy.json` may name."""


def get_algorithm(name: str) -> Algorithm:
    """Look an algorithm up by its name.

    Raises:
        InputError: there is none of that name; the closest one is offered.
    """
    if name not in ALGORITHMS:
        raise unknown_name("algorithm", name, ALGORITHMS)
    return ALGORITHMS[name]


def build(
    name: str,
    settings: Settings,
    env: "VecEnv",
    seed: int,
    device: str = "cpu",
    extractor: Mapping[str, Any] = MappingProxyType({}),
) -> "BaseAlgorithm":
    """Build an untrained algorithm on a vectorised environment of codes or of images.

    Args:
        name: a name in `ALGORITHMS`.
        settings: its hyperparameters.
        env: codes of shape (D,) or uint8 images (H, W, C); its number of environments is `settings.n_envs`.
        seed: seeds SB3's generators, and with them the policy's first weights.
        device: where the policy lives. Small policies on codes are fastest on the CPU.
        extractor: further arguments of the policy that say what it sees images through; SB3's own network if empty.
    """
    from stable_baselines3.common.utils import LinearSchedule

    algorithm = get_algorithm(name)
    if not isinstance(settings, algorithm.settings):
        raise InputError(f"algorithm {name!r} takes {algorithm.settings.__name__}, not {type(settings).__name__}")
    rate, decay, table = 0.0, False, table_of(settings)
    if not isinstance(settings, MFECSettings):
        rate, decay = settings.learning_rate, settings.decay
    learner: type[Any] = algorithm.find()
    built: BaseAlgorithm = learner(
        policy="CnnPolicy" if len(env.observation_space.shape or ()) == 3 else "MlpPolicy",
        env=env,
        learning_rate=LinearSchedule(rate, 0.0, 1.0) if decay else rate,
        policy_kwargs={**algorithm.policy_arguments(settings.hidden, table), **extractor},
        seed=seed,
        device=device,
        verbose=0,
        **settings.arguments(),
    )
    return built


def table_of(settings: Settings) -> MemoryConfig | None:
    """Return the size of the table that settings ask for; None for the algorithms that have none."""
    return settings.table if isinstance(settings, MFECSettings) else None


def build_policy(
    name: str,
    hidden: tuple[int, ...],
    observation_space: spaces.Box,
    n_actions: int,
    device: str = "cpu",
    extractor: Mapping[str, Any] = MappingProxyType({}),
    table: MemoryConfig | None = None,
) -> "BasePolicy":
    """Build the policy network alone, with weights that are waiting to be overwritten.

    Args:
        name: a name in `ALGORITHMS`.
        hidden: units of the hidden layers.
        observation_space: codes (D,), or channel-first images (C, H, W) as SB3 hands them to a policy.
        n_actions: number of discrete actions.
        device: where the policy lives.
        extractor: as for `build`.
        table: of episodic control; None for the others.
    """
    algorithm = get_algorithm(name)
    kind = "CnnPolicy" if len(observation_space.shape) == 3 else "MlpPolicy"
    policy_class: type[Any] = algorithm.find().policy_aliases[kind]
    policy: BasePolicy = policy_class(
        observation_space,
        spaces.Discrete(n_actions),
        lambda _: 0.0,  # no optimiser step is ever taken with it
        **algorithm.policy_arguments(hidden, table),
        **extractor,
    )
    return policy.to(device)


def policy_space(
    observation: Observation, shape: tuple[int, ...], frame_stack: int, *, smallest: int = SMALLEST_IMAGE
) -> spaces.Box:
    """Return the space a policy network is built for.

    Args:
        observation: latents, pixels or state.
        shape: (D,) of the codes or the state, or (H, W, C) of the images.
        frame_stack: how many of them it sees at once.
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
