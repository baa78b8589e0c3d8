"""Frozen dataclasses as JSON and back: every value is checked when a file is read, and an error names file and field.

The JSON of a dataclass is an object with its fields as keys, less a trailing underscore (`return_` is `return`). A
class with methods `to_json` and `from_json` of its own decides for itself.
"""

import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from darla.common.errors import ArtefactError, InputError
from darla.common.files import read_json

T = TypeVar("T")
_SCALARS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_LONGEST = 60
"""Characters of a value that an error repeats."""
_LONGEST_REASON = 200
"""Characters of another error that an error repeats."""
_WRONG_FORM = (InputError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)


def to_json(value: Any) -> Any:
    """Return a dataclass, or mappings and sequences of them, as values that JSON has."""
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return {_key(field.name): to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(member) for member in value]
    return value


def load_json(kind: type[T], path: Path) -> T:
    """Read a file that holds one dataclass.

    Raises:
        ArtefactError: the file is missing, is not JSON, or a field is missing, unknown or of another type.
    """
    try:
        data = read_json(path)
    except InputError as error:
        raise error if isinstance(error, ArtefactError) else ArtefactError(str(error)) from error
    value: T = from_json(kind, data, path)
    return value


@contextmanager
def as_written(path: Path) -> Iterator[None]:
    """Use what a file of an artefact holds: one of another form than darla writes is named as damaged.

    Hashes cannot show that where they were renewed. Nothing but reading the file's content belongs into this context,
    since all that Python raises for values of a wrong type, length or name is taken for a fault of the file.

    Args:
        path: the file.

    Raises:
        ArtefactError: something in the file is missing, unknown, or of another type.
    """
    try:
        yield
    except ArtefactError:
        raise
    except _WRONG_FORM as error:
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise ArtefactError(f"{path} is damaged: it does not hold what darla writes there ({kind}{reason})") from error


def from_json(kind: Any, data: Any, path: Path | str, field: str = "") -> Any:
    """Return what `to_json` was called on.

    Args:
        kind: a dataclass, or a type as its fields have: `str`, `bool`, `int`, `float`, `Literal`, `X | None`,
            `tuple[X, ...]`, `Mapping[str, X]`, or `Any`, which is not checked.
        data: plain values.
        path: the file that they come from, as an error names it.
        field: where in the file they stand, as an error names it; the whole file if empty.

    Raises:
        ArtefactError: a field is missing, unknown, or of another type.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if origin in (Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        (member,) = (argument for argument in arguments if argument is not type(None))
        return from_json(member, data, path, field)
    if origin is Literal:
        if data not in arguments:
            raise _error(path, field, data, f"one of {', '.join(map(repr, arguments))}")
        return data
    if origin is tuple:
        if not isinstance(data, list):
            raise _error(path, field, data, "a list")
        return tuple(from_json(arguments[0], member, path, f"{field}[{place}]") for place, member in enumerate(data))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(data, dict):
            raise _error(path, field, data, "an object")
        return {key: from_json(arguments[1], member, path, _join(field, key)) for key, member in data.items()}
    if hasattr(kind, "from_json"):
        return kind.from_json(data, path, field)
    return _dataclass(kind, data, path, field) if is_dataclass(kind) else _scalar(kind, data, path, field)


def _dataclass(kind: Any, data: Any, path: Path | str, field: str) -> Any:
    if not isinstance(data, dict):
        raise _error(path, field, data, "an object")
    hints = _hints(kind)
    names = {_key(each.name): each for each in fields(kind)}
    for key in data:
        if key not in names:
            raise ArtefactError(f"{path} is damaged: it has an unknown field {_join(field, key)}")
    values = {}
    for key, each in names.items():
        if key in data:
            values[each.name] = from_json(hints[each.name], data[key], path, _join(field, key))
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ArtefactError(f"{path} is damaged: it lacks the field {_join(field, key)}")
    try:
        return kind(**values)
    except InputError as error:  # the class refuses the value itself
        raise ArtefactError(f"{path} is damaged{f' in {field}' if field else ''}: {error}") from error


@cache
def _hints(kind: Any) -> dict[str, Any]:
    # A transfer reads thousands of episodes; resolving annotations takes longer than reading one.
    return get_type_hints(kind)


def _scalar(kind: Any, data: Any, path: Path | str, field: str) -> Any:
    # JSON writes 1.0 as 1 in some programs; bool is an int to Python, but not to a reader.
    if kind is float and isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise _error(path, field, data, _SCALARS.get(kind, kind.__name__))
    return data


def _key(name: str) -> str:
    return name.removesuffix("_")


def _join(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key


def _error(path: Path | str, field: str, data: Any, expected: str) -> ArtefactError:
    text = repr(data)
    brief = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return ArtefactError(f"{path} is damaged: {field or 'its content'} is {brief}, not {expected}")
