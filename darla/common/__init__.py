"""What every part of darla uses: errors, files, artefacts, seeds, progress, threads, processes, jobs."""

from typing import TYPE_CHECKING

from darla.common.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from darla.common.artefact import Artefact as Artefact
    from darla.common.artefact import complete_artefact as complete_artefact
    from darla.common.artefact import is_complete as is_complete
    from darla.common.artefact import note_packages as note_packages
    from darla.common.artefact import open_artefact as open_artefact
    from darla.common.artefact import start_artefact as start_artefact
    from darla.common.artefact import writes_nothing_if_refused as writes_nothing_if_refused
    from darla.common.errors import ArtefactError as ArtefactError
    from darla.common.errors import DarlaError as DarlaError
    from darla.common.errors import InputError as InputError
    from darla.common.errors import TrainingDivergedError as TrainingDivergedError
    from darla.common.errors import UserCodeError as UserCodeError
    from darla.common.errors import WorkerDiedError as WorkerDiedError
    from darla.common.errors import unknown_name as unknown_name
    from darla.common.errors import user_code_error as user_code_error
    from darla.common.progress import Progress as Progress
    from darla.common.seeding import rng_for as rng_for
    from darla.common.seeding import seed_for as seed_for
    from darla.common.threads import default_threads as default_threads
    from darla.common.threads import limit_threads as limit_threads
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__)
