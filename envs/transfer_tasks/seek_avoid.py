"""The transfer tasks of SeekAvoid, as data."""

from typing import Any

from darla.envs.domains.axes import axes_task
from darla.envs.domains.dependence import Component
from darla.envs.domains.domain import Domain
from darla.envs.domains.specs import Choice, Given, Uniform
from darla.envs.domains.tasks import TASKS
from darla.envs.domains.transfer_task import TransferTask
from darla.envs.worlds.seek_avoid import SEEK_AVOID


def _domain(name: str, *components: Component) -> Domain:
    return Domain(name, components, world=SEEK_AVOID)


# The three hue tasks share D_U, source and validation, so that one encoder and one policy serve all of them. D_U shows
# every hue but the band [0.70, 0.90] (blue violet to pink), which is left for `unseen`.

ROOM_1: Component = {"wall_hue": 0.33, "floor_hue": 0.08}
"""Green walls and an orange floor, as the original room of DeepMind Lab's level."""
ROOM_2: Component = {"wall_hue": 0.00, "floor_hue": 0.60}
"""Red walls and a blue floor, as its replaced room."""
_UNLABELED_HUES = Uniform(0.90, 1.70)
_BOTH = Choice(("A", "B"))

_SOURCE_PARTS: tuple[Component, ...] = (
    {**ROOM_1, "object_set": "A"},
    {**ROOM_1, "object_set": "B"},
    {**ROOM_2, "object_set": "B"},
)
_SOURCE = _domain("source", *_SOURCE_PARTS)
_VALIDATION = _domain("validation", *_SOURCE_PARTS)
_COLORS: Component = {"wall_hue": _UNLABELED_HUES, "floor_hue": _UNLABELED_HUES, "object_set": _BOTH}
_UNLABELED = _domain("unlabeled", _COLORS)
_SELECTION = _domain(
    "selection",
    {"wall_hue": 0.47, "floor_hue": 0.00, "object_set": _BOTH},
    {"wall_hue": 0.17, "floor_hue": 0.33, "object_set": _BOTH},
)


_TOGETHER = 0.9
"""Correlation of an object's tint with its kind in the source of `correlated`."""
_TINTED: Component = {"tint_strength": 0.4}

_ONE_ROOM: tuple[Component, ...] = ({**ROOM_1, "object_set": "A"}, {**ROOM_1, "object_set": "B"})


def _target(name: str, **factors: Any) -> Domain:
    return _domain(name, factors)


def _hue_task(name: str, about: str, *targets: Domain) -> TransferTask:
    named = {target.name: target for target in targets}
    return TransferTask(name, _UNLABELED, _SOURCE, _VALIDATION, named, _SELECTION, about)


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


def _sim2sim() -> TransferTask:
    plain, real = dict(_COLORS), {**_COLORS, **_SURFACES, **_MOVING, **_SHAKING}
    targets = (
        _domain("textures", *({**part, **_SURFACES} for part in _SOURCE_PARTS)),
        _domain("light", *({**part, **_MOVING} for part in _SOURCE_PARTS)),
        _domain("camera", *({**part, **_SHAKING} for part in _SOURCE_PARTS)),
        _domain(
            "textures, light and camera",
            *({**part, **_SURFACES, **_MOVING, **_SHAKING} for part in _SOURCE_PARTS),
        ),
    )
    selection = _domain("selection", {"wall_hue": 0.47, "floor_hue": 0.00, "object_set": _BOTH, **_SURFACES, **_MOVING})
    return TransferTask(
        "sim2sim",
        _domain("unlabeled", plain, real),
        _SOURCE,
        _VALIDATION,
        {target.name: target for target in targets},
        selection,
        "from plain colors, a fixed light and a fixed camera to textures, a moving light and a shaking camera",
    )


_GREEN, _RED = 0.33, 0.0


def _tints(good_of_a: float, bad_of_a: float) -> Component:
    """Return tints of which each goes with one kind of object, the two of set B the other way round."""
    good = Given("object_set", (("A", good_of_a), ("B", bad_of_a)), _TOGETHER)
    bad = Given("object_set", (("A", bad_of_a), ("B", good_of_a)), _TOGETHER)
    return {"object_set": _BOTH, "good_tint": good, "bad_tint": bad, **_TINTED}


def _correlated() -> TransferTask:
    either, every = Choice((_GREEN, _RED)), Uniform(0.0, 1.0)
    together = {**ROOM_1, **_tints(_GREEN, _RED)}
    targets = (
        _domain("uncorrelated", {**ROOM_1, "object_set": _BOTH, "good_tint": either, "bad_tint": either, **_TINTED}),
        _domain("reversed", {**ROOM_1, **_tints(_RED, _GREEN)}),
    )
    return TransferTask(
        "correlated",
        _domain("unlabeled", {**_COLORS, "good_tint": every, "bad_tint": every, **_TINTED}),
        _domain("source", together),
        _domain("validation", together),
        {target.name: target for target in targets},
        about="a tint that goes with each kind of object in the source, and with none or with another in the targets",
    )


for _task in (
    _hue_task(
        "conjunction",
        "source: set A in room 1, set B in rooms 1 and 2; target: set A in room 2",
        _target("A in room 2", **ROOM_2, object_set="A"),
    ),
    _hue_task(
        "recolor",
        "hues that D_U has and the source has not",
        _target("any hues, A", wall_hue=_UNLABELED_HUES, floor_hue=_UNLABELED_HUES, object_set="A"),
        _target("any hues, B", wall_hue=_UNLABELED_HUES, floor_hue=_UNLABELED_HUES, object_set="B"),
        _target("yellow on teal, A and B", wall_hue=0.13, floor_hue=0.45, object_set=_BOTH),
    ),
    _hue_task(
        "unseen",
        "hues that neither D_U nor the source has",
        _target("violet walls, A and B", wall_hue=0.78, floor_hue=0.08, object_set=_BOTH),
        _target("violet on pink, A and B", wall_hue=0.75, floor_hue=0.85, object_set=_BOTH),
    ),
    TransferTask(
        "new_room",
        _UNLABELED,
        _domain("source", *_ONE_ROOM),
        _domain("validation", *_ONE_ROOM),
        {
            "room 2, A and B": _target("room 2, A and B", **ROOM_2, object_set=_BOTH),
            "any hues, A and B": _target(
                "any hues, A and B", wall_hue=_UNLABELED_HUES, floor_hue=_UNLABELED_HUES, object_set=_BOTH
            ),
        },
        _SELECTION,
        "from one room, the only one that the policy is trained in, to rooms of other hues",
    ),
    _sim2sim(),
    _correlated(),
    # Without a tint in the source, the hue of a tint could leave it and nothing would be seen of that.
    axes_task(
        SEEK_AVOID,
        _domain("source", {"tint_strength": 0.2}),
        name="axes",
        about="one of the 23 factors at a time leaves the source's values; D_U has every value of each",
    ),
):
    TASKS.register(_task.name)(_task)
