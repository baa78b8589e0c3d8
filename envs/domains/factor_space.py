"""Factor spaces: what may differ between the domains of a world while the task stays the same.

A *factor* is one named generative variable, a *factor space* all factors of a world, a *context* a value for each of
them. What changes from episode to episode within a domain, such as where things stand, is state and no factor.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from darla.common import InputError, unknown_name

Value = float | str
Kind = Literal["continuous", "circular", "discrete"]
KINDS: tuple[Kind, ...] = ("continuous", "circular", "discrete")

_ROUNDING = 1e-9
"""How far outside its bounds a value may lie through rounding."""


@dataclass(frozen=True)
class Factor:
    """One named, typed and bounded variable.

    Raises:
        InputError: the bounds, choices and default do not fit each other.
    """

    name: str
    kind: Kind
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
    needs: str = field(default="", compare=False)
    """Name of a continuous factor without which this one does not show: where that one is 0, images are the same
    whatever this one is. It is no part of the record (`FactorSpace.to_list`)."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown_name(f"kind of factor {self.name!r}:", str(self.kind), KINDS)
        if (self.kind == "discrete") != bool(self.choices):
            raise InputError(
                f"factor {self.name!r} is {self.kind} and has the choices {self.choices}; a discrete factor needs"
                " choices, others have none"
            )
        if not self.low < self.high:
            raise InputError(f"factor {self.name!r} has the bounds [{self.low}, {self.high}]; low must be below high")
        object.__setattr__(self, "default", self.check(self.default))

    def check(self, value: object) -> Value:
        """Return `value` in its canonical form: a float within the bounds, or one of the choices.

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
        if not self.low - _ROUNDING <= value <= self.high + _ROUNDING:
            raise InputError(
                f"factor {self.name!r} is {value!r}, but must lie in [{self.low:g}, {self.high:g}] {self.unit}"
            )
        return float(value)

    def sample(self, rng: np.random.Generator) -> Value:
        """Draw a value, each equally likely."""
        if self.kind == "discrete":
            return self.choices[int(rng.integers(len(self.choices)))]
        return float(rng.uniform(0.0, 1.0) if self.kind == "circular" else rng.uniform(self.low, self.high))


class FactorSpace(Mapping[str, Factor]):
    """The factors of a world by name, in a fixed order.

    Args:
        factors: in the order in which contexts list them and domains draw them.

    Raises:
        InputError: two factors have one name, or one needs a factor that is not there or not continuous.
    """

    def __init__(self, factors: Iterable[Factor]) -> None:
        self._factors: dict[str, Factor] = {}
        for factor in factors:
            if factor.name in self._factors:
                raise InputError(f"two factors are called {factor.name!r}; names must differ")
            self._factors[factor.name] = factor
        for factor in self._factors.values():
            needed = self._factors.get(factor.needs)
            if factor.needs and (needed is None or needed.kind != "continuous"):
                raise InputError(f"factor {factor.name!r} needs {factor.needs!r}, which is no continuous factor here")

    def __getitem__(self, name: str) -> Factor:
        """Return a factor by name.

        Raises:
            InputError: there is no such factor; the message offers the closest name.
        """
        if name not in self._factors:
            raise unknown_name("factor", name, self._factors)
        return self._factors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._factors

    def __iter__(self) -> Iterator[str]:
        return iter(self._factors)

    def __len__(self) -> int:
        return len(self._factors)

    def __eq__(self, other: object) -> bool:
        # The order counts: contexts of the same values would otherwise be drawn differently from equal spaces.
        return isinstance(other, FactorSpace) and tuple(self.values()) == tuple(other.values())

    def __hash__(self) -> int:
        return hash(tuple(self.values()))

    def __repr__(self) -> str:
        return f"FactorSpace({list(self._factors)})"

    def context(self, values: Mapping[str, object] | None = None) -> "Context":
        """Return a context with these values; factors that are not given take their default.

        Raises:
            InputError: an unknown factor, or a value outside its bounds.
        """
        return Context(self, values)

    def sample(self, rng: np.random.Generator) -> "Context":
        """Draw a context uniformly from the whole space."""
        return Context(self, {name: factor.sample(rng) for name, factor in self._factors.items()})

    def to_array(self, contexts: Sequence[Mapping[str, Any]]) -> npt.NDArray[Any]:
        """Return contexts as a structured array (n,) with a field for each factor.

        Continuous and circular factors are float64, discrete ones text as wide as the longest value among these.

        Raises:
            InputError: there is no context; at least one is needed.
        """
        if not contexts:
            raise InputError("there is no context to put into an array, but at least one is needed")
        return structured({name: [context[name] for context in contexts] for name in self._factors})

    def from_array(self, table: npt.NDArray[Any]) -> list["Context"]:
        """Return the contexts that `to_array` was given.

        Raises:
            InputError: the fields of the array are not the factors of this space.
        """
        if set(table.dtype.names or ()) != set(self._factors):
            raise InputError(f"the array has the fields {table.dtype.names}, but the factors are {list(self._factors)}")
        return [Context(self, {name: row[name].item() for name in self._factors}) for row in table]

    def to_list(self) -> list[dict[str, Any]]:
        """Return the space as plain data for JSON; `from_list` reads it back."""
        entries = [{**asdict(factor), "choices": list(factor.choices)} for factor in self._factors.values()]
        for entry in entries:
            del entry["needs"]
        return entries

    @classmethod
    def from_list(cls, data: Iterable[Mapping[str, Any]]) -> "FactorSpace":
        """Build a space from what `to_list` returned.

        Raises:
            InputError: the data is not of that form.
        """
        try:
            return cls(Factor(**{**entry, "choices": tuple(entry["choices"])}) for entry in data)
        except (KeyError, TypeError) as error:
            raise InputError(f"{data!r} does not describe a factor space: a list of factors is needed") from error


class Context(Mapping[str, Value]):
    """A value for every factor of a space; those not given take their default.

    Args:
        space: the factors.
        values: some or all of them.

    Raises:
        InputError: an unknown factor, or a value outside its bounds.
    """

    __slots__ = ("_values", "space")

    def __init__(self, space: FactorSpace, values: Mapping[str, object] | None = None) -> None:
        self.space = space
        given = {name: space[name].check(value) for name, value in (values or {}).items()}
        self._values: dict[str, Value] = {name: given.get(name, factor.default) for name, factor in space.items()}

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        changed = {name: value for name, value in self._values.items() if value != self.space[name].default}
        return f"Context({changed})"

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


def structured(
    columns: Mapping[str, Sequence[Any]], possible: Mapping[str, Sequence[Any]] | None = None
) -> npt.NDArray[Any]:
    """Put one or more columns of length n into one array (n,) of named fields: numbers as float64, all else as text.

    Args:
        columns: the values by name.
        possible: every value that a column can have, which decides its type; the values that it has if None.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, values in columns.items():
        numeric = all(isinstance(value, int | float) for value in (possible or columns)[name])
        arrays[name] = np.array(
            values if numeric else [str(value) for value in values], np.float64 if numeric else np.str_
        )
    table = np.empty(len(next(iter(arrays.values()))), [(name, array.dtype) for name, array in arrays.items()])
    for name, array in arrays.items():
        table[name] = array
    return table
