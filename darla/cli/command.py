"""What every command of the command line has in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

import tyro

Track = Annotated[
    tyro.conf.DisallowNone[Literal["wandb", "mlflow"] | None],
    tyro.conf.arg(
        help="Tracker that gets everything that TensorBoard gets, as well: Weights & Biases (extra `wandb`) or MLflow "
        "(extra `mlflow`), each set up as always, such as by WANDB_MODE or MLFLOW_TRACKING_URI. Also by DARLA_TRACK."
    ),
]


class Command(ABC):
    """The options of a verb, as the fields of a dataclass that tyro fills, and the work that they describe."""

    at_least_one: ClassVar[Sequence[str]] = ()
    """Positional arguments of which several may be given, and one must be; tyro would accept none."""
    positional: ClassVar[int] = 0
    """Positional arguments before those."""
    track: Track = None
    """The tracker that stages write to besides TensorBoard; an option of the verbs that have it as a field."""

    @abstractmethod
    def run(self) -> int:
        """Do the work and return the exit code."""

    @classmethod
    def with_presets(cls, words: Sequence[str]) -> Self | None:
        """Return the command whose values tyro shows as defaults, if they depend on what is on the command line.

        Args:
            words: the command line after the verb.

        Raises:
            InputError: `words` name a preset that does not exist.
        """
        return None
