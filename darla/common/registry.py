"""Registries of named things (models, algorithms, worlds, metrics), which other packages can extend by entry points.

A registry imports the modules of one package of darla, which register what they define. Another package adds something
by an entry point of the registry's group:

    [project.entry-points."darla.models"]
    my_vae = "my_package.my_vae"

The name of the entry point is the registered name. Importing the module it points to must register that name.

A thing that is registered nowhere can be named by its import path, `my_module:MyThing`, where the registry knows what
to make of it (`Registry.adopter`).
"""

import importlib
import multiprocessing
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from typing import Any, TypeVar

from darla.common.errors import InputError, unknown_name, user_code_error

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
        self._adopt: Callable[[str, object], T] | None = None
        self._things: dict[str, T] = {}
        self._adopted: dict[str, T] = {}  # by import path; not listed
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

    def adopter(self, adopt: Callable[[str, object], T]) -> Callable[[str, object], T]:
        """Decorate the function that makes a thing of what an import path names, given both.

        It raises `InputError` where that is of another kind. Without one, things have no import paths.
        """
        self._adopt = adopt
        return adopt

    def __getitem__(self, name: str) -> T:
        """Return the thing of that name.

        Raises:
            InputError: there is none, or its entry point cannot be loaded.
        """
        self._import_own()
        if name not in self._things and name in self._entry_points():
            self._load(self._entry_points()[name])
        if name not in self._things and self._adopt is not None and is_import_path(name):
            if name not in self._adopted:
                self._adopted[name] = self._adopt(name, import_by_path(name, self.kind))
            return self._adopted[name]
        if name not in self._things:
            raise unknown_name(self.kind, name, self)
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        self._import_own()
        return name in self._things or name in self._adopted or name in self._entry_points()

    def __iter__(self) -> Iterator[str]:
        """Iterate over all names, darla's own first; no entry point is loaded."""
        self._import_own()
        yield from self._things
        yield from (name for name in self._entry_points() if name not in self._things)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def own(self) -> list[str]:
        """Return the names of darla's own things, without loading those of other packages."""
        self._import_own()
        return [name for name, thing in self._things.items() if _home(thing).startswith(f"{self.package}.")]

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
            what = f"{self.kind} {point.name!r} of {owner} cannot be loaded from {point.value}"
            raise user_code_error(what, error) from error
        if point.name not in self._things:
            raise InputError(
                f"{owner} offers {self.kind} {point.name!r}, but importing {point.value} does not register that name"
            )


def is_import_path(name: str) -> bool:
    """Return whether a name is written as an import path, `package.module:name`, and not as a place on the hub."""
    return ":" in name and not name.startswith("hf:/")


def import_by_path(path: str, kind: str, folder: str = "") -> Any:
    """Import a module and return what an import path names in it.

    Installed packages are searched first, then `folder`, then the folder in which the program was started. The first
    import of a module is announced on the standard error, since paths may come from files. Modules of Python itself are
    refused: none of them defines anything that darla can use.

    Args:
        path: `package.module:name`.
        kind: what it should name, for error messages, such as `"model"`.
        folder: where a file that names the path lies, so that a module beside it is found; empty if there is none.

    Raises:
        InputError: it is written otherwise, there is no such module or name, or importing the module fails.
    """
    module_name, _, attributes = path.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), *attributes.split("."))):
        raise InputError(f"{kind} {path!r} cannot be imported: an import path is written as package.module:name")
    if module_name.split(".")[0] in sys.stdlib_module_names:
        raise InputError(f"{kind} {path!r} cannot be used: {module_name!r} is a module of Python itself")
    thing: Any = import_module_of(module_name, f"{kind} {path!r}", folder)
    for name in attributes.split("."):
        if not hasattr(thing, name):
            public = [known for known in dir(thing) if not known.startswith("_")]
            raise unknown_name(f"{kind} in {getattr(thing, '__name__', module_name)}:", name, public)
        thing = getattr(thing, name)
    return thing


def import_module_of(name: str, what: str, folder: str = "") -> Any:
    """Import and return a module of the user; see `import_by_path`.

    Args:
        name: `package.module`.
        what: that needs it, for error messages.
        folder: searched before the folder in which the program was started; empty if there is none.

    Raises:
        InputError: there is no such module, or importing it fails.
    """
    if name in sys.modules:
        return sys.modules[name]
    for place in filter(None, (folder, os.getcwd())):
        if place not in sys.path:
            sys.path.append(place)
    importlib.invalidate_caches()
    if multiprocessing.parent_process() is None:  # workers import what this process has announced
        print(f"importing {name} for {what}", file=sys.stderr, flush=True)
    try:
        return importlib.import_module(name)
    except Exception as error:  # code of a user may raise anything
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            if name.endswith(".py"):
                raise InputError(f"{what} cannot be imported: a module is named without .py: {name[:-3]}") from error
            beside = f"put it into {folder}, " if folder else ""
            raise InputError(
                f"{what} cannot be imported: there is no module {error.name!r}; {beside}give the command in the folder "
                "that holds it, or name that folder in PYTHONPATH"
            ) from error
        raise user_code_error(f"{what} cannot be imported", error) from error


def _equal(one: object, other: object) -> bool:
    # Classes and functions are compared by where they are defined, other things by their value.
    return one == other or (callable(other) and _home(one) == _home(other))


def _home(thing: object) -> str:
    kind = thing if isinstance(thing, type) or callable(thing) else type(thing)
    return f"{getattr(kind, '__module__', '?')}.{getattr(kind, '__qualname__', getattr(thing, 'name', '?'))}"
