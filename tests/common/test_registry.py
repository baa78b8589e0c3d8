"""A registry holds darla's own things and those that other packages offer by an entry point."""

import sys
from pathlib import Path

import pytest

from darla.common import InputError
from darla.common.registry import Registry


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A package `shapes` with a registry and one module of its own, and a distribution with two entry points."""
    own = tmp_path / "shapes"
    own.mkdir()
    (own / "__init__.py").write_text("")
    (tmp_path / "shapes_registry.py").write_text(
        "from darla.common.registry import Registry\nSHAPES = Registry('shape', 'shapes', 'test.shapes')\n"
    )
    (own / "square.py").write_text(
        "from shapes_registry import SHAPES\n@SHAPES.register('square')\nclass Square: corners = 4\n"
    )
    (tmp_path / "outside.py").write_text(
        "from shapes_registry import SHAPES\n@SHAPES.register('circle')\nclass Circle: corners = 0\n"
    )
    (tmp_path / "broken.py").write_text("import a_module_that_nobody_has\n")
    info = tmp_path / "outside_shapes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-shapes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[test.shapes]\ncircle = outside\nbroken = broken\nforgotten = outside\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("shapes", "shapes.square", "shapes_registry", "outside", "broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import shapes_registry

    return shapes_registry.SHAPES


def test_own_things_and_entry_points_are_listed_and_looked_up(shapes: Registry) -> None:
    assert list(shapes) == ["square", "circle", "broken", "forgotten"]
    assert "outside" not in sys.modules  # listing loads nobody else's code
    assert shapes["square"].corners == 4
    assert shapes["circle"].corners == 0


def test_an_unknown_name_is_answered_with_the_closest(shapes: Registry) -> None:
    with pytest.raises(InputError, match="unknown shape 'squar'; did you mean 'square'"):
        shapes["squar"]


def test_a_broken_package_is_named_and_disturbs_nothing_else(shapes: Registry) -> None:
    message = r"shape 'broken' of outside-shapes cannot be loaded from broken: ModuleNotF.*broken.py, line 1"
    with pytest.raises(InputError, match=message):
        shapes["broken"]
    assert shapes["circle"].corners == 0


def test_an_entry_point_that_registers_nothing_is_refused(shapes: Registry) -> None:
    with pytest.raises(InputError, match="importing outside does not register that name"):
        shapes["forgotten"]


def test_a_name_is_given_once(shapes: Registry) -> None:
    with pytest.raises(ValueError, match="registered twice"):
        shapes["square"], shapes.register("square")(type("Other", (), {}))
