"""The one list of kinds."""

from importlib.util import find_spec

import alterations
import arguments
import clocks
import disks
import kills
import options
import signals
import tasks_in_files
import together
from trials import Kind


def kinds() -> list[Kind]:
    """Return every kind that this machine can try."""
    inputs = [*options.KINDS, *tasks_in_files.KINDS, *arguments.KINDS, *alterations.KINDS]
    accidents = [*kills.KINDS, *signals.KINDS, *disks.KINDS, *together.KINDS, *clocks.KINDS]
    more = [*(disks.REAL if disks.can_mount() else ()), *(kills.RAY if find_spec("ray") else ())]
    return [*inputs, *accidents, *more]
