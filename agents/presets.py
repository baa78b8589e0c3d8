"""Named configurations of agents, for `darla act --preset`."""

from collections.abc import Mapping
from types import MappingProxyType

from darla.agents.algorithms.ppo import PPOSettings
from darla.agents.config import ActConfig
from darla.common import unknown_name

SHORT_PPO = PPOSettings(net_arch=(256, 256), n_epochs=10)
"""PPO on codes or on the state for 40,000 environment steps: wider layers and ten passes over each rollout learn faster
than the default, which is ahead of them by 80,000 (docs/baselines.md)."""
AGENTS: Mapping[str, ActConfig] = MappingProxyType(
    {
        "ppo": ActConfig(algorithm="ppo"),
        "ppo-short": ActConfig(env_steps=40_000, settings=SHORT_PPO),
        "a2c": ActConfig(algorithm="a2c"),
        "dqn": ActConfig(algorithm="dqn"),
        "mfec": ActConfig(algorithm="mfec"),  # episodic control
        "sac": ActConfig(algorithm="sac"),  # continuous actions
        "qrdqn": ActConfig(algorithm="qrdqn"),  # this one and the next two need the extra `contrib`
        "trpo": ActConfig(algorithm="trpo"),
        "recurrent-ppo": ActConfig(algorithm="recurrent_ppo"),
        "tiny": ActConfig(env_steps=2_048, snapshots=2, checkpoint_interval=1_024),
    }
)
"""For `darla act --preset`."""


def agent(name: str | None = None) -> ActConfig:
    """Return an agent's configuration by name; `ppo` where none is given.

    Raises:
        InputError: there is none of that name.
    """
    name = name or "ppo"
    if name not in AGENTS:
        raise unknown_name("agent preset", name, AGENTS)
    return AGENTS[name]
