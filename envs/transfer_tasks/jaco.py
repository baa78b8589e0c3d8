"""The transfer task of the Jaco arm, as data."""

from darla.envs.control_suite.backgrounds import PATTERNS
from darla.envs.domains.dependence import Component
from darla.envs.domains.domain import Domain
from darla.envs.domains.specs import Choice, Uniform
from darla.envs.domains.tasks import TASKS
from darla.envs.domains.transfer_task import TransferTask
from darla.envs.worlds.jaco import JACO

_ANY = Uniform(0.0, 1.0)
_COLORS: Component = {
    "arm_hue": _ANY,
    "arm_saturation": Uniform(0.5, 0.9),
    "arm_brightness": Uniform(1.0, 5.0),
    "object_hue": _ANY,
    "table_hue": _ANY,
    "table_brightness": Uniform(0.7, 1.67),
}
_LIGHT: Component = {"light_level": Uniform(0.6, 1.3), "light_angle": Uniform(-60.0, 60.0)}
_CAMERA: Component = {
    "camera_azimuth": Uniform(-20.0, 20.0),
    "camera_elevation": Uniform(0.0, 15.0),
    "camera_roll": Uniform(-10.0, 10.0),
    "camera_distance": Uniform(0.9, 1.2),
}


def _textures(first: int, last: int) -> Component:
    # No drawing of D_U is in a target, nor one of either in the selection.
    return {"table_texture": Choice(PATTERNS), "table_texture_number": Uniform(first, last)}


def _domain(name: str, *components: Component) -> Domain:
    return Domain(name, components or ({},), world=JACO)


_TARGETS = {
    "colors": _domain("colors", _COLORS),
    "light": _domain("light", _LIGHT),
    "camera": _domain("camera", _CAMERA),
    # As the paper's real arm: other surfaces, light and camera at once, and the colors of the source.
    "sim2sim": _domain("sim2sim", {**_textures(600, 999), **_LIGHT, **_CAMERA}),
}

TASKS.register("jaco-reach")(
    TransferTask(
        "jaco-reach",
        _domain("unlabeled", _COLORS, {**_COLORS, **_textures(0, 499), **_LIGHT, **_CAMERA}),
        _domain("source"),
        _domain("validation"),
        _TARGETS,
        _domain(
            "selection", {"arm_hue": 0.6, "arm_saturation": 0.3, "object_hue": 0.3, **_textures(500, 599), **_LIGHT}
        ),
        "reaching with a Jaco arm: other colors, light and camera, and a table with textures",
    )
)
