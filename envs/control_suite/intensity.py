"""How far looks leave those of the source: the intensity of the Distracting Control Suite, as ranges of factors.

Stone et al. 2021 (arXiv 2101.02722; code: google-research/distracting_control, `suite_utils.py`) call 0.1 easy, 0.2
medium and 0.3 hard. At an intensity of s their camera turns by up to 90 s degrees and comes closer by 0.5 s or goes
away by 1.5 s of its distance; the ranges of the camera here are theirs, but it is never lowered. Their colors change
by up to s in red, green and blue. Here hue and brightness are the factors: hue turns by up to 5/3 s, so that hard is
any hue, and brightness changes by up to 4/3 s of itself. Their backgrounds grow in number; here they grow in strength
and speed, both of which are full from hard on.
"""

from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType

from darla.common import InputError, unknown_name
from darla.envs.control_suite.backgrounds import NUMBERS, PATTERNS
from darla.envs.domains.dependence import Component
from darla.envs.domains.specs import Choice, Spec, Uniform

EASY, MEDIUM, HARD = 0.1, 0.2, 0.3
"""The levels of the Distracting Control Suite."""
HIGHEST = 0.5
"""At which the camera's factors reach their bounds."""
_DIGITS = 3
"""Of the ends of ranges after the point, so that tables can show them whole."""


def distracted(
    kind: str, intensity: float, beyond: float = 0.0, numbers: tuple[float, float] = (0, NUMBERS - 1)
) -> tuple[Component, ...]:
    """Return components of a domain whose looks leave the source's by up to an intensity.

    Args:
        kind: `color`, `background`, `camera` or `all`.
        intensity: above 0, up to `HIGHEST`.
        beyond: intensity that is left out, so that two domains share no context. It holds for one factor of each kind:
            the body's hue, the strength of the background, the azimuth of the camera.
        numbers: first and last number of the drawn backgrounds.

    Raises:
        InputError: an unknown kind, or an intensity out of bounds.
    """
    if kind not in KINDS:
        raise unknown_name("kind of distraction:", kind, KINDS)
    if not 0.0 <= beyond < intensity <= HIGHEST:
        raise InputError(
            f"intensity is {intensity!r} and beyond is {beyond!r}, but 0 <= beyond < intensity <= {HIGHEST} is needed"
        )
    if kind != "all":
        return _OF_KIND[kind](intensity, beyond, numbers)
    each = (of_kind(intensity, beyond, numbers) for of_kind in _OF_KIND.values())
    return tuple({name: spec for part in parts for name, spec in part.items()} for parts in product(*each))


def _range(low: float, high: float) -> Uniform:
    return Uniform(round(low, _DIGITS), round(high, _DIGITS))


def _color(intensity: float, beyond: float, _: tuple[float, float]) -> tuple[Component, ...]:
    turn, least, brightness = _turn(intensity), _turn(beyond), 4 / 3 * intensity
    hue, change = _range(1 - turn, 1 + turn), _range(1 - brightness, 1 + brightness)
    others: dict[str, Spec] = {
        "body_brightness": change,
        "ground_hue": hue,
        "ground_brightness": change,
        "sky_hue": hue,
        "sky_brightness": change,
        "light_level": _range(1 - intensity, 1 + intensity),
        "light_angle": _range(-150 * intensity, 150 * intensity),
    }
    sides = (hue,) if beyond == 0 else (_range(1 - turn, 1 - least), _range(1 + least, 1 + turn))
    return tuple({"body_hue": side, **others} for side in sides)


def _turn(intensity: float) -> float:
    return min(0.5, 5 / 3 * intensity)


def _background(intensity: float, beyond: float, numbers: tuple[float, float]) -> tuple[Component, ...]:
    share = min(1.0, intensity / HARD)
    return (
        {
            "background": Choice(PATTERNS),
            "background_number": Uniform(*numbers),
            "background_strength": _range(beyond / HARD, share),
            "background_motion": _range(0.0, share),
        },
    )


def _camera(intensity: float, beyond: float, _: tuple[float, float]) -> tuple[Component, ...]:
    most, least = 90 * intensity, 90 * beyond
    others: dict[str, Spec] = {
        "camera_elevation": _range(0.0, most),
        "camera_roll": _range(-most, most),
        "camera_distance": _range(1 - 0.5 * intensity, 1 + 1.5 * intensity),
    }
    sides = (_range(-most, most),) if beyond == 0 else (_range(-most, -least), _range(least, most))
    return tuple({"camera_azimuth": side, **others} for side in sides)


_OF_KIND: Mapping[str, Callable[[float, float, tuple[float, float]], tuple[Component, ...]]] = MappingProxyType(
    {"color": _color, "background": _background, "camera": _camera}
)
KINDS = (*_OF_KIND, "all")
"""What can be distracting; `all` is the three together."""
