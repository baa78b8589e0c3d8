"""Public names of a package: imported when they are first used, and listed once."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("darla", "darla.agents", "darla.common")

INIT = """
from typing import TYPE_CHECKING
from darla.common.lazy_exports import lazy_exports

VERSION = "1"

if TYPE_CHECKING:
    from {package}.shapes import Circle as Circle
    from {package}.area import area as area
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, "VERSION")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    name = f"lazily_{abs(hash(request.node.name))}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text(INIT.format(package=name))
    (folder / "shapes.py").write_text("class Circle:\n    pass\n")
    (folder / "area.py").write_text("def area(radius):\n    return 3 * radius**2\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_module_is_imported_with_its_first_name(package: str) -> None:
    module = importlib.import_module(package)
    assert f"{package}.shapes" not in sys.modules
    assert module.Circle.__module__ == f"{package}.shapes"
    assert f"{package}.area" not in sys.modules


def test_a_function_hides_its_module_of_the_same_name(package: str) -> None:
    module = importlib.import_module(package)
    assert module.area(2) == 12
    assert module.area(1) == 3


def test_all_public_names_are_listed(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__ == ["Circle", "VERSION", "area"]
    assert set(module.__all__) <= set(dir(module))


def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match="has no attribute 'Square'"):
        _ = module.Square
    with pytest.raises(ImportError, match="Square"):
        exec(f"from {package} import Square")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_of_darla_can_be_imported(name: str) -> None:
    module = importlib.import_module(name)
    assert len(module.__all__) > 5
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


def test_importing_darla_loads_nothing_heavy() -> None:
    code = "import sys, darla.agents, darla.common; print(sorted({'numpy', 'torch', 'gymnasium'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
