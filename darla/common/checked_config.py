"""Configurations and public functions whose fields and arguments are checked against their types.

A wrong one is named when the configuration is made, or before the function does anything.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache, lru_cache, partial, wraps
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from typeguard import CollectionCheckStrategy, check_type
from typing_extensions import get_protocol_members

from darla.common.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")
_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "text",
    NoneType: "None",
}
LARGEST = 2**63 - 1
"""Whole numbers beyond it do not fit into those of NumPy and PyTorch."""
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


def require_at_least_one(config: object, *names: str) -> None:
    """Check that fields of a configuration that count something are 1 or more.

    Raises:
        InputError: one is not; names it.
    """
    for name in names:
        if getattr(config, name) < 1:
            raise InputError(f"{name} must be at least 1, not {getattr(config, name)}")


def check_field_types(config: Any) -> None:
    """Check every field of a dataclass against its type; see `CheckedConfig`."""
    hints = _hints(type(config))  # type: ignore[arg-type]  # mypy does not know that classes are hashable
    for each in fields(config):
        value = getattr(config, each.name)
        plain = checked_value(each.name, value, hints[each.name])
        if plain is not value:
            object.__setattr__(config, each.name, plain)


def checked_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a public function: an argument of another type than its annotation is refused.

    Numbers of NumPy become plain ones where plain ones are meant, and lists tuples. Annotations are resolved at the
    first call, in the function's own module. What has no annotation, or one of a name that is imported for type
    checkers alone, is left alone, and so is NumPy's `ArrayLike`. Of a protocol an object needs the members; text and
    Python's own containers are of none, whatever methods they have.

    Raises:
        InputError: an argument of another type; names the argument, its value and what is needed. An argument that is
            missing or unknown stays Python's TypeError: it is a slip in the program, not a value.
    """
    return checked_arguments_but()(function)


def checked_arguments_but(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate as `checked_arguments` a function that looks at some arguments itself, and has more to say about them.

    Args:
        names: of these arguments.
    """
    return partial(_checking, frozenset(names))


def _checking(left_alone: frozenset[str], function: Callable[P, R]) -> Callable[P, R]:
    signature = inspect.signature(function)

    @cache
    def hints() -> dict[str, Any]:
        looked_at = [name for name in signature.parameters if name not in left_alone]
        return {name: hint for name in looked_at if (hint := _hint(function, name)) is not None}

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        for name, hint in hints().items():
            if name not in bound.arguments:
                continue
            kind = signature.parameters[name].kind
            if kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
                bound.arguments[name] = checked_value(name, bound.arguments[name], hint)
        return function(*bound.args, **bound.kwargs)

    return checked


def _hint(function: Callable[..., Any], name: str) -> Any:
    """Return the type of an argument; None if it has none, or one that is imported for type checkers alone."""
    hint = function.__annotations__.get(name)
    try:
        if isinstance(hint, str):
            hint = eval(hint, function.__globals__)  # as `typing.get_type_hints` does, but one at a time
    except NameError:
        return None
    return None if _is_array_like(hint) else hint


def _is_array_like(hint: Any) -> bool:
    """Return whether a type is, or contains, NumPy's `ArrayLike`, whose protocols do not say that it takes lists."""
    return (_is_protocol(hint) and hint.__module__.startswith("numpy.")) or any(map(_is_array_like, get_args(hint)))


def checked_value(name: str, value: Any, hint: Any) -> Any:
    """Return a value as its type asks for it: plain numbers in place of NumPy's, a tuple in place of a list.

    Args:
        name: of the field or argument, for the error.
        value: what was given.
        hint: its type.

    Raises:
        InputError: it is of another type; names it, and what is needed.
    """
    plain = _plain(value, hint)
    if not _fits(plain, hint):
        raise InputError(f"{name} is {shown_value(value)}, but must be {_in_words(hint)}")
    if _is_too_large(plain, hint):
        raise InputError(f"{name} is {shown_value(value)}, but must be at most {LARGEST} in size")
    return plain


def _is_too_large(value: Any, hint: Any) -> bool:
    """Return whether a value is, or contains, a whole number that the libraries underneath cannot hold."""
    members = _members(hint)
    if isinstance(value, int) and int in members:
        return abs(value) > LARGEST
    if isinstance(value, tuple | list):
        inside = [get_args(member)[0] for member in members if get_args(member)]
        return any(_is_too_large(part, each) for part in value for each in inside)
    return False


def shown_value(value: Any) -> str:
    """Return a value as an error message prints it."""
    try:
        if hasattr(value, "shape"):
            return f"{_a(type(value).__name__)} of shape {tuple(value.shape)}"
        shown = " ".join(repr(value).split())
    except Exception:  # not every object can show itself
        shown = _a(type(value).__name__)
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}..."


def _a(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


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
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _fits(value: Any, hint: Any) -> bool:
    members = _members(hint)
    if isinstance(value, bool):
        return bool in members or Any in members
    if hasattr(value, "dtype") and any(get_origin(member) is np.ndarray for member in members):
        return not isinstance(value, np.generic)  # any array; what uses it says which ones it can use
    protocols = [member for member in members if _is_protocol(member)]
    if any(has_members_of(value, protocol) for protocol in protocols):
        return True
    rest = tuple(member for member in members if member not in protocols)
    if not rest or (_is_tensor(value) and not any(member is Any or _is_tensor_type(member) for member in rest)):
        return False
    try:
        others = _with_any_text(Union[rest])  # noqa: UP007  (the members are not known here)
        check_type(value, others, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except Exception:  # TypeCheckError, or the value cannot be looked into, as a tensor without numbers
        return False
    return True


def _is_tensor(value: Any) -> bool:
    """Return whether a value is a tensor of PyTorch: it can be iterated over, and is no list of what is asked for."""
    return any(map(_is_tensor_type, type(value).__mro__))


def _is_tensor_type(hint: Any) -> bool:
    return getattr(hint, "__module__", "").partition(".")[0] == "torch" and hint.__name__ in ("Tensor", "TensorBase")


def _is_protocol(hint: Any) -> bool:
    return bool(getattr(hint, "_is_protocol", False))


def has_members_of(value: Any, protocol: type) -> bool:
    """Return whether an object has the attributes and methods of a protocol; of text and containers it is never so."""
    if isinstance(value, str | bytes | list | tuple | dict | set | frozenset | range | type):
        return False
    members = get_protocol_members(protocol)
    try:
        if "__len__" in members and getattr(value, "shape", None) == ():
            return False  # an array of one number has the method, which raises
        return all(hasattr(value, name) for name in members)
    except RuntimeError:  # a nested tensor has a shape, which raises
        return False


def _with_any_text(hint: Any) -> Any:
    """Return a type with `str` in place of each `Literal` of texts: the class says which of them there are."""
    if get_origin(hint) is Literal:
        return str if all(isinstance(value, str) for value in get_args(hint)) else hint
    if get_origin(hint) is tuple:
        return tuple[tuple(map(_with_any_text, get_args(hint)))]  # type: ignore[misc]
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(map(_with_any_text, get_args(hint)))]  # noqa: UP007  (the members are not known here)
    return hint


def _in_words(hint: Any) -> str:
    words = []
    for member in _members(hint):
        if member in _WORDS:
            words.append(_WORDS[member])
        elif get_origin(member) is Literal:
            words.append("one of " + ", ".join(map(repr, get_args(member))))
        elif get_origin(member) in (Sequence, Mapping, list, dict):
            inside = get_args(member)[-1]
            words.append(
                f"{'a sequence' if get_origin(member) in (Sequence, list) else 'a mapping'} of {_in_words(inside)}"
            )
        elif get_origin(member) is tuple:
            inside = get_args(member)
            words.append(f"a tuple of {_in_words(inside[0])}" if inside[-1:] == (...,) else "a tuple")
        else:
            words.append(_a(getattr(member, "__name__", str(member))))
    return " or ".join(words)
