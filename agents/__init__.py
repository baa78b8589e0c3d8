"""Policies: on the latents of a frozen encoder, or end to end on pixels.

Public names are loaded when they are first used, so that importing the package does not load PyTorch or SB3.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darla.agents.agent import Actor, Agent, RandomAgent
    from darla.agents.algorithms.registry import ALGORITHMS, Algorithm, get_algorithm
    from darla.agents.algorithms.settings import PRESETS, A2CSettings, DQNSettings, MFECSettings, PPOSettings
    from darla.agents.config import ActConfig
    from darla.agents.episodes import EpisodeEnvs, PerEpisodeGenerators, RolloutEpisode, rollout
    from darla.agents.policy_io import PolicyDescription, load_description
    from darla.agents.training.train import train_agent
    from darla.agents.vec_env.latents import FrozenEncoder, LatentVecEnv
    from darla.agents.vec_env.make_vec import make_vec

__all__ = [
    "ALGORITHMS",
    "PRESETS",
    "A2CSettings",
    "ActConfig",
    "Actor",
    "Agent",
    "Algorithm",
    "DQNSettings",
    "EpisodeEnvs",
    "FrozenEncoder",
    "LatentVecEnv",
    "MFECSettings",
    "PPOSettings",
    "PerEpisodeGenerators",
    "PolicyDescription",
    "RandomAgent",
    "RolloutEpisode",
    "get_algorithm",
    "load_description",
    "make_vec",
    "rollout",
    "train_agent",
]

_MODULES = {
    "agent": ("Actor", "Agent", "RandomAgent"),
    "algorithms.registry": ("ALGORITHMS", "Algorithm", "get_algorithm"),
    "config": ("ActConfig",),
    "vec_env.latents": ("FrozenEncoder", "LatentVecEnv"),
    "policy_io": ("PolicyDescription", "load_description"),
    "algorithms.settings": ("PRESETS", "A2CSettings", "DQNSettings", "MFECSettings", "PPOSettings"),
    "training.train": ("train_agent",),
    "episodes": ("EpisodeEnvs", "PerEpisodeGenerators", "RolloutEpisode", "rollout"),
    "vec_env.make_vec": ("make_vec",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
