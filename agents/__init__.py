"""Policies: on the latents of a frozen encoder, or end to end on pixels.

Public names are loaded when they are first used, so that importing the package does not load PyTorch or SB3.
"""

from typing import TYPE_CHECKING

from darla.common.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from darla.agents.agent import Actor as Actor
    from darla.agents.agent import Agent as Agent
    from darla.agents.agent import RandomAgent as RandomAgent
    from darla.agents.algorithms.a2c import A2CSettings as A2CSettings
    from darla.agents.algorithms.dqn import DQNSettings as DQNSettings
    from darla.agents.algorithms.episodic_control.mfec import MFECSettings as MFECSettings
    from darla.agents.algorithms.ppo import PPOSettings as PPOSettings
    from darla.agents.algorithms.registry import ALGORITHMS as ALGORITHMS
    from darla.agents.algorithms.registry import Algorithm as Algorithm
    from darla.agents.algorithms.registry import register_algorithm as register_algorithm
    from darla.agents.algorithms.settings import AlgorithmSettings as AlgorithmSettings
    from darla.agents.config import ActConfig as ActConfig
    from darla.agents.episodes import EpisodeEnvs as EpisodeEnvs
    from darla.agents.episodes import PerEpisodeGenerators as PerEpisodeGenerators
    from darla.agents.episodes import RolloutEpisode as RolloutEpisode
    from darla.agents.episodes import rollout as rollout
    from darla.agents.policy_io import PolicyDescription as PolicyDescription
    from darla.agents.policy_io import load_description as load_description
    from darla.agents.training.train import train_agent as train_agent
    from darla.agents.vec_env.latents import FrozenEncoder as FrozenEncoder
    from darla.agents.vec_env.latents import LatentVecEnv as LatentVecEnv
    from darla.agents.vec_env.make_vec import make_vec as make_vec
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__)
