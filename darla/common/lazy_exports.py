"""Public names of a package that are imported from their modules when they are first used.

Importing darla should be quick and should not load PyTorch. Type checkers and editors should still know every name. So
a package lists its public names once, as imports that only a type checker runs:

    from typing import TYPE_CHECKING

    from darla.common.lazy_exports import lazy_exports

    if TYPE_CHECKING:
        from darla.vision.models.beta_vae import BetaVAE as BetaVAE
    else:
        __getattr__, __dir__, __all__ = lazy_exports(__name__)

`import X as X` marks a name as re-exported (PEP 484). PEP 562 describes `__getattr__` and `__dir__` of modules.
"""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_exports(package: str, *others: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    Args:
        package: its `__name__`. The `from MODULE import NAME` statements below `if TYPE_CHECKING:` in its `__init__.py`
            are its public names.
        *others: public names that the package defines itself, such as `__version__`.
    """
    module = sys.modules[package]
    module_of = _listed_imports(_source(package))
    public = sorted([*module_of, *others])

    def get_attribute(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(module_of[name]), name)
        # Later look-ups do not come here. It also puts back a name that is called like its module, which importing the
        # module has just overwritten.
        setattr(module, name, value)
        return value

    def list_attributes() -> list[str]:
        return sorted({*vars(module), *public})

    return get_attribute, list_attributes, public


def _source(package: str) -> str:
    spec = sys.modules[package].__spec__
    source = getattr(spec and spec.loader, "get_source", lambda _: None)(package)
    if source is None:
        raise ImportError(f"{package} has no source code, from which its public names are read")
    return str(source)


def _listed_imports(source: str) -> dict[str, str]:
    """Return the module of every name that is imported below `if TYPE_CHECKING:`."""
    return {
        alias.name: statement.module
        for block in ast.parse(source).body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }
