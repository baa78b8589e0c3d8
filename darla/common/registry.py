"""Registries of named things (models, algorithms, worlds, metrics), which other packages can extend by entry points.

A registry imports the modules of one package of darla, which register what they define. Another package adds something
by an entry point of the registry's group:

    [project.entry-points."darla.models"]
    my_vae = "my_package.my_vae"

The name of the entry point is the registered name. Importing the module it points to must register that name.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import TypeVar

from darla.common.errors import InputError, unknown_name

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """A read-only mapping from names to things; `register` adds one.

    darla's own modules are imported at the first look-up. An entry point is listed by its name and imported only when
    that name is looked up, so that a broken package does no harm unless it is used.

    Args:
        kind: what the things are, for error messages, such as `"model"`.
        package: import name of the package whose modules register darla's own.
        group: entry point group for other packages, such as `"darla.models"`.
    """

    def __init__(self, kind: str, package: str, group: str) -> None:
        self.kind, self.package, self.group = kind, package, group
        self._things: dict[str, T] = {}
        self._imported = False
        self._points: dict[str, metadata.EntryPoint] | None = None

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers what it decorates under `name`.

        Raises:
            ValueError: another thing is registered under that name.
        """

        def add(thing: T) -> T:
            previous = self._things.get(name)
            # A module that is imported twice, as `__main__` and by its name, registers equal things.
            if previous is not None and not _equal(previous, thing):
                raise ValueError(f"{self.kind} {name!r} is registered twice: by {_home(previous)} and {_home(thing)}")
            self._things[name] = thing
            return thing

        return add

    def __getitem__(self, name: str) -> T:
        """Return the thing of that name.

        Raises:
            InputError: there is none, or its entry point cannot be loaded.
        """
        self._import_own()
        if name not in self._things and name in self._entry_points():
            self._load(self._entry_points()[name])
        if name not in self._things:
            raise unknown_name(self.kind, name, self)
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        self._import_own()
        return name in self._things or name in self._entry_points()

    def __iter__(self) -> Iterator[str]:
        """Iterate over all names, darla's own first; no entry point is loaded."""
        self._import_own()
        yield from self._things
        yield from (name for name in self._entry_points() if name not in self._things)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _import_own(self) -> None:
        if self._imported:
            return
        self._imported = True  # before the imports: their modules may look something up while they are imported
        package = importlib.import_module(self.package)
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
            importlib.import_module(f"{self.package}.{module.name}")

    def _entry_points(self) -> dict[str, metadata.EntryPoint]:
        if self._points is None:
            self._points = {point.name: point for point in metadata.entry_points(group=self.group)}
        return self._points

    def _load(self, point: metadata.EntryPoint) -> None:
        owner = point.dist.name if point.dist else "an unknown package"
        try:
            point.load()
        except Exception as error:  # code of another package may raise anything
            raise InputError(
                f"{self.kind} {point.name!r} of {owner} cannot be loaded from {point.value} "
                f"({type(error).__name__}: {error})"
            ) from error
        if point.name not in self._things:
            raise InputError(
                f"{owner} offers {self.kind} {point.name!r}, but importing {point.value} does not register that name"
            )


def _equal(one: object, other: object) -> bool:
    # Classes and functions are compared by where they are defined, other things by their value.
    return one == other or (callable(other) and _home(one) == _home(other))


def _home(thing: object) -> str:
    kind = thing if isinstance(thing, type) or callable(thing) else type(thing)
    return f"{getattr(kind, '__module__', '?')}.{getattr(kind, '__qualname__', getattr(thing, 'name', '?'))}"
