"""The transfer task of CarRacing, as data."""

from darla.envs.domains.domain import Domain
from darla.envs.domains.tasks import TASKS
from darla.envs.domains.transfer_task import TransferTask
from darla.envs.worlds.car_racing import CAR_RACING

Look = tuple[str, str, str]
"""Named colors of grass, car and road."""

_OWN: Look = ("green", "red", "gray")
"""CarRacing's own colors."""
_UNLABELED: tuple[Look, ...] = (
    ("yellow", "cyan", "gray"),
    ("salmon", "green", "slate"),
    ("teal", "orange", "gray"),
    ("blue", "pink", "gray"),
)


def _domain(name: str, *looks: Look) -> Domain:
    components = tuple({"grass": grass, "car": car, "road": road} for grass, car, road in looks)
    return Domain(name, components, world=CAR_RACING)


_TARGETS = {f"{look[0]} grass, {look[1]} car": look for look in _UNLABELED} | {"mint grass": ("mint", "red", "gray")}

TASKS.register("car-racing")(
    TransferTask(
        "car-racing",
        _domain("unlabeled", _OWN, *_UNLABELED),
        _domain("source", _OWN),
        _domain("validation", _OWN),
        {name: _domain(name, look) for name, look in _TARGETS.items()},
        _domain("selection", ("yellow", "orange", "slate"), ("blue", "green", "gray")),
        "CarRacing in colors of LUSR's benchmark: four looks that D_U has, and one that it has not",
    )
)
