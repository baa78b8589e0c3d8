"""sb3-contrib, the optional package of further algorithms by the authors of Stable-Baselines3."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from darla.common import InputError

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


def contrib_class(name: str) -> "type[BaseAlgorithm]":
    """Import and return an algorithm class of sb3-contrib.

    Raises:
        InputError: the package is not installed.
    """
    try:
        package: Any = import_module("sb3_contrib")
    except ModuleNotFoundError as error:
        raise InputError(
            f"{name} needs the package {error.name}; install it with: pip install 'darla[contrib]'"
        ) from error
    chosen: type[BaseAlgorithm] = getattr(package, name)
    return chosen
