"""Configurations whose fields are checked against their types: a wrong one is named when the configuration is made."""

from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache, wraps
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from darla.common.errors import InputError

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "text",
    NoneType: "None",
}
_LONGEST_VALUE = 80
"""Characters of a value that an error message prints."""


class CheckedConfig:
    """Base of frozen dataclasses that users fill in.

    The types of all fields are checked before a `__post_init__` of the class sees them. Lists become tuples where a
    tuple is meant, and numbers of NumPy plain ones. Fields of `Literal` text are left to the class, which names the
    closest known value.

    Raises:
        InputError: a value of another type; names the field, the value and what is needed.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make the class's own `__post_init__`, if it has one, check types first."""
        super().__init_subclass__(**kwargs)
        own = cls.__dict__.get("__post_init__")
        if own is not None:
            type.__setattr__(cls, "__post_init__", _checking_first(cls, own))

    def __post_init__(self) -> None:
        """Check the types of all fields."""
        if _first_with_post_init(type(self)) is CheckedConfig:
            check_field_types(self)


def _checking_first(owner: type, own: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(own)
    def post_init(self: Any) -> None:
        if _first_with_post_init(type(self)) is owner:  # once, and not again in those of base classes
            check_field_types(self)
        own(self)

    return post_init


def _first_with_post_init(kind: type) -> type:
    return next(base for base in kind.__mro__ if "__post_init__" in base.__dict__)


def check_field_types(config: Any) -> None:
    """Check every field of a dataclass against its type; see `CheckedConfig`."""
    hints = _hints(type(config))  # type: ignore[arg-type]  # mypy does not know that classes are hashable
    for each in fields(config):
        hint, value = hints[each.name], getattr(config, each.name)
        plain = _plain(value, hint)
        if plain is not value:
            object.__setattr__(config, each.name, plain)
        if not _fits(plain, hint):
            shown = repr(value)
            shown = shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}..."
            raise InputError(f"{each.name} is {shown}, but must be {_in_words(hint)}")


@lru_cache(maxsize=256)
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _plain(value: Any, hint: Any) -> Any:
    if isinstance(value, list) and any(get_origin(member) is tuple for member in _members(hint)):
        return tuple(value)
    if isinstance(value, np.generic) and not isinstance(value, np.bool_ | np.str_ | np.bytes_):
        return value.item()
    return value


def _members(hint: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the type itself."""
    return get_args(hint) if get_origin(hint) is not None and NoneType in get_args(hint) else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    members = _members(hint)
    if isinstance(value, bool):
        return bool in members or Any in members
    try:
        check_type(value, _with_any_text(hint), collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError:
        return False
    return True


def _with_any_text(hint: Any) -> Any:
    """Return a type with `str` in place of each `Literal` of texts: the class says which of them there are."""
    if get_origin(hint) is Literal:
        return str if all(isinstance(value, str) for value in get_args(hint)) else hint
    if get_origin(hint) is tuple:
        return tuple[tuple(map(_with_any_text, get_args(hint)))]  # type: ignore[misc]
    if NoneType in get_args(hint):
        return Union[tuple(map(_with_any_text, get_args(hint)))]  # noqa: UP007  (the members are not known here)
    return hint


def _in_words(hint: Any) -> str:
    words = []
    for member in _members(hint):
        if member in _WORDS:
            words.append(_WORDS[member])
        elif get_origin(member) is Literal:
            words.append("one of " + ", ".join(map(repr, get_args(member))))
        elif get_origin(member) is tuple:
            inside = get_args(member)
            words.append(f"a tuple of {_in_words(inside[0])}" if inside[-1:] == (...,) else "a tuple")
        else:
            words.append(getattr(member, "__name__", str(member)))
    return " or ".join(words)
