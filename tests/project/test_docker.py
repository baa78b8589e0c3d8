"""The Dockerfile cannot be built where the tests run; what it names is compared with where it is decided."""

import re
from pathlib import Path

import pytest

from darla.common import graphics

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = re.sub(r"^ *#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
STAGES = re.split(r"^FROM ", COMMANDS, flags=re.MULTILINE)[1:]


def test_there_are_three_stages_each_on_the_one_before() -> None:
    assert [stage.splitlines()[0] for stage in STAGES] == [
        "debian:bookworm-slim AS system",
        "system AS dependencies",
        "dependencies AS project",
    ]


def test_the_system_has_the_graphics_libraries_that_darla_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "_loads", lambda library: False)  # a machine that has none of them
    packages = re.findall(r"(?<=\s)lib[\w.-]+", STAGES[0])
    assert sorted(packages) == sorted(graphics.missing_packages())


def test_the_install_page_names_the_same_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "_loads", lambda library: False)
    line = re.search(
        r"^ *sudo apt-get install (.*)$", (ROOT / "docs" / "install.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert line is not None
    assert [name for name in line[1].split() if name.startswith("lib")] == graphics.missing_packages()
    assert "python3-venv" in line[1].split()


def test_libraries_are_installed_by_make_before_the_code_is_there() -> None:
    copied = re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", STAGES[1], re.MULTILINE)
    files = " ".join(copied).split()
    assert "constraints.txt" in files
    assert not [name for name in files if (ROOT / name).is_dir()]  # a change of code leaves this layer as it is
    assert "make dependencies" in STAGES[1]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rule = re.search(r"^\$\(VENV\)/\.dependencies: (.*)$", makefile, re.MULTILINE)
    assert rule is not None
    # What the rule is made anew for has to be in this layer; the environment itself is made by make_venv.sh.
    assert set(rule[1].split()) - {"$(VENV)/.created"} <= set(files)
    assert "tools/make_venv.sh" in files


def test_nothing_that_git_ignores_goes_into_the_image() -> None:
    def entries(name: str) -> set[str]:
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        return {line.strip("/").removeprefix("**/") for line in lines if line and not line.startswith("#")}

    assert entries(".gitignore") <= entries(".dockerignore")
    assert ".git" not in entries(".dockerignore")
