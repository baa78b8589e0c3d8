"""The one list of kinds."""

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
    return [*inputs, *accidents, *(disks.REAL if disks.can_mount() else ())]
