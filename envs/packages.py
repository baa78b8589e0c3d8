"""Which packages made the images: those of an environment's classes, and those that their modules import."""

import dis
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import gymnasium

from darla.common.artefact import package_name, versions
from darla.common.files import sha256
from darla.envs.make_env import Variants

_DRAWS_NOTHING = {"typing-extensions"}


def packages_of(env: gymnasium.Env[Any, Any]) -> dict[str, str]:
    """Return the version of each package that an environment is made of, but for those that every card names.

    A module that belongs to no installed package, such as a file of the user, has the SHA-256 of its file instead.

    Args:
        env: with its wrappers.
    """
    found: dict[str, str] = {}
    covered = versions().keys() | _DRAWS_NOTHING
    for name in sorted({module.__name__ for module in _modules(env)}):
        top = name.partition(".")[0]
        if top in {"darla", *sys.stdlib_module_names}:
            continue
        for package in _distributions().get(top, ()):
            if package_name(package) not in covered:
                found[package_name(package)] = metadata.version(package)
        file = getattr(sys.modules.get(name), "__file__", None)
        if top not in _distributions() and file is not None and Path(file).is_file():
            found[name] = f"sha256 {sha256(Path(file))[:12]}"
    return found


def _modules(env: gymnasium.Env[Any, Any]) -> Iterator[ModuleType]:
    """Yield the modules of an environment's classes, and those that are named in them or imported in their methods.

    Some environments import what they draw with only where they draw, as Gymnasium's do with pygame.
    """
    for layer in _layers(env):
        # darla's own environments say what they are made of: their modules import more than that.
        yield from (sys.modules[name] for name in getattr(type(layer), "made_of", ()) if name in sys.modules)
        for kind in type(layer).__mro__:
            module = sys.modules.get(kind.__module__)
            if module is None or kind.__module__.partition(".")[0] in {"darla", *sys.stdlib_module_names}:
                continue
            yield module
            for name in _imported_in(kind):
                if name in sys.modules:  # else that method has not run
                    yield sys.modules[name]
            for thing in list(vars(module).values()):
                home = thing if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
                home = sys.modules.get(home) if isinstance(home, str) else home
                if isinstance(home, ModuleType):
                    yield home


@cache
def _imported_in(kind: type) -> frozenset[str]:
    """Return the names of the modules that the methods of a class import."""
    members = [getattr(member, "fget", getattr(member, "__func__", member)) for member in vars(kind).values()]
    codes = [member.__code__ for member in members if isinstance(member, FunctionType)]
    names = set()
    while codes:
        code = codes.pop()
        codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        names |= {step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    return frozenset(names)


def _layers(env: gymnasium.Env[Any, Any]) -> Iterator[gymnasium.Env[Any, Any]]:
    """Yield an environment and everything inside it."""
    layer: gymnasium.Env[Any, Any] | None = env
    while layer is not None:
        yield layer
        layer = layer.playing if isinstance(layer, Variants) else getattr(layer, "env", None)


@cache
def _distributions() -> dict[str, list[str]]:
    """Return the installed packages by the names that they are imported by; reading them takes a moment."""
    return {name: sorted(set(packages)) for name, packages in metadata.packages_distributions().items()}
