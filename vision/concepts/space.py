"""Concepts over named attributes: any subset of attributes specified, as a k-hot symbol.

A concept of A attributes is a row of A whole numbers: for each attribute the value that it specifies, counted from 0,
or `ANY` where it leaves the attribute open. N concepts are int64 (N, A). They form a hierarchy: {wall=cyan} is above
{wall=cyan object=duckie}, and the concept that specifies nothing, which is not counted among the concepts, above all.

Beyond the paper, a concept may exclude one value of an attribute: `object!=key` is anything but a key, -2 - v in place
of v. The operator EXCEPT makes such concepts; they have no number, are not counted, and are not drawn to train on. Of
an attribute with two values one excluded is the other one specified, and is written so: what describes the same images
is the same concept.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError, unknown_name
from darla.envs.domains.value_codes import ANY, allows, any_but, excludes
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.ground_truth import GroundTruthData

Concepts = npt.NDArray[np.int64]
"""(N, A): which value each attribute has, `ANY`, or `any_but` a value (`darla.envs.domains.value_codes`)."""
NOTHING = "anything"
"""Text of the concept that specifies nothing."""
_MOST_VALUES = 64
"""Different numbers, at most, that a factor of frames may have to become an attribute: others are measurements."""


@dataclass(frozen=True)
class Attribute:
    """A named attribute of what an image shows, with a name for each of its values."""

    name: str
    values: tuple[str, ...]
    factor: str
    """The factor of the data whose values it names, in order."""

    def __post_init__(self) -> None:
        for word in (self.name, *self.values):
            if not word or not word.isprintable() or set(word) & set(" =()"):
                raise InputError(
                    f"attribute {self.name!r}: {word!r} cannot be a name in a concept, which is written as "
                    "ATTRIBUTE=VALUE: it must have no spaces, parentheses or ="
                )
        if self.name.endswith("!"):
            raise InputError(
                f"attribute {self.name!r}: a name must not end in !, since ATTRIBUTE!=VALUE excludes a value"
            )
        if len(self.values) < 2 or len(set(self.values)) < len(self.values):
            raise InputError(f"attribute {self.name!r} needs at least two values, all different, not {self.values}")


class ConceptSpace:
    """All concepts over some attributes.

    Args:
        attributes: in the order of the columns of a concept.

    Raises:
        InputError: there is none, or two have one name.
    """

    def __init__(self, attributes: Sequence[Attribute]) -> None:
        self.attributes = tuple(attributes)
        names = [each.name for each in self.attributes]
        if not names or len(set(names)) < len(names):
            raise InputError(f"a concept space needs attributes with different names, not {names}")
        self.sizes = tuple(len(each.values) for each in self.attributes)
        self._starts = np.cumsum((0, *self.sizes[:-1]))

    @property
    def symbol_size(self) -> int:
        """Entries of a symbol: one for each value of each attribute."""
        return sum(self.sizes)

    def __len__(self) -> int:
        """Return the number of concepts: every choice of a value, or none, for each attribute, but all open."""
        return math.prod(size + 1 for size in self.sizes) - 1

    def concepts_at(self, rows: npt.NDArray[np.integer[Any]]) -> Concepts:
        """Return the concepts of some numbers in [0, len(self)): int64 (N, A)."""
        rows = np.asarray(rows)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError(f"concepts are numbered from 0 to {len(self) - 1}, not {rows.min()} to {rows.max()}")
        values = np.unravel_index(rows + 1, [size + 1 for size in self.sizes])  # 0 would specify nothing
        return np.stack(values, axis=-1).astype(np.int64) - 1

    def rows_of(self, concepts: Concepts) -> npt.NDArray[np.int64]:
        """Return the number of each concept, int64 (N,); -1 where it specifies nothing or excludes a value."""
        sizes = [size + 1 for size in self.sizes]
        concepts = self.checked(concepts)
        numbered = np.where(excludes(concepts).any(axis=1, keepdims=True), ANY, concepts)
        rows: npt.NDArray[np.int64] = np.ravel_multi_index(tuple((numbered + 1).T), sizes) - 1
        return rows

    def checked(self, concepts: npt.NDArray[Any]) -> Concepts:
        """Return concepts as int64 (N, A); one of two values excluded becomes the other one specified.

        Raises:
            InputError: another shape, or a value that its attribute does not have.
        """
        values = np.asarray(concepts)
        if values.ndim != 2 or values.shape[1] != len(self.sizes) or not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"concepts are {values.dtype} {values.shape}, but must be integers (N, {len(self.sizes)})")
        sizes = np.array(self.sizes)
        wrong = (values < any_but(sizes - 1)) | (values >= sizes)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise InputError(
                f"attribute {self.attributes[column].name!r} is {values[row, column]}, but has the values 0 to "
                f"{sizes[column] - 1}, {ANY} for any, and from -2 down to {any_but(sizes[column] - 1)} for any but one"
            )
        values = values.astype(np.int64)
        return np.where((sizes == 2) & excludes(values), 1 - any_but(values), values)

    def symbols(self, concepts: Concepts) -> npt.NDArray[np.float32]:
        """Return k-hot symbols, float32 (N, K): 1 for a specified value, -1 for an excluded one, 0 elsewhere."""
        concepts = self.checked(concepts)
        symbols = np.zeros((len(concepts), self.symbol_size), np.float32)
        excluding = excludes(concepts)
        values = np.where(excluding, any_but(concepts), concepts)
        rows, columns = np.nonzero(values != ANY)
        symbols[rows, self._starts[columns] + values[rows, columns]] = np.where(excluding[rows, columns], -1, 1)
        return symbols

    def allowed(self, concepts: Concepts) -> npt.NDArray[np.bool_]:
        """Return which values of each attribute concepts leave possible, bool (N, K): one entry for each value."""
        concepts = self.checked(concepts)
        values = [np.arange(size) for size in self.sizes]
        return np.concatenate([allows(concepts[:, [column]], each) for column, each in enumerate(values)], axis=1)

    def parts(self, values: Any) -> list[Any]:
        """Split the last axis of an array or a tensor, of K entries, into one part for each attribute."""
        return [values[..., start : start + size] for start, size in zip(self._starts, self.sizes, strict=True)]

    def parse(self, text: str) -> Concepts:
        """Return the concept that a text such as `wall=cyan object=duckie` or `object!=key` names, int64 (A,).

        Raises:
            InputError: an attribute or a value that is not there, with the closest one; an attribute twice.
        """
        concept = np.full(len(self.attributes), ANY, np.int64)
        by_name = {each.name: column for column, each in enumerate(self.attributes)}
        for word in text.split():
            name, equals, value = word.partition("=")
            if not equals:
                raise InputError(f"{word!r} is no part of a concept; write ATTRIBUTE=VALUE, such as {self.example()!r}")
            excluding, name = name.endswith("!"), name.removesuffix("!")
            if name not in by_name:
                raise unknown_name("attribute", name, by_name)
            column = by_name[name]
            values = self.attributes[column].values
            if value not in values:
                raise unknown_name(f"value of attribute {name!r}:", value, values)
            if concept[column] != ANY:
                raise InputError(f"concept {text!r} specifies attribute {name!r} twice")
            concept[column] = any_but(values.index(value)) if excluding else values.index(value)
        parsed: Concepts = self.checked(concept[None])[0]
        return parsed

    def text(self, concept: Concepts) -> str:
        """Return a concept, int64 (A,), as `parse` reads it; `NOTHING` for the one that specifies nothing."""
        words = [
            f"{each.name}!={each.values[any_but(value)]}" if value < ANY else f"{each.name}={each.values[value]}"
            for each, value in zip(self.attributes, concept.tolist(), strict=True)
            if value != ANY
        ]
        return " ".join(words) or NOTHING

    def example(self) -> str:
        """Return a concept as it is written, for messages."""
        return f"{self.attributes[0].name}={self.attributes[0].values[0]}"

    def values_of(self, factors: Mapping[str, npt.NDArray[Any]]) -> Concepts:
        """Return the values that images have, from a table of their factors: int64 (N, A), nothing left open.

        Args:
            factors: by name of the factor its value in each image: a number counted from 0, or the value's name.

        Raises:
            InputError: a factor is missing, or has a value that its attribute does not have.
        """
        columns = []
        for each in self.attributes:
            if each.factor not in factors:
                raise unknown_name("factor", each.factor, factors)
            column = np.asarray(factors[each.factor])
            if np.issubdtype(column.dtype, np.integer):
                columns.append(column.astype(np.int64))
                continue
            known = {value: number for number, value in enumerate(each.values)}
            names = [_as_name(value) for value in column.tolist()]
            if unknown := sorted(set(names) - known.keys()):
                raise unknown_name(f"value of attribute {each.name!r}:", unknown[0], each.values)
            columns.append(np.array([known[name] for name in names], np.int64))
        values = np.stack(columns, axis=1)
        if (values < 0).any():
            row, column = np.argwhere(values < 0)[0]
            raise InputError(
                f"factor {self.attributes[column].factor!r} is {values[row, column]} in image {row}, but must be a "
                f"number from 0 to {self.sizes[column] - 1}"
            )
        return self.checked(values)

    def to_list(self) -> list[dict[str, Any]]:
        """Return the attributes as plain data."""
        return [{"name": each.name, "values": list(each.values), "factor": each.factor} for each in self.attributes]

    @classmethod
    def from_list(cls, attributes: Sequence[Mapping[str, Any]]) -> "ConceptSpace":
        """Return the space that `to_list` described."""
        return cls([Attribute(each["name"], tuple(each["values"]), each["factor"]) for each in attributes])


def space_of(data: GroundTruthData | FrameSet) -> ConceptSpace:
    """Return the concepts over the attributes of some data.

    Of ground-truth data they are those that the data name (`attributes`: name, factor and values of each), else all
    factors, whose values have their numbers as names. Of frames they are the factors that vary and have at most 64
    different values, which are then the names.

    Raises:
        InputError: there is none.
    """
    if not isinstance(data, FrameSet):
        named = getattr(data, "attributes", None)
        if named is not None:
            return ConceptSpace([Attribute(name, tuple(values), factor) for name, factor, values in named])
        pairs = zip(data.factor_names, data.factor_sizes, strict=True)
        return ConceptSpace([Attribute(name, tuple(map(str, range(size))), name) for name, size in pairs if size > 1])
    attributes = []
    for name, column in data.contexts.items():
        # Whole numbers are classes numbered from 0 in image data, which `values_of` takes as they are.
        if np.issubdtype(column.dtype, np.integer):
            values = tuple(map(str, range(int(column.max()) + 1)))
        else:
            values = tuple(map(_as_name, np.unique(column).tolist()))
        if 2 <= len(values) <= _MOST_VALUES:
            attributes.append(Attribute(name, values, name))
    if not attributes:
        raise InputError(
            f"{data.artefact.folder} has no factor with 2 to {_MOST_VALUES} different values, so there is nothing that "
            "a concept could specify"
        )
    return ConceptSpace(attributes)


def matches(concepts: Concepts, values: Concepts) -> npt.NDArray[np.bool_]:
    """Return which images each concept describes, bool (N, M), for concepts (N, A) and images' values (M, A).

    `values` may also be concepts: those of which every image is one that the concept describes.
    """
    matching: npt.NDArray[np.bool_] = np.all(allows(concepts[:, None], values[None]), axis=-1)
    return matching


def _as_name(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "-".join(str(value).split())
