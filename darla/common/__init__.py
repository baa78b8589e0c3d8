"""What every part of darla uses: errors, files, artefacts, seeds, progress, threads, processes, jobs."""

from darla.common.artefact import Artefact, complete_artefact, is_complete, start_artefact
from darla.common.errors import (
    ArtefactError,
    DarlaError,
    InputError,
    TrainingDivergedError,
    WorkerDiedError,
    unknown_name,
)
from darla.common.progress import Progress
from darla.common.seeding import rng_for, seed_for
from darla.common.threads import default_threads, limit_threads

__all__ = [
    "Artefact",
    "ArtefactError",
    "DarlaError",
    "InputError",
    "Progress",
    "TrainingDivergedError",
    "WorkerDiedError",
    "complete_artefact",
    "default_threads",
    "is_complete",
    "limit_threads",
    "rng_for",
    "seed_for",
    "start_artefact",
    "unknown_name",
]
