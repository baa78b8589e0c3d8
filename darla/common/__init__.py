"""What every part of darla uses: errors, files, artefacts, seeds, progress, threads, processes, jobs."""

from darla.common.artefact import Artefact, begin, finish, is_complete
from darla.common.errors import InputError, unknown_name
from darla.common.progress import Progress
from darla.common.seeding import rng_for, seed_for
from darla.common.threads import default_threads, limit_threads

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
