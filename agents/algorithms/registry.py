"""The learning algorithms that a configuration can name: darla's own and those of other packages.

One file holds all of an algorithm: its settings, presets, SB3 class and hooks, registered by `register_algorithm`.
Another package adds one by an entry point that names its module:

    [project.entry-points."darla.algorithms"]
    qr_dqn = "my_package.qr_dqn"

An algorithm class of Stable-Baselines3, or an `Algorithm`, that is registered nowhere is named by its import path, as
in `darla act --algorithm my_algorithms:MyPPO`; `imported.py` has what is made of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from gymnasium import spaces

from darla.agents.actions import Actions, in_words
from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError
from darla.common.registry import Registry

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm
    from stable_baselines3.common.policies import BasePolicy
    from torch import Tensor
    from torch.distributions import Distribution

MAX_SIZE = 1 << 16
"""Largest size that a file may ask for: a damaged number must not allocate all memory."""
_MAX_LAYERS = 32
_STEPS_BETWEEN_LOGS = 1_000

ActionKind = Literal["discrete", "continuous"]
ALGORITHMS: Registry["Algorithm"] = Registry("algorithm", "darla.agents.algorithms", "darla.algorithms")
"""Every algorithm that `ActConfig.algorithm` and `policy.json` may name."""


class Memory(Protocol):
    """What a recurrent policy remembers between the steps of n episodes."""

    def forget(self, rows: Sequence[int]) -> None:
        """Begin new episodes in some rows."""


class Algorithm(ABC):
    """A learning algorithm: everything that training, loading and acting need to know of it.

    The policy is a `BasePolicy` of SB3.

    Args:
        name: its name in configurations and in `policy.json`.
    """

    settings: ClassVar[type[AlgorithmSettings]]
    """The dataclass of its hyperparameters."""
    presets: ClassVar[Mapping[Observation, AlgorithmSettings]]
    """The settings where a configuration has none, by the input of the policy."""
    actions: ClassVar[Sequence[ActionKind]] = ("discrete",)
    """Kinds of actions that it can choose from."""
    is_recurrent: ClassVar[bool] = False
    """Whether the policy remembers earlier steps of an episode; then `new_memory` is defined."""
    by_prediction: ClassVar[bool] = False
    """Whether it acts through its policy's `_predict`, and neither values nor a distribution are known."""
    value_based: ClassVar[bool] = False
    """Whether actions are chosen by their values (as in DQN), and not drawn from a distribution (as in PPO)."""
    uses_gradients: ClassVar[bool] = True
    """Whether it can fine-tune an encoder."""
    has_bfloat16_pixels: ClassVar[bool] = False
    """Whether its policy on images can be trained in bfloat16 (`darla.agents.pixels`)."""
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
        self.check_layers(architecture["net_arch"])

    def check_layers(self, units: object) -> None:
        """Check the numbers of units of hidden layers.

        Raises:
            InputError: they are no numbers, or more or larger than any policy needs.
        """
        if not isinstance(units, list) or len(units) > _MAX_LAYERS or not all(is_size(each) for each in units):
            raise InputError(f"net_arch must hold at most {_MAX_LAYERS} positive whole numbers, not {units!r}")

    def check_actions(self, space: "spaces.Space[Any]") -> None:
        """Check that the algorithm can choose from the actions of an environment.

        Raises:
            InputError: it cannot; names those of darla's algorithms that can.
        """
        kind: ActionKind = "continuous" if isinstance(space, spaces.Box) else "discrete"
        if kind not in self.actions:
            able = ", ".join(repr(name) for name in sorted(ALGORITHMS.own()) if kind in ALGORITHMS[name].actions)
            raise InputError(
                f"algorithm {self.name!r} cannot choose from {in_words(space)}; algorithms that can: {able}"
            )

    def policy_name(self, shape: tuple[int, ...]) -> str:
        """Return SB3's name of the policy for an observation of this shape."""
        return "CnnPolicy" if len(shape) == 3 else "MlpPolicy"

    def new_memory(self, policy: "BasePolicy", n: int) -> Memory | None:
        """Return what a policy remembers at the beginning of n episodes; None for one without memory."""
        return None

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

    def policy_class(
        self, shape: tuple[int, ...], architecture: Mapping[str, Any], extractor: Mapping[str, Any]
    ) -> tuple[type[Any], dict[str, Any]]:
        """Return the class of the policy and its arguments beside its spaces, to build it without its algorithm.

        Args:
            shape: of an observation.
            architecture: as `architecture` returns it.
            extractor: `features_extractor_class` and its arguments; empty for SB3's own.
        """
        policy_class = self.sb3_class().policy_aliases[self.policy_name(shape)]
        return policy_class, {**self.policy_arguments(architecture), **extractor}

    def action_values(self, policy: "BasePolicy", observations: "Tensor") -> "Tensor":
        """Return the value of every action, float (n, A); only of a value-based algorithm."""
        raise NotImplementedError(f"algorithm {self.name!r} is value-based and must define action_values")

    def distribution(self, policy: "BasePolicy", observations: "Tensor", memory: Memory | None) -> "Distribution":
        """Return what actions are drawn from; only if it is not value-based.

        Args:
            policy: a trained policy.
            observations: float (n, ...).
            memory: of a recurrent policy; it is updated.

        Returns:
            A Categorical over n discrete actions; or Normal distributions of the numbers in a continuous one, (n, A),
            before the policy's own squashing.
        """
        distribution: Any = policy.get_distribution(observations)  # type: ignore[operator]
        inner: Distribution = distribution.distribution
        return inner

    def network(self, policy: "BasePolicy") -> Any:
        """Return the part of a policy that acts, which has its features extractor."""
        return policy

    def choose_actions(
        self,
        policy: "BasePolicy",
        observations: "Tensor",
        deterministic: bool,
        rng: np.random.Generator,
        exploration: float,
        memory: Memory | None = None,
    ) -> Actions:
        """Choose an action for each observation.

        Args:
            policy: a trained policy.
            observations: float (n, ...), as `BasePolicy.obs_to_tensor` makes it.
            deterministic: the best action; else one drawn from the policy, or at the rate `exploration` a random one.
            rng: the source of that draw, row by row.
            exploration: probability of a random action, of value-based algorithms.
            memory: of a recurrent policy; it is updated.

        Returns:
            Actions, int64 (n,), or of continuous ones float32 (n, A): squashed to [-1, 1] if the policy does that,
            else without bounds.
        """
        if not self.value_based:
            drawn_from = self.distribution(policy, observations, memory)
            if not isinstance(policy.action_space, spaces.Discrete):
                mean, deviation = (part.cpu().numpy() for part in (drawn_from.mean, drawn_from.stddev))
                numbers = mean if deterministic else mean + deviation * rng.standard_normal(size=mean.shape)
                return np.asarray(np.tanh(numbers) if policy.squash_output else numbers, np.float32)
            logits = drawn_from.logits.cpu().numpy()  # type: ignore[attr-defined]
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
