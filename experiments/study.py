"""A study as data: which methods are compared on which transfer tasks, with how many seeds, for how long."""

from dataclasses import dataclass, field, replace

from darla.agents import ActConfig
from darla.common import InputError, unknown_name
from darla.envs.domains import tasks
from darla.vision import SeeConfig
from darla.zero_shot import TransferConfig


@dataclass(frozen=True)
class Method:
    """How an encoder, if any, and a policy are trained."""

    name: str
    """Its name in tables."""
    see: SeeConfig | None = None
    """How its encoder is trained; without one the policy is trained end to end on pixels, or on the state."""
    act: ActConfig = field(default_factory=ActConfig)
    """How its policy is trained, on which observations and in which domain; the study sets the environment steps."""
    tasks: tuple[str, ...] | None = None
    """The study's tasks that it is evaluated on; all of them if None."""

    def __post_init__(self) -> None:
        self.act.policy_input(on_encoder=self.see is not None)  # raises where an option would be ignored

    def takes_part_in(self, task: str) -> bool:
        """Return whether the method is evaluated on `task`."""
        return self.tasks is None or task in self.tasks

    @property
    def is_end_to_end(self) -> bool:
        """Whether its policy is trained on the source's images, unaltered and without an encoder."""
        return self.see is None and self.act.is_plain


@dataclass(frozen=True)
class Study:
    """Methods, tasks and seeds; the random agent is evaluated beside the methods.

    Raises:
        InputError: an unknown task, two methods of one name, or a number that is not positive.
    """

    name: str
    methods: tuple[Method, ...]
    """In the order of the tables; the first that is trained end to end is the baseline of all comparisons."""
    tasks: tuple[str, ...] = ("conjunction",)
    """Names of transfer tasks. Tasks with equal D_U share encoders, tasks with equal sources share agents."""
    seeds: tuple[int, ...] = (0,)
    """Master seeds of the policies."""
    encoder_seeds: tuple[int, ...] | None = None
    """Master seeds of the encoders, assigned to the policies in turn; one encoder for each policy if None."""
    frames: int = 40_000
    """Number of frames of each D_U that the encoders are trained on."""
    frames_seed: int = 0
    """Master seed of the frames; all encoders of one D_U are trained on the same frames."""
    env_steps: int = 80_000
    """Environment steps that every policy is trained for."""
    transfer: TransferConfig = field(default_factory=TransferConfig)
    """How the policies are evaluated."""
    correlates: bool = False
    """Whether measures of the encoders are correlated with transfer at the end."""
    about: str = ""
    """One line for `darla study list`."""

    def __post_init__(self) -> None:
        for name in self.tasks:
            tasks.get(name)
        for method in self.methods:
            for name in method.tasks or ():
                if name not in self.tasks:
                    raise unknown_name(f"task of method {method.name!r} in study {self.name!r}:", name, self.tasks)
        for name in self.tasks:
            if not any(method.takes_part_in(name) for method in self.methods):
                raise InputError(f"study {self.name!r}: no method is evaluated on task {name!r}")
        names = [method.name for method in self.methods]
        if not names or not self.tasks or not self.seeds:
            raise InputError(f"study {self.name!r} needs at least one method, one task and one seed")
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InputError(f"study {self.name!r} has two methods called {repeated.pop()!r}")
        for name in ("frames", "env_steps"):
            if getattr(self, name) < 1:
                raise InputError(f"study {self.name!r}: {name} is {getattr(self, name)}, but must be at least 1")
        if len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise InputError(f"study {self.name!r}: seeds are {self.seeds}, but must differ and not be negative")
        if self.encoder_seeds is not None and (not self.encoder_seeds or min(self.encoder_seeds) < 0):
            raise InputError(f"study {self.name!r}: encoder_seeds are {self.encoder_seeds}, but must not be negative")

    @property
    def baseline(self) -> str | None:
        """Name of the first method that is trained end to end; None if there is none."""
        return next((method.name for method in self.methods if method.is_end_to_end), None)

    def act_of(self, method: Method) -> ActConfig:
        """Return how a method's policy is trained, with the study's number of environment steps."""
        return replace(method.act, env_steps=self.env_steps)

    def encoder_seed(self, seed: int) -> int:
        """Return the seed of the encoder that the policy of `seed` is trained on."""
        if self.encoder_seeds is None:
            return seed
        return self.encoder_seeds[self.seeds.index(seed) % len(self.encoder_seeds)]
