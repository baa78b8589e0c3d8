"""The learning algorithms that a configuration can name: darla's own and those of other packages.

One file holds all of an algorithm: its settings, presets, SB3 class and hooks, registered by `register_algorithm`.
Another package adds one by an entry point that names its module:

    [project.entry-points."darla.algorithms"]
    qr_dqn = "my_package.qr_dqn"
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError
from darla.common.registry import Registry

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor

MAX_SIZE = 1 << 16
"""Largest size that a file may ask for: a damaged number must not allocate all memory."""
_MAX_LAYERS = 32
_STEPS_BETWEEN_LOGS = 1_000

ALGORITHMS: Registry["Algorithm"] = Registry("algorithm", "darla.agents.algorithms", "darla.algorithms")
"""Every algorithm that `ActConfig.algorithm` and `policy.json` may name."""


class Algorithm(ABC):
    """A learning algorithm: everything that training, loading and acting need to know of it.

    The policy is a `BasePolicy` of SB3 for discrete actions, without recurrent state.

    Args:
        name: its name in configurations and in `policy.json`.
    """

    settings: ClassVar[type[AlgorithmSettings]]
    """The dataclass of its hyperparameters."""
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]]
    """The settings where a configuration has none, by the input of the policy."""
    value_based: ClassVar[bool] = False
    """Whether actions are chosen by their values (as in DQN), and not drawn from a distribution (as in PPO)."""
    uses_gradients: ClassVar[bool] = True
    """Whether it can fine-tune an encoder."""
    log_interval_is_in_episodes: ClassVar[bool] = False
    """SB3's `log_interval` counts episodes in off-policy algorithms, and rollouts in on-policy ones."""
    steps_per_second: ClassVar[Mapping[Observation, float]] = {"latents": 1_000.0, "pixels": 450.0, "state": 1_000.0}
    """Environment steps of SeekAvoid that one core trains on in a second; only estimates of time depend on it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def sb3_class(self) -> "type[BaseAlgorithm]":
        """Import and return the class that is trained. It is imported here so that a command's help loads no SB3."""

    def preset(self, observation: Observation, *, fine_tune: bool = False) -> AlgorithmSettings:
        """Return the settings where a configuration has none.

        Args:
            observation: the input of the policy.
            fine_tune: whether an encoder is trained inside the policy: on top of it the policy sees codes.
        """
        return self.presets["latents" if fine_tune else observation]

    def exploration(self, settings: AlgorithmSettings) -> float:
        """Return the probability of a random action when a trained policy acts stochastically; 0 if it has none."""
        return 0.0

    def architecture(self, settings: AlgorithmSettings) -> dict[str, Any]:
        """Return what the policy is built from beside its spaces, as JSON: the same for training and for loading."""
        return {"net_arch": list(getattr(settings, "net_arch", ()))}

    def check_architecture(self, architecture: Mapping[str, Any], inputs: int, n_actions: int) -> None:
        """Check an architecture that was read from a file.

        Args:
            architecture: as `architecture` returns it, if the file is intact.
            inputs: how many numbers the policy observes.
            n_actions: from how many actions it chooses.

        Raises:
            InputError: a field is missing, unknown, of another type, or larger than any policy needs.
        """
        self.check_fields(architecture, ("net_arch",))
        units = architecture["net_arch"]
        if not isinstance(units, list) or len(units) > _MAX_LAYERS or not all(is_size(each) for each in units):
            raise InputError(f"net_arch must hold at most {_MAX_LAYERS} positive whole numbers, not {units!r}")

    def check_fields(self, architecture: Mapping[str, Any], expected: tuple[str, ...]) -> None:
        """Check that an architecture has the expected fields and no other.

        Raises:
            InputError: it has not.
        """
        if architecture.keys() != set(expected):
            raise InputError(
                f"the architecture of algorithm {self.name!r} has the fields {', '.join(expected)},"
                f" not {', '.join(sorted(architecture)) or 'none'}"
            )

    def policy_arguments(self, architecture: Mapping[str, Any]) -> dict[str, Any]:
        """Return the `policy_kwargs` of SB3 for an architecture."""
        return dict(architecture)

    def action_values(self, policy: "BasePolicy", observations: "Tensor") -> "Tensor":
        """Return the value of every action, float (n, A); only of a value-based algorithm."""
        raise NotImplementedError(f"algorithm {self.name!r} is value-based and must define action_values")

    def action_logits(self, policy: "BasePolicy", observations: "Tensor") -> "Tensor":
        """Return the unnormalized log-probability of every action, float (n, A); only if it is not value-based."""
        distribution: Any = policy.get_distribution(observations)  # type: ignore[operator]
        logits: Tensor = distribution.distribution.logits
        return logits

    def choose_actions(
        self,
        policy: "BasePolicy",
        observations: "Tensor",
        deterministic: bool,
        rng: np.random.Generator,
        exploration: float,
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Choose an action for each observation.

        Args:
            policy: a trained policy.
            observations: float (n, ...), as `BasePolicy.obs_to_tensor` makes it.
            deterministic: the best action; else one drawn from the policy, or at the rate `exploration` a random one.
            rng: the source of that draw, row by row.
            exploration: probability of a random action, of value-based algorithms.

        Returns:
            Actions, int64 (n,).
        """
        if not self.value_based:
            logits = self.action_logits(policy, observations).cpu().numpy()
            # Gumbel-max: the argmax of logits + Gumbel noise is a sample of the softmax of the logits.
            scores = logits if deterministic else logits + rng.gumbel(size=logits.shape)
            return np.asarray(scores.argmax(axis=1), np.int64)
        values = self.action_values(policy, observations).cpu().numpy()
        actions = np.asarray(values.argmax(axis=1), np.int64)
        if deterministic:
            return actions
        explores = rng.random(len(actions)) < exploration
        return np.where(explores, rng.integers(values.shape[1], size=len(actions)), actions)

    def log_interval(self, settings: AlgorithmSettings) -> int:
        """Return how often SB3 logs, in its own unit: episodes of off-policy algorithms, rollouts of on-policy ones."""
        return 8 if self.log_interval_is_in_episodes else max(1, _STEPS_BETWEEN_LOGS // settings.rollout_steps)


def register_algorithm(name: str) -> Callable[[type[Algorithm]], type[Algorithm]]:
    """Return a decorator that registers an algorithm under `name`."""

    def add(algorithm: type[Algorithm]) -> type[Algorithm]:
        ALGORITHMS.register(name)(algorithm(name))
        return algorithm

    return add


def is_size(value: object) -> bool:
    """Return whether a value from a file is a positive integer of at most `MAX_SIZE`."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SIZE
