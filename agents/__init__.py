"""Policies: on the latents of a frozen encoder, or end to end on pixels.

Public names are loaded when they are first used, so that importing the package does not load PyTorch or SB3.
"""

from typing import TYPE_CHECKING

from darla.common.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from darla.agents.agent import Actor as Actor
    from darla.agents.agent import Agent as Agent
    from darla.agents.agent import RandomAgent as RandomAgent
    from darla.agents.algorithms.registry import ALGORITHMS as ALGORITHMS
    from darla.agents.algorithms.registry import Algorithm as Algorithm
    from darla.agents.algorithms.registry import get_algorithm as get_algorithm
    from darla.agents.algorithms.settings import PRESETS as PRESETS
    from darla.agents.algorithms.settings import A2CSettings as A2CSettings
    from darla.agents.algorithms.settings import DQNSettings as DQNSettings
    from darla.agents.algorithms.settings import MFECSettings as MFECSettings
    from darla.agents.algorithms.settings import PPOSettings as PPOSettings
    from darla.agents.config import ActConfig as ActConfig
    from darla.agents.policy_io import PolicyDescription as PolicyDescription
    from darla.agents.policy_io import load_description as load_description
    from darla.agents.training.train import train_agent as train_agent
    from darla.agents.vec_env.latents import FrozenEncoder as FrozenEncoder
    from darla.agents.vec_env.latents import LatentVecEnv as LatentVecEnv
    from darla.agents.vec_env.local import make_vec as make_vec
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__)
