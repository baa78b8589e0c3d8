"""Configuration of the second stage, learn to act."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.algorithms.settings import AlgorithmSettings, Observation
from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.transfer_task import TRAIN_DOMAINS, TrainDomain

AUGMENTATIONS = ("shift", "hue", "convolution")
"""What `ActConfig.augment` may name; see `darla.agents.vec_env.augmentation`."""

_VALIDATION_EPISODES = 50
"""Episodes per snapshot where a configuration names none: the standard error of the mean is then a seventh of the
standard deviation of an episode's return."""


@dataclass(frozen=True)
class ActConfig(CheckedConfig):
    """How a policy is trained in the source domain."""

    algorithm: str = "ppo"
    """`ppo`, `a2c`, `dqn`, `mfec` (episodic control); `sac`, for continuous actions; `qrdqn`, `trpo`, `recurrent_ppo`
    (extra `contrib`); the import path of an algorithm class of Stable-Baselines3, `my_module:MyPPO`; or an algorithm
    of another package."""
    env_steps: int = 80_000
    """Environment steps over all environments together, rounded up to whole rollouts; enough for a converged policy on
    SeekAvoid."""
    settings: AlgorithmSettings | None = None
    """The algorithm's hyperparameters; None takes its preset for latents, pixels or the state."""
    frame_stack: int | None = None
    """Successive codes (or images) that the policy observes at once. None: as many as the world needs, 3 in the control
    suite, where one image does not show velocities, and 1 in SeekAvoid, where only the agent moves; of the state 1."""
    precision: Literal["auto", "fastest", "float32", "bfloat16"] = "auto"
    """Arithmetic of the frozen encoder's layers, or of PPO's own network on pixels. `fastest` is bfloat16 where the
    hardware has it, else float32. For an encoder `auto` is the same: it encodes twice as fast and changes a code by
    about a hundredth of its standard deviation. On pixels `auto` is float32, SB3's own arithmetic, and `fastest` takes
    bfloat16 where both PPO and the hardware have it (`darla.agents.pixels`). The agent is evaluated with the same."""
    snapshots: int = 8
    """Evenly spaced points at which the policy is saved, the last at the end; fewer if rollouts are long."""
    checkpoint_interval: int = 10_000
    """Environment steps between two checkpoints. After each, training continues with a new seed and new episodes, so
    this number changes the result."""
    log_window: int = 2_000
    """Environment steps that one row of the learning curve covers; about 13 episodes of SeekAvoid."""
    selection: Literal["last", "validation"] = "last"
    """Which snapshot becomes the policy: the last, or the best on the source validation split."""
    validation_episodes: int | None = None
    """Episodes per snapshot on the validation split, only with `selection="validation"`; None means 50."""

    observation: Literal["images", "state"] = "images"
    """Input of the policy: images, or the ground-truth state as one vector (position and reward of each object), an
    upper bound for any representation of images."""
    augment: tuple[Literal["shift", "hue", "convolution"], ...] = ()
    """Random augmentations of images in training, applied in this order: `shift` by up to 4 pixels, other `hue`s, a
    random `convolution`. Only for policies on pixels; evaluation does not augment."""
    fine_tune: bool = False
    """Train a copy of the encoder together with the policy, instead of keeping it frozen. The agent holds the copy; the
    encoder's artefact is not changed."""
    train_domain: TrainDomain = "source"
    """Domain of training: the task's `source`; its `unlabeled` domain D_U (domain randomization); or the mixture of
    its `targets`, an upper bound for transfer. Leak levels are computed accordingly."""

    def __post_init__(self) -> None:
        algorithm = ALGORITHMS[self.algorithm]
        if self.settings is not None and not isinstance(self.settings, algorithm.settings):
            given = type(self.settings).__name__
            raise InputError(f"algorithm {self.algorithm!r} takes {algorithm.settings.__name__}, not {given}")
        for name in ("env_steps", "frame_stack", "snapshots", "checkpoint_interval", "log_window"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"ActConfig.{name} must be at least 1, not {value}")
        if self.precision not in (precisions := ("auto", "fastest", "float32", "bfloat16")):
            raise unknown_name("precision", self.precision, precisions)
        if self.selection not in ("last", "validation"):
            raise InputError(f"ActConfig.selection must be 'last' or 'validation', not {self.selection!r}")
        if self.validation_episodes is not None:
            if self.selection == "last":
                raise InputError("ActConfig.validation_episodes would be ignored with selection='last'; leave it out")
            if self.validation_episodes < 1:
                raise InputError(f"ActConfig.validation_episodes must be at least 1, not {self.validation_episodes}")
        self._check_input()

    def _check_input(self) -> None:
        if self.observation not in ("images", "state"):
            raise unknown_name("observation", self.observation, ("images", "state"))
        for augmentation in self.augment:
            if augmentation not in AUGMENTATIONS:
                raise unknown_name("augmentation", augmentation, AUGMENTATIONS)
        if len(set(self.augment)) < len(self.augment):
            raise InputError(f"ActConfig.augment names an augmentation twice: {', '.join(self.augment)}")
        if self.train_domain not in TRAIN_DOMAINS:
            raise unknown_name("train_domain", self.train_domain, TRAIN_DOMAINS)
        if self.train_domain != "source" and self.selection == "validation":
            raise InputError(
                "selection='validation' compares snapshots in the source domain, but this policy trains in"
                f" {self.train_domain!r}; use selection='last'"
            )
        if self.fine_tune and not ALGORITHMS[self.algorithm].uses_gradients:
            raise InputError(
                f"fine_tune would be ignored: algorithm {self.algorithm!r} has no gradient to train an encoder with"
            )
        if self.observation == "state":
            for option, value in (("augment", self.augment), ("fine_tune", self.fine_tune)):
                if value:
                    raise InputError(
                        f"ActConfig.{option} would be ignored: with observation='state' the policy observes no image"
                    )
        if self.precision != "auto" and (self.fine_tune or self.observation == "state"):
            raise InputError(
                f"precision {self.precision!r} would be ignored: it is that of a frozen encoder, or of a network"
                " that is trained end to end"
            )

    def for_domain(self, domain: AnyDomain) -> Self:
        """Return the configuration with what it leaves to the world of a domain: the frame stack."""
        needed = domain.world.frame_stack if isinstance(domain, Domain) and self.observation == "images" else 1
        return self if self.frame_stack is not None else replace(self, frame_stack=needed)

    @property
    def stacked(self) -> int:
        """The frame stack; 1 where it is left to the world."""
        return self.frame_stack or 1

    def policy_input(self, *, on_encoder: bool) -> Observation:
        """Return the input of the policy.

        Args:
            on_encoder: whether there is an encoder.

        Raises:
            InputError: the encoder, or a part of the configuration, would be ignored.
        """
        if self.observation == "state":
            if on_encoder:
                raise InputError("the encoder would be ignored: with observation='state' the policy observes no image")
            return "state"
        if self.fine_tune:
            if not on_encoder:
                raise InputError("fine_tune needs an encoder to begin with")
            return "pixels"
        if on_encoder and self.augment:
            raise InputError(
                f"augment {', '.join(self.augment)} would be ignored: a frozen encoder turns images into codes before"
                " the policy observes them; leave it out, or use fine_tune"
            )
        return "latents" if on_encoder else "pixels"

    @property
    def is_plain(self) -> bool:
        """Whether the policy learns in the source domain, from images that are not augmented, without fine-tuning."""
        return (self.observation, self.augment, self.fine_tune, self.train_domain) == ("images", (), False, "source")

    def resolve(self, observation: Observation) -> AlgorithmSettings:
        """Return the hyperparameters of a policy on latents, on pixels or on the state."""
        if self.settings is not None:
            return self.settings
        return ALGORITHMS[self.algorithm].preset(observation, fine_tune=self.fine_tune)

    def episodes_per_snapshot(self) -> int:
        """Return the number of validation episodes for each snapshot; 0 where there is no validation."""
        if self.selection == "last":
            return 0
        return self.validation_episodes if self.validation_episodes is not None else _VALIDATION_EPISODES

    def to_dict(self, observation: Observation) -> dict[str, Any]:
        """Return the configuration as plain values, with every preset filled in."""
        return {
            **asdict(self),
            "settings": asdict(self.resolve(observation)),
            "validation_episodes": self.episodes_per_snapshot(),
        }
