"""The factors of a domain: what may differ between source and target while the task stays the same.

A *factor* is one named generative variable, a *context* a value for every factor. Everything that decides how a
SeekAvoid world looks is a factor; where things stand is the state of an episode and no factor.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from darla.common import InputError, unknown_name

Value = float | str


@dataclass(frozen=True)
class Factor:
    """One named, typed and bounded variable."""

    name: str
    kind: Literal["continuous", "circular", "discrete"]
    """`circular` values are taken modulo 1."""
    default: Value
    low: float = 0.0
    """Smallest value of a continuous factor, in `unit`."""
    high: float = 1.0
    """Largest value of a continuous factor, in `unit`."""
    choices: tuple[str, ...] = ()
    """Every value of a discrete factor."""
    unit: str = "1"
    about: str = ""

    def check(self, value: object) -> Value:
        """Return `value` in its canonical form.

        Raises:
            InputError: it has the wrong type or lies outside the bounds.
        """
        if self.kind == "discrete":
            if value not in self.choices:
                raise unknown_name(f"value of factor {self.name!r}:", str(value), self.choices)
            return str(value)
        if isinstance(value, bool | str) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"factor {self.name!r} is {value!r}, but must be a finite number")
        if self.kind == "circular":
            return float(value) % 1.0
        if not self.low - 1e-9 <= value <= self.high + 1e-9:
            raise InputError(
                f"factor {self.name!r} is {value!r}, but must lie in [{self.low:g}, {self.high:g}] {self.unit}"
            )
        return float(value)


def _surface(name: str, hue: float, saturation: float) -> tuple[Factor, ...]:
    # Rooms are muted and objects are not: every object stands out in every room that these bounds allow.
    return (
        Factor(f"{name}_hue", "circular", hue, about=f"hue of the {name}, a full turn of the colour wheel is 1"),
        Factor(f"{name}_saturation", "continuous", saturation, 0.0, 0.6, about=f"HSV saturation of the {name}"),
        Factor(f"{name}_value", "continuous", 0.62, 0.5, 0.75, about=f"HSV value of the {name}"),
    )


TEXTURES = ("plain", "brick", "wood", "concrete", "marble", "cinder", "stucco", "tiles")
"""Surfaces by name; all but `plain` are MiniWorld's pictures, tinted by hue, saturation and value."""

FACTORS: Mapping[str, Factor] = MappingProxyType(
    {
        factor.name: factor
        for factor in (
            *_surface("wall", 0.33, 0.45),
            *_surface("floor", 0.08, 0.45),
            *_surface("ceiling", 0.60, 0.10),
            Factor("wall_texture", "discrete", "plain", choices=TEXTURES, about="what the walls are made of"),
            Factor("floor_texture", "discrete", "plain", choices=TEXTURES, about="what the floor is made of"),
            Factor("object_set", "discrete", "A", choices=("A", "B"), about="which good and bad kind are about"),
            Factor("good_tint", "circular", 0.0, about="hue that good objects are tinted with"),
            Factor("bad_tint", "circular", 0.0, about="hue that bad objects are tinted with"),
            Factor("tint_strength", "continuous", 0.0, 0.0, 0.4, about="share of the tint in the objects' colour"),
            Factor(
                "light_level",
                "continuous",
                1.0,
                0.7,
                1.2,
                about="brightness of the light, direct and ambient",
            ),
            Factor("light_x", "continuous", 1.0, -2.0, 2.0, about="how far from the east the light comes"),
            Factor("light_z", "continuous", 1.0, -2.0, 2.0, about="how far from the south the light comes"),
            Factor("light_motion", "continuous", 0.0, 0.0, 1.0, about="radius of the circle that the light moves on"),
            Factor("camera_height", "continuous", 1.3, 1.2, 1.4, unit="m", about="height of the agent's eyes"),
            Factor("camera_pitch", "continuous", -22.0, -26.0, -18.0, unit="degrees", about="up is positive"),
            Factor("camera_fov", "continuous", 72.0, 66.0, 78.0, unit="degrees", about="vertical field of view"),
            Factor(
                "camera_jitter",
                "continuous",
                0.0,
                0.0,
                4.0,
                unit="degrees",
                about="sd of the camera's shake a step",
            ),
        )
    }
)
"""Every domain factor of SeekAvoid by name."""


def factor(name: str) -> Factor:
    """Return a factor by name.

    Raises:
        InputError: there is no such factor.
    """
    if name not in FACTORS:
        raise unknown_name("factor", name, FACTORS)
    return FACTORS[name]


class Context(Mapping[str, Value]):
    """A value for every factor; those not given take their default.

    Raises:
        InputError: an unknown factor, or a value outside its bounds.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        given = {name: factor(name).check(value) for name, value in (values or {}).items()}
        self._values: dict[str, Value] = {name: given.get(name, known.default) for name, known in FACTORS.items()}

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        told = {name: value for name, value in self._values.items() if value != FACTORS[name].default}
        return f"Context({told})"

    def number(self, name: str) -> float:
        """Return the value of a continuous or circular factor."""
        value = self._values[name]
        assert not isinstance(value, str), name
        return value

    def name(self, name: str) -> str:
        """Return the value of a discrete factor."""
        return str(self._values[name])

    def to_dict(self) -> dict[str, Value]:
        """Return all values as plain data."""
        return dict(self._values)
