"""What a person can ask of the second stage, learn to act."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from darla.agents.algorithms.registry import get_algorithm
from darla.agents.algorithms.settings import DQNSettings, Observation, Settings
from darla.common import InputError, unknown_name
from darla.envs.domains.transfer_task import TRAIN_DOMAINS, TrainDomain

AUGMENTATIONS = ("shift", "hue", "convolution")
"""What `ActConfig.augment` may name; see `darla.agents.vec_env.augmentation`."""

_LATER = ("observation", "augment", "fine_tune", "train_domain")
"""Fields that are written down only where they say something: artefacts that do without them keep their digests."""

_VALIDATION_EPISODES = 50
"""Episodes per snapshot where a configuration names none: a standard error of about a seventh of the
spread."""


@dataclass(frozen=True)
class ActConfig:
    """How a policy is trained in the source domain."""

    algorithm: str = "ppo"
    """`ppo`, `a2c`, `dqn` or `mfec` (episodic control)."""
    env_steps: int = 80_000
    """Environment steps over all environments together, rounded up to whole rollouts; a converged policy on
    SeekAvoid."""
    settings: Settings | None = None
    """The algorithm's hyperparameters; None takes its preset for latents or for pixels."""
    frame_stack: int = 1
    """Successive codes (or images) that the policy sees at once; SeekAvoid moves only when the agent does, so
    1."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the frozen encoder's layers; `auto` is bfloat16 where the hardware has it, which encodes
    twice as fast and moves a code by about a hundredth of its spread. The agent keeps it wherever it is
    evaluated."""
    snapshots: int = 8
    """Evenly spaced points at which the policy is kept, the last at the end; fewer if rollouts are long."""
    checkpoint_interval: int = 10_000
    """Environment steps between two checkpoints. Each segment starts from a fresh seed and fresh episodes, so
    this number is part of the result."""
    log_window: int = 2_000
    """Environment steps that one row of the learning curve covers; about 13 episodes of SeekAvoid."""
    selection: Literal["last", "validation"] = "last"
    """Which snapshot becomes the policy: the last, or the best on the source validation split."""
    validation_episodes: int | None = None
    """Episodes per snapshot on the validation split, only with `selection="validation"`; None means 50."""

    observation: Literal["images", "state"] = "images"
    """What the environment tells the policy: images, or the ground truth behind them as one vector (where each object
    is and what it is worth), the upper bound of any representation of images."""
    augment: tuple[Literal["shift", "hue", "convolution"], ...] = ()
    """How images are changed at random while the policy trains, in this order: `shift` by up to 4 pixels, other `hue`s,
    a random `convolution`. For policies on pixels; nothing is changed in evaluation."""
    fine_tune: bool = False
    """Train a copy of the encoder along with the policy, instead of keeping it frozen. The agent holds the copy; the
    encoder's artefact stays as it is."""
    train_domain: TrainDomain = "source"
    """Where the policy acts while it learns: the task's `source`; its `unlabelled` domain D_U (domain randomisation);
    or the mixture of its `targets`, the upper bound of any transfer. Leak levels are computed accordingly."""

    def __post_init__(self) -> None:
        algorithm = get_algorithm(self.algorithm)
        if self.settings is not None and not isinstance(self.settings, algorithm.settings):
            given = type(self.settings).__name__
            raise InputError(f"algorithm {self.algorithm!r} takes {algorithm.settings.__name__}, not {given}")
        for name in ("env_steps", "frame_stack", "snapshots", "checkpoint_interval", "log_window"):
            if getattr(self, name) < 1:
                raise InputError(f"ActConfig.{name} must be at least 1, not {getattr(self, name)}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise unknown_name("precision", self.precision, ("auto", "float32", "bfloat16"))
        if self.selection not in ("last", "validation"):
            raise InputError(f"ActConfig.selection must be 'last' or 'validation', not {self.selection!r}")
        if self.validation_episodes is not None:
            if self.selection == "last":
                raise InputError("ActConfig.validation_episodes would be ignored with selection='last'; leave it out")
            if self.validation_episodes < 1:
                raise InputError(f"ActConfig.validation_episodes must be at least 1, not {self.validation_episodes}")
        self._check_what_is_seen()

    def _check_what_is_seen(self) -> None:
        if self.observation not in ("images", "state"):
            raise unknown_name("observation", self.observation, ("images", "state"))
        for wanted in self.augment:
            if wanted not in AUGMENTATIONS:
                raise unknown_name("augmentation", wanted, AUGMENTATIONS)
        if len(set(self.augment)) < len(self.augment):
            raise InputError(f"ActConfig.augment names an augmentation twice: {', '.join(self.augment)}")
        if self.train_domain not in TRAIN_DOMAINS:
            raise unknown_name("train_domain", self.train_domain, TRAIN_DOMAINS)
        if self.train_domain != "source" and self.selection == "validation":
            raise InputError(
                "selection='validation' chooses by what a policy does in the source, and this one trains in"
                f" {self.train_domain!r}; use selection='last'"
            )
        if self.fine_tune and self.algorithm == "mfec":
            raise InputError("fine_tune would be ignored: episodic control has no gradient to train an encoder with")
        if self.observation == "state":
            for name, given in (("augment", self.augment), ("fine_tune", self.fine_tune)):
                if given:
                    raise InputError(
                        f"ActConfig.{name} would be ignored: observation='state' shows the policy no image"
                    )
        if self.precision != "auto" and (self.fine_tune or self.observation == "state"):
            raise InputError(
                f"precision {self.precision!r} would be ignored: it is that of a frozen encoder, and there is none"
            )

    def policy_input(self, *, on_encoder: bool) -> Observation:
        """Return what the policy sees.

        Args:
            on_encoder: whether there is an encoder for it to stand on.

        Raises:
            InputError: the encoder, or a part of the configuration, would be ignored.
        """
        if self.observation == "state":
            if on_encoder:
                raise InputError("the encoder would be ignored: observation='state' shows the policy no image")
            return "state"
        if self.fine_tune:
            if not on_encoder:
                raise InputError("fine_tune needs an encoder to begin with")
            return "pixels"
        if on_encoder and self.augment:
            raise InputError(
                f"augment {', '.join(self.augment)} would be ignored: a frozen encoder turns images into codes before"
                " the policy sees them; leave it out, or use fine_tune"
            )
        return "latents" if on_encoder else "pixels"

    @property
    def is_plain(self) -> bool:
        """Whether the policy learns in the source, from its images as they are."""
        return all(getattr(self, each.name) == each.default for each in fields(self) if each.name in _LATER)

    def resolve(self, observation: Observation) -> Settings:
        """Return the hyperparameters that a policy on latents, on pixels or on the state will be trained with."""
        if self.settings is not None:
            return self.settings
        algorithm = get_algorithm(self.algorithm)
        if not self.fine_tune:
            return algorithm.preset(observation)
        found, images = algorithm.preset("latents"), algorithm.preset("pixels")
        if isinstance(found, DQNSettings) and isinstance(images, DQNSettings):
            return replace(found, buffer_size=images.buffer_size)  # which is full of images here as well
        return found

    def episodes_per_snapshot(self) -> int:
        """Return the number of validation episodes for each snapshot; 0 where there is no validation."""
        if self.selection == "last":
            return 0
        return self.validation_episodes if self.validation_episodes is not None else _VALIDATION_EPISODES

    def to_dict(self, observation: Observation) -> dict[str, Any]:
        """Return the configuration as plain values, with every preset filled in."""
        filled = {**asdict(self), "settings": asdict(self.resolve(observation))}
        filled["validation_episodes"] = self.episodes_per_snapshot()
        unsaid = {each.name: each.default for each in fields(self) if each.name in _LATER}
        return {name: value for name, value in filled.items() if name not in unsaid or value != unsaid[name]}
