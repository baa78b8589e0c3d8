"""What every part of darla stands on: errors, files, artefacts, seeds, progress, threads."""

from darla.base.artefact import Artefact, begin, finish, is_complete
from darla.base.errors import InputError, unknown_name
from darla.base.progress import Progress
from darla.base.seeding import rng_for, seed_for
from darla.base.threads import default_threads, limit_threads

__all__ = [
    "Artefact",
    "InputError",
    "Progress",
    "begin",
    "default_threads",
    "finish",
    "is_complete",
    "limit_threads",
    "rng_for",
    "seed_for",
    "unknown_name",
]
