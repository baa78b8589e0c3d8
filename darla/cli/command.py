"""What every command of the command line has in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self


class Command(ABC):
    """The options of a verb, as the fields of a dataclass that tyro fills, and the work that they describe."""

    at_least_one: ClassVar[Sequence[str]] = ()
    """Positional arguments of which several may be given, and one must be; tyro would accept none."""
    positional: ClassVar[int] = 0
    """Positional arguments before those."""

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
