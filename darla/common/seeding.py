"""One master seed, and a named stream below it for everything random.

A stream depends on its name alone, not on the order in which streams are created. So a new consumer changes no other
stream, and the order of frames, episodes or workers does not matter.
"""

import hashlib
from typing import Any

import numpy as np

from darla.common.errors import InputError


def _sequence(master: Any, names: tuple[str | int, ...]) -> np.random.SeedSequence:
    if isinstance(master, bool) or not isinstance(master, int | np.integer) or master < 0:
        raise InputError(f"seed is {master!r}, but must be a whole number that is not negative")
    digest = hashlib.sha256("/".join(f"{type(name).__name__}:{name}" for name in names).encode()).digest()
    key = tuple(int(word) for word in np.frombuffer(digest[:16], dtype="<u4"))
    return np.random.SeedSequence(master, spawn_key=key)


def seed_for(master: int, *names: str | int) -> int:
    """Return the 32-bit seed of the stream `names` under `master`.

    Args:
        master: the run's master seed, not negative.
        *names: the path of the stream, such as `"evaluation", "target A", 17`.

    Raises:
        InputError: the master seed is negative, or no whole number.
    """
    return int(_sequence(master, names).generate_state(1, np.uint32)[0])


def rng_for(master: int, *names: str | int) -> np.random.Generator:
    """Return a new generator for the stream `names` under `master`; raises as `seed_for` does."""
    return np.random.Generator(np.random.PCG64(_sequence(master, names)))
