"""The transfer tasks that darla knows, as data; `register` adds one's own.

A task names D_U (what the unlabelled frames are drawn from), D_S (where the policy trains), the source's validation
split, contexts for choosing between encoders, and its targets. How much of a target the learners have met is computed
from these domains (`leak_level`).
"""

from collections.abc import Mapping
from typing import Any

from darla.common import InputError, unknown_name
from darla.envs.domains.domain import Choice, Component, Domain, EnvDomain, Uniform
from darla.envs.domains.transfer_task import Leak, TransferTask, leak_level

__all__ = [
    "CAR_RACING",
    "ROOM_1",
    "ROOM_2",
    "Leak",
    "TransferTask",
    "environment_task",
    "get",
    "leak_level",
    "names",
    "register",
]

# The three hue tasks share D_U, source and validation, so that one encoder and one policy answer all of them. D_U shows
# every hue but the band [0.70, 0.90] (blue violet to pink), which is kept for `unseen`.

ROOM_1: Component = {"wall_hue": 0.33, "floor_hue": 0.08}
"""Green walls and an orange floor, as the original room of DeepMind Lab's level."""
ROOM_2: Component = {"wall_hue": 0.00, "floor_hue": 0.60}
"""Red walls and a blue floor, as its replaced room."""
_SHOWN_HUES = Uniform(0.90, 1.70)
_BOTH = Choice(("A", "B"))

_SOURCE_PARTS: tuple[Component, ...] = (
    {**ROOM_1, "object_set": "A"},
    {**ROOM_1, "object_set": "B"},
    {**ROOM_2, "object_set": "B"},
)
_SOURCE = Domain("source", _SOURCE_PARTS)
_VALIDATION = Domain("validation", _SOURCE_PARTS)
_COLOURS: Component = {"wall_hue": _SHOWN_HUES, "floor_hue": _SHOWN_HUES, "object_set": _BOTH}
_UNLABELLED = Domain("unlabelled", (_COLOURS,))
_SELECTION = Domain(
    "selection",
    (
        {"wall_hue": 0.47, "floor_hue": 0.00, "object_set": _BOTH},
        {"wall_hue": 0.17, "floor_hue": 0.33, "object_set": _BOTH},
    ),
)


_ONE_ROOM: tuple[Component, ...] = ({**ROOM_1, "object_set": "A"}, {**ROOM_1, "object_set": "B"})


def _target(name: str, **factors: Any) -> Domain:
    return Domain(name, (factors,))


def _hue_task(name: str, about: str, *targets: Domain) -> TransferTask:
    named = {target.name: target for target in targets}
    return TransferTask(name, _UNLABELLED, _SOURCE, _VALIDATION, named, _SELECTION, about)


_TEXTURED = Choice(("brick", "wood", "concrete", "marble", "cinder", "stucco", "tiles"))
_MOVING: Component = {
    "light_level": Uniform(0.7, 1.2),
    "light_x": Uniform(-2.0, 2.0),
    "light_z": Uniform(-2.0, 2.0),
    "light_motion": Uniform(0.2, 1.0),
}
_SHAKING: Component = {
    "camera_height": Uniform(1.2, 1.4),
    "camera_pitch": Uniform(-26.0, -18.0),
    "camera_fov": Uniform(66.0, 78.0),
    "camera_jitter": Uniform(1.0, 3.0),
}
_SURFACES: Component = {"wall_texture": _TEXTURED, "floor_texture": _TEXTURED}


CAR_RACING = "darla/CarRacing-v0"
"""Gymnasium's CarRacing in colours by name (`darla.envs.car_racing.env`)."""


def _sim2sim() -> TransferTask:
    plain, real = dict(_COLOURS), {**_COLOURS, **_SURFACES, **_MOVING, **_SHAKING}
    targets = (
        Domain("textures", tuple({**part, **_SURFACES} for part in _SOURCE_PARTS)),
        Domain("light", tuple({**part, **_MOVING} for part in _SOURCE_PARTS)),
        Domain("camera", tuple({**part, **_SHAKING} for part in _SOURCE_PARTS)),
        Domain(
            "textures, light and camera",
            tuple({**part, **_SURFACES, **_MOVING, **_SHAKING} for part in _SOURCE_PARTS),
        ),
    )
    selection = Domain(
        "selection", ({"wall_hue": 0.47, "floor_hue": 0.00, "object_set": _BOTH, **_SURFACES, **_MOVING},)
    )
    return TransferTask(
        "sim2sim",
        Domain("unlabelled", (plain, real)),
        _SOURCE,
        _VALIDATION,
        {target.name: target for target in targets},
        selection,
        "from plain colours, a fixed light and a fixed camera to textures, a moving light and a shaking camera",
    )


def _cars(name: str, *looks: tuple[str, str, str]) -> EnvDomain:
    """Return a domain of CarRacing in some looks, each the colours of grass, car and road."""
    return EnvDomain(name, CAR_RACING, tuple({"grass": grass, "car": car, "road": road} for grass, car, road in looks))


def _car_racing() -> TransferTask:
    own = ("green", "red", "grey")
    shown = (
        ("yellow", "cyan", "grey"),
        ("salmon", "green", "slate"),
        ("teal", "orange", "grey"),
        ("blue", "pink", "grey"),
    )
    targets = {f"{grass} grass, {car} car": (grass, car, road) for grass, car, road in shown}
    targets["mint grass"] = ("mint", "red", "grey")
    return TransferTask(
        "car-racing",
        _cars("unlabelled", own, *shown),
        _cars("source", own),
        _cars("validation", own),
        {name: _cars(name, look) for name, look in targets.items()},
        _cars("selection", ("yellow", "orange", "slate"), ("blue", "green", "grey")),
        "CarRacing in colours of LUSR's benchmark: four looks that the encoder has been shown, and one that it has not",
    )


_BUILTIN = (
    _hue_task(
        "conjunction",
        "source: set A in room 1, set B in rooms 1 and 2; target: set A in room 2",
        _target("A in room 2", **ROOM_2, object_set="A"),
    ),
    _hue_task(
        "recolour",
        "hues that the encoder has been shown and the policy has not",
        _target("any hues, A", wall_hue=_SHOWN_HUES, floor_hue=_SHOWN_HUES, object_set="A"),
        _target("any hues, B", wall_hue=_SHOWN_HUES, floor_hue=_SHOWN_HUES, object_set="B"),
        _target("yellow on teal, A and B", wall_hue=0.13, floor_hue=0.45, object_set=_BOTH),
    ),
    _hue_task(
        "unseen",
        "hues that neither the encoder nor the policy has been shown",
        _target("violet walls, A and B", wall_hue=0.78, floor_hue=0.08, object_set=_BOTH),
        _target("violet on pink, A and B", wall_hue=0.75, floor_hue=0.85, object_set=_BOTH),
    ),
    TransferTask(
        "new_room",
        _UNLABELLED,
        Domain("source", _ONE_ROOM),
        Domain("validation", _ONE_ROOM),
        {
            "room 2, A and B": _target("room 2, A and B", **ROOM_2, object_set=_BOTH),
            "any hues, A and B": _target(
                "any hues, A and B", wall_hue=_SHOWN_HUES, floor_hue=_SHOWN_HUES, object_set=_BOTH
            ),
        },
        _SELECTION,
        "from one room, the only one that the policy meets, to rooms of other hues",
    ),
    _sim2sim(),
    _car_racing(),
)
_TASKS: dict[str, TransferTask] = {task.name: task for task in _BUILTIN}


def names() -> tuple[str, ...]:
    """Return the names of all known tasks."""
    return tuple(_TASKS)


def get(name: str) -> TransferTask:
    """Return a task by name.

    Raises:
        InputError: there is no such task.
    """
    if name not in _TASKS:
        raise unknown_name("task", name, _TASKS)
    return _TASKS[name]


def register(task: TransferTask) -> TransferTask:
    """Make a task of one's own known by its name, and return it.

    Raises:
        InputError: another task has that name.
    """
    if task.name in _TASKS and _TASKS[task.name] != task:
        raise InputError(f"there is a task {task.name!r} already; choose another name")
    _TASKS[task.name] = task
    return task


def environment_task(
    name: str,
    unlabelled: tuple[str, Mapping[str, Any]] | EnvDomain,
    source: tuple[str, Mapping[str, Any]] | EnvDomain,
    targets: Mapping[str, tuple[str, Mapping[str, Any]] | EnvDomain],
) -> TransferTask:
    """Make a task of any Gymnasium environment that shows images.

    Args:
        name: what to call it.
        unlabelled: environment id and keyword arguments of D_U.
        source: the same for D_S.
        targets: the same for each target, by name.
    """

    def domain(role: str, given: tuple[str, Mapping[str, Any]] | EnvDomain) -> EnvDomain:
        return given if isinstance(given, EnvDomain) else EnvDomain(role, given[0], (dict(given[1]),))

    aims = {aim: domain(aim, given) for aim, given in targets.items()}
    start = domain("source", source)
    validation = EnvDomain("validation", start.env_id, start.variants)
    return TransferTask(name, domain("unlabelled", unlabelled), start, validation, aims)
