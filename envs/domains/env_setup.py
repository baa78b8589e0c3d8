"""What is done to an environment after it was made: wrappers, frame skip, the form of its images, frame stack, options.

Values are plain data, as JSON has them. What JSON cannot write is an object: `{"tuple": [8, 8]}` is a tuple,
`{"array": [255, 0, 0], "dtype": "uint8"}` an array of NumPy, `{"import": "my_module:name"}` what a module defines under
that name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np

from darla.common import InputError, unknown_name
from darla.common.checked_config import CheckedConfig

Fit = Literal["stretch", "pad", "crop"]
FITS: tuple[Fit, ...] = ("stretch", "pad", "crop")
_LARGEST_SIDE, _MOST_FRAMES = 4096, 64


@dataclass(frozen=True)
class EnvSetup(CheckedConfig):
    """What is done to an environment after it was made, in the order of the fields.

    Raises:
        InputError: a value that cannot be used.
    """

    wrappers: tuple[Any, ...] = ()
    """Wrappers, the innermost first: `module:Class`, or `{"wrapper": "module:Class", "arguments": {...}}`."""
    frame_skip: int = 1
    """Environment steps that one action lasts; their rewards are added, and the last image is shown."""
    observation_key: str = ""
    """Which entry of a dictionary of observations is the image; `a/b` is entry `b` of entry `a`."""
    channels_first: bool = False
    """Whether the environment shows (channels, height, width); it is turned into (height, width, channels)."""
    grayscale: bool = False
    """Whether an image in color becomes one of one channel (luma of ITU-R 601)."""
    resize: tuple[int, int] | None = None
    """Height and width of the images; one number in JSON for both. None leaves their size as it is."""
    fit: Fit = "stretch"
    """How an image gets that size: `stretch` changes its proportions, `pad` adds black borders, `crop` cuts the edges
    off. `pad` and `crop` never enlarge an image."""
    frame_stack: int = 1
    """How many successive images become one, along the channels, the newest last; an episode starts with copies of its
    first."""
    reset_options: Mapping[str, Any] = field(default_factory=dict)
    """Options of every `reset`."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be used, and bring wrappers into one form."""
        object.__setattr__(self, "wrappers", tuple(map(_wrapping, self.wrappers)))
        object.__setattr__(self, "reset_options", plain(dict(self.reset_options), "reset_options"))
        if self.fit not in FITS:
            raise unknown_name("value of fit:", str(self.fit), FITS)
        if self.fit != "stretch" and self.resize is None:
            raise InputError(f"fit {self.fit!r} would be ignored: it says how an image gets the size of 'resize'")
        if self.resize is not None and not all(1 <= side <= _LARGEST_SIDE for side in self.resize):
            raise InputError(f"resize is {list(self.resize)}, but sides must be from 1 to {_LARGEST_SIDE} pixels")
        for name in ("frame_skip", "frame_stack"):
            if not 1 <= getattr(self, name) <= _MOST_FRAMES:
                raise InputError(f"{name} is {getattr(self, name)}, but must be from 1 to {_MOST_FRAMES}")

    def to_dict(self) -> dict[str, Any]:
        """Return the parts that differ from doing nothing, as plain data; `from_dict` reads it back."""
        return {each.name: _listed(getattr(self, each.name)) for each in fields(self)
                if getattr(self, each.name) != getattr(_NOTHING, each.name)}  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], base: "EnvSetup | None" = None) -> "EnvSetup":
        """Build a setup from plain data.

        Args:
            data: parts of a setup by name.
            base: what the setup adds to: its wrappers come first, reset options are merged, other parts are replaced.

        Raises:
            InputError: an unknown part, or a value that cannot be used.
        """
        base = base or cls()
        for name in data:
            if name not in SETUP_PARTS:
                raise unknown_name("part of a setup:", str(name), SETUP_PARTS)
        parts = dict(data)
        # In the words of JSON; the types of the fields are those of Python.
        if not isinstance(parts.get("wrappers", []), list | tuple):
            raise InputError(f"wrappers is {parts['wrappers']!r}, but must be a list of wrappers")
        if not isinstance(parts.get("resize"), list | tuple | int | None):
            raise InputError(f"resize is {parts['resize']!r}, but must be [height, width], or one number for both")
        if isinstance(parts.get("resize"), int) and not isinstance(parts["resize"], bool):
            parts["resize"] = (parts["resize"], parts["resize"])
        if isinstance(parts.get("reset_options"), Mapping):
            parts["reset_options"] = {**base.reset_options, **parts["reset_options"]}
        if isinstance(parts.get("wrappers"), list | tuple):
            parts["wrappers"] = (*base.wrappers, *parts["wrappers"])
        return replace(base, **parts)

    def values(self) -> dict[str, Any]:
        """Return what differs from doing nothing, as values by name: wrappers by their class and argument."""
        named: dict[str, Any] = {}
        for wrapping in self.wrappers:
            name = wrapping["wrapper"].rpartition(":")[2]
            if name in named:  # the same wrapper again
                name += f" {sum(other.split()[0] == name for other in named if '.' not in other) + 1}"
            named[name] = "yes"
            named |= {f"{name}.{argument}": value for argument, value in wrapping.get("arguments", {}).items()}
        named |= {f"reset.{name}": value for name, value in self.reset_options.items()}
        return named | {name: value for name, value in self.to_dict().items()
                        if name not in ("wrappers", "reset_options")}  # fmt: skip


def plain(value: Any, where: str) -> Any:
    """Return a value as JSON can write it: a tuple becomes `{"tuple": [...]}`, an array one of numbers and its type.

    Raises:
        InputError: it is no plain data.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: plain(part, f"{where}: {key}") for key, part in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, tuple):
        return {"tuple": [plain(part, where) for part in value]}
    if isinstance(value, list):
        return [plain(part, where) for part in value]
    raise InputError(
        f"{where} is {value!r}, but must be plain data, which artefacts can hold; a function or class is named by "
        '{"import": "module:name"}'
    )


def _wrapping(data: Any) -> dict[str, Any]:
    """Return a wrapper as an object with its import path, and its arguments if it has any."""
    if isinstance(data, str):
        data = {"wrapper": data}
    if not isinstance(data, Mapping) or not isinstance(data.get("wrapper"), str):
        raise InputError(
            f"wrapper {data!r} cannot be used: write 'module:Class', or an object with 'wrapper' and 'arguments'"
        )
    for name in data:
        if name not in ("wrapper", "arguments"):
            raise unknown_name("part of a wrapper:", str(name), ("wrapper", "arguments"))
    path, arguments = data["wrapper"], data.get("arguments", {})
    if not path.partition(":")[2]:
        raise InputError(f"wrapper {path!r} cannot be used: it is named by its import path, module:Class")
    if not isinstance(arguments, Mapping):
        raise InputError(f"the arguments of wrapper {path!r} are {arguments!r}, but must be an object")
    return {"wrapper": path, **({"arguments": plain(dict(arguments), path)} if arguments else {})}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


SETUP_PARTS = tuple(each.name for each in fields(EnvSetup))
_NOTHING = EnvSetup()
