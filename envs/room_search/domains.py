"""Where an agent learns to search rooms, and where it then has to."""

from darla.envs.domains.domain import Domain
from darla.envs.domains.specs import Choice
from darla.envs.domains.transfer_task import Leak, TransferTask, leak_level
from darla.envs.worlds.room_search import HUE_NAMES, ROOM_SEARCH

_EVERY = {name: Choice(factor.choices) for name, factor in ROOM_SEARCH.space.items()}
_HALF = len(HUE_NAMES) // 2


def rooms(name: str, **factors: Choice) -> Domain:
    """Return all rooms, but for factors that are given."""
    return Domain(name, ({**_EVERY, **factors},), world=ROOM_SEARCH)


UNLABELED = rooms("unlabeled")
"""Of which an encoder sees images (`darla collect rooms`)."""
SOURCE = rooms("source", floor=Choice(HUE_NAMES[:_HALF]))
TARGET = rooms("target", floor=Choice(HUE_NAMES[_HALF:]))
"""Rooms whose floors have hues that no policy has seen."""


def leak_of_target() -> Leak:
    """Return how much of the target encoder and policy were trained on."""
    task = TransferTask("room-search", UNLABELED, SOURCE, SOURCE, {TARGET.name: TARGET})
    return leak_level(task, TARGET.name)
