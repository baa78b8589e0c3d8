"""Hyperparameters of the algorithms, and the presets for policies on latents and on pixels.

Defaults are those for SeekAvoid on frozen latents. PPO's were found in its source domain, where they serve
the codes of an encoder and end-to-end training alike. A2C's and DQN's share
its discount and number of environments and otherwise start from RL Zoo's Atari settings, with schedules for
a run of 80,000 environment steps; they learn the task, and were not searched.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal

from darla.common import InputError

Observation = Literal["latents", "pixels", "state"]
"""What a policy sees: codes of a frozen encoder; the images themselves, through SB3's NatureCNN or through an encoder
that is trained along; or the ground truth behind them (`darla.envs.state_vector`)."""

_MAY_BE_ZERO = {
    "entropy_coefficient",
    "value_coefficient",
    "learning_starts",
    "gae_lambda",
    "gamma",
    "exploration_final",
}
_SHARES = {"gamma", "gae_lambda", "exploration_fraction", "exploration_final"}


def _check(settings: "Settings") -> None:
    """Refuse numbers that no algorithm can use, naming the field."""
    owner = type(settings).__name__
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "hidden":
            if any(units < 1 for units in value):
                raise InputError(f"{owner}.hidden must hold positive numbers of units, not {value!r}")
            continue
        if value is None or isinstance(value, bool):
            continue
        low_enough = value >= 0 if field.name in _MAY_BE_ZERO else value > 0
        if not low_enough or (field.name in _SHARES and value > 1) or value == float("inf"):
            kind = "between 0 and 1" if field.name in _SHARES else "positive"
            raise InputError(f"{owner}.{field.name} must be {kind}, not {value!r}")


@dataclass(frozen=True)
class PPOSettings:
    """Proximal policy optimisation (Schulman et al. 2017, https://arxiv.org/abs/1707.06347)."""

    n_envs: int = 8
    """Environments stepped together."""
    n_steps: int = 128
    """Steps of each environment between two updates; a rollout holds `n_envs * n_steps` environment steps."""
    batch_size: int = 256
    """Transitions in a minibatch; must divide the rollout."""
    n_epochs: int = 4
    """Passes over each rollout."""
    learning_rate: float = 5e-4
    """Adam's step size at the start of training."""
    decay: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step; 0.97 looks about 33 steps ahead, as far as the room is wide."""
    gae_lambda: float = 0.95
    """Bias against variance of the advantage estimate (Schulman et al. 2016)."""
    clip_range: float = 0.2
    """How far an update may move the probability ratio from 1."""
    entropy_coefficient: float = 0.01
    """Weight of the entropy bonus in the loss."""
    value_coefficient: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """Gradient norm above which the gradient is scaled down."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of the policy's hidden layers, and of the value function's; none means linear heads."""

    def __post_init__(self) -> None:
        _check(self)
        if self.batch_size < 2 or self.rollout_steps % self.batch_size:
            raise InputError(
                f"PPO's batch_size {self.batch_size} must be at least 2 and divide its rollout of"
                f" n_envs x n_steps = {self.rollout_steps} environment steps"
            )

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two updates."""
        return self.n_envs * self.n_steps

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments of SB3's PPO."""
        return {
            "n_steps": self.n_steps,
            "batch_size": self.batch_size,
            "n_epochs": self.n_epochs,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "clip_range": self.clip_range,
            "ent_coef": self.entropy_coefficient,
            "vf_coef": self.value_coefficient,
            "max_grad_norm": self.max_grad_norm,
        }


@dataclass(frozen=True)
class A2CSettings:
    """Advantage actor-critic, the synchronous A3C (Mnih et al. 2016, https://arxiv.org/abs/1602.01783)."""

    n_envs: int = 8
    """Environments stepped together."""
    n_steps: int = 16
    """Steps of each environment between two updates."""
    learning_rate: float = 7e-4
    """RMSProp's step size at the start of training (the default of SB3)."""
    decay: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step."""
    gae_lambda: float = 0.95
    """Bias against variance of the advantage estimate; 1 is A3C's own n-step return."""
    entropy_coefficient: float = 0.01
    """Weight of the entropy bonus in the loss (the paper's 0.01)."""
    value_coefficient: float = 0.5
    """Weight of the value loss."""
    max_grad_norm: float = 0.5
    """Gradient norm above which the gradient is scaled down."""
    rms_prop_eps: float = 1e-5
    """RMSProp's stabiliser (RL Zoo's Atari setting)."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of the policy's hidden layers, and of the value function's."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two updates."""
        return self.n_envs * self.n_steps

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments of SB3's A2C."""
        return {
            "n_steps": self.n_steps,
            "gamma": self.gamma,
            "gae_lambda": self.gae_lambda,
            "ent_coef": self.entropy_coefficient,
            "vf_coef": self.value_coefficient,
            "max_grad_norm": self.max_grad_norm,
            "rms_prop_eps": self.rms_prop_eps,
        }


@dataclass(frozen=True)
class DQNSettings:
    """Deep Q-network (Mnih et al. 2015, https://www.nature.com/articles/nature14236)."""

    n_envs: int = 8
    """Environments stepped together; the replay buffer hears all of them."""
    learning_rate: float = 5e-4
    """Adam's step size at the start of training."""
    decay: bool = False
    """Whether the learning rate falls linearly to zero over the run."""
    gamma: float = 0.97
    """Discount per environment step."""
    buffer_size: int = 50_000
    """Transitions kept for replay, over all environments."""
    learning_starts: int = 2_000
    """Environment steps of random play before the first update."""
    batch_size: int = 128
    """Transitions in an update."""
    train_every: int = 8
    """Environment steps between two bouts of updates; a multiple of `n_envs`."""
    gradient_steps: int = 2
    """Updates in a bout."""
    target_every: int = 1_000
    """Environment steps between two copies of the network to its target."""
    exploration_fraction: float = 0.3
    """Share of the run over which the random-action rate falls."""
    exploration_final: float = 0.05
    """Random-action rate after that; also what the agent uses where it is asked to act stochastically."""
    max_grad_norm: float = 10.0
    """Gradient norm above which the gradient is scaled down."""
    hidden: tuple[int, ...] = (128, 128)
    """Units of the Q-network's hidden layers."""

    def __post_init__(self) -> None:
        _check(self)
        if self.train_every % self.n_envs:
            raise InputError(
                f"DQN's train_every {self.train_every} must be a multiple of n_envs {self.n_envs},"
                " since all environments step together"
            )
        if self.buffer_size < max(self.batch_size, self.n_envs):
            raise InputError(f"DQN's buffer_size {self.buffer_size} must hold a batch of {self.batch_size}")

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two updates."""
        return self.train_every

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments of SB3's DQN."""
        return {
            "gamma": self.gamma,
            "buffer_size": self.buffer_size,
            "learning_starts": self.learning_starts,
            "batch_size": self.batch_size,
            "train_freq": self.train_every // self.n_envs,
            "gradient_steps": self.gradient_steps,
            "target_update_interval": self.target_every,
            "exploration_fraction": self.exploration_fraction,
            "exploration_final_eps": self.exploration_final,
            "max_grad_norm": self.max_grad_norm,
        }


@dataclass(frozen=True)
class MemoryConfig:
    """What a policy of episodic control is built from, in place of hidden layers."""

    capacity: int
    """Entries of each action."""
    neighbours: int
    """k, the entries whose values are averaged."""
    projection: int | None
    """Numbers of a state, where it is a random projection of what is seen; None where it is what is seen."""


@dataclass(frozen=True)
class MFECSettings:
    """Model-free episodic control (Blundell et al. 2016, https://arxiv.org/abs/1606.04460).

    How its defaults were found, and what the paper has in their place: docs/episodic_control.md.
    """

    n_envs: int = 8
    """Environments stepped together; each enters its episodes into the one table."""
    gamma: float = 0.9
    """Discount per environment step (the paper's foraging tasks: 0.99)."""
    neighbours: int = 50
    """k, the entries whose values are averaged for a new state (the paper's foraging tasks: 50)."""
    capacity: int = 20_000
    """Entries of each action; the one updated longest ago makes room (the paper's foraging tasks: 100,000)."""
    bootstrap: bool = True
    """Whether an episode that a time limit cuts off is continued by the value of its last state. The paper enters
    episodes as if nothing followed."""
    exploration_fraction: float = 0.1
    """Share of the run over which the random-action rate falls from 1."""
    exploration_final: float = 0.05
    """Random-action rate after that (the paper: 0.005 from the first step); also what the agent uses where it is asked
    to act stochastically."""
    projection: int | None = None
    """Numbers that a Gaussian random projection maps what is seen to; None takes codes as they are."""

    def __post_init__(self) -> None:
        _check(self)
        if self.capacity < self.neighbours:
            raise InputError(f"MFEC's capacity {self.capacity} must hold its {self.neighbours} neighbours")

    @property
    def rollout_steps(self) -> int:
        """Environment steps between two looks at whether an episode has ended."""
        return self.n_envs

    @property
    def hidden(self) -> tuple[int, ...]:
        """Hidden layers: none."""
        return ()

    @property
    def table(self) -> MemoryConfig:
        """What its policy is built from."""
        return MemoryConfig(self.capacity, self.neighbours, self.projection)

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments of `EpisodicControl`."""
        return {
            "gamma": self.gamma,
            "bootstrap": self.bootstrap,
            "exploration_fraction": self.exploration_fraction,
            "exploration_final": self.exploration_final,
        }


Settings = PPOSettings | A2CSettings | DQNSettings | MFECSettings

PRESETS: dict[tuple[str, Observation], Settings] = {
    ("ppo", "latents"): PPOSettings(),
    ("a2c", "latents"): A2CSettings(),
    ("dqn", "latents"): DQNSettings(),
    ("mfec", "latents"): MFECSettings(),
    # With layers of 64 units PPO stops at 9.8 in the source of SeekAvoid, with these at 11.2 (docs/learners.md).
    ("ppo", "state"): PPOSettings(hidden=(256, 256)),
    ("a2c", "state"): A2CSettings(hidden=(256, 256)),
    ("dqn", "state"): DQNSettings(hidden=(256, 256)),
    ("mfec", "state"): MFECSettings(),
    # NatureCNN ends in a layer of 512 units of its own, so that SB3 puts linear heads on it.
    ("ppo", "pixels"): PPOSettings(hidden=()),
    ("a2c", "pixels"): A2CSettings(hidden=()),
    # Both images of a transition are kept: 20,000 of them are half a gigabyte at 64x64x3.
    ("dqn", "pixels"): DQNSettings(hidden=(), buffer_size=20_000),
    # 64 numbers, as in the paper.
    ("mfec", "pixels"): MFECSettings(projection=64),
}
"""The settings that are used where a configuration names none."""
