"""Policies: on the latents of a frozen encoder, or end to end on pixels.

Public names are loaded when they are first used, so that importing the package does not load PyTorch or SB3.
"""

import importlib
from typing import TYPE_CHECKING, Any

from darla.base.llvm_order import load_triton_first

if TYPE_CHECKING:
    from darla.agents.agent import Actor, Agent, RandomAgent
    from darla.agents.algorithms import ALGORITHMS, Algorithm, get_algorithm
    from darla.agents.config import ActConfig
    from darla.agents.latents import FrozenEncoder, LatentVecEnv
    from darla.agents.policy_io import PolicyDescription, load_description
    from darla.agents.settings import PRESETS, A2CSettings, DQNSettings, MFECSettings, PPOSettings
    from darla.agents.training import train_agent
    from darla.agents.vec import make_vec

__all__ = [
    "ALGORITHMS",
    "PRESETS",
    "A2CSettings",
    "ActConfig",
    "Actor",
    "Agent",
    "Algorithm",
    "DQNSettings",
    "FrozenEncoder",
    "LatentVecEnv",
    "MFECSettings",
    "PPOSettings",
    "PolicyDescription",
    "RandomAgent",
    "get_algorithm",
    "load_description",
    "make_vec",
    "train_agent",
]

# Optimisers are made below here, and PyTorch loads triton with the first one. The program that imports this may have
# opened a renderer of its own.
load_triton_first()

_MODULES = {
    "agent": ("Actor", "Agent", "RandomAgent"),
    "algorithms": ("ALGORITHMS", "Algorithm", "get_algorithm"),
    "config": ("ActConfig",),
    "latents": ("FrozenEncoder", "LatentVecEnv"),
    "policy_io": ("PolicyDescription", "load_description"),
    "settings": ("PRESETS", "A2CSettings", "DQNSettings", "MFECSettings", "PPOSettings"),
    "training": ("train_agent",),
    "vec": ("make_vec",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
