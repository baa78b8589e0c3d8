"""What is installed: the folders under their import names, all of them, typed, with versions that are known to work."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {
    "darla": "darla",
    **{f"darla.{name}": name for name in ("agents", "envs", "experiments", "vision")},
}


def packages() -> dict[str, Path]:
    """Return every package by its import name, with its folder."""
    return {
        ".".join([name, *init.parent.relative_to(ROOT / folder).parts]): init.parent
        for name, folder in FOLDERS.items()
        for init in (ROOT / folder).rglob("__init__.py")
    }


def test_every_package_is_in_the_project_file() -> None:
    assert SETUPTOOLS["package-dir"] == FOLDERS  # setuptools finds what is below these by itself
    assert sorted(SETUPTOOLS["packages"]) == sorted(packages())
    # mypy goes into the packages below these by itself, and calls one that is named as well a duplicate.
    assert sorted(PROJECT["tool"]["mypy"]["packages"]) == sorted(FOLDERS)


def test_every_package_is_typed() -> None:
    assert all((ROOT / folder / "py.typed").is_file() for folder in FOLDERS.values())


def test_every_dependency_has_a_reason_and_a_tested_version() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    tested = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            tested[canonicalize_name(name)] = Version(version)
    extras = PROJECT["project"]["optional-dependencies"]
    for stated in [*PROJECT["project"]["dependencies"], *extras["dev"], *extras["ray"]]:
        assert re.search(rf'^    "{re.escape(stated)}", +# \S', text, re.MULTILINE), f"{stated} has no reason beside it"
    for stated in [*PROJECT["project"]["dependencies"], *extras["dev"]]:
        wanted = Requirement(stated)
        assert tested[canonicalize_name(wanted.name)] in wanted.specifier, stated


def test_the_version_is_the_same_everywhere() -> None:
    import darla

    assert darla.__version__ == PROJECT["project"]["version"] == metadata.version("darla")
    assert f"## {darla.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_a_wheel_holds_every_module_and_nothing_else(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]
    # Built from a copy: a build writes into the folder it is given.
    copy = tmp_path / "copy"
    files = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([*build, str(copy)], check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        f"{package.replace('.', '/')}/{path.name}"
        for package, folder in packages().items()
        for path in folder.iterdir()
        if path.suffix in (".py", ".css", ".js") or path.name == "py.typed"
    }
    assert inside == expected


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'gymnasium', 'pyglet', 'miniworld', 'stable_baselines3', 'matplotlib', 'tyro'}"
    code = f"import sys, darla; dir(darla); loaded = {heavy} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    import darla

    for name in darla.__all__:
        assert getattr(darla, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'sea'"):
        darla.sea  # noqa: B018


def test_the_checkout_works_without_the_links_of_the_editable_install() -> None:
    # `python -m darla` at the root of a checkout, where sys.path begins with the checkout itself.
    done = subprocess.run([sys.executable, "-m", "darla", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("darla "), done.stderr


@pytest.mark.parametrize("first", ["import darla.envs", "pass"])
def test_gymnasium_knows_the_environment(first: str) -> None:
    name = "darla/SeekAvoid-v0" if first != "pass" else "darla.envs:darla/SeekAvoid-v0"
    lines = (
        first,
        "import gymnasium",
        f"image, _ = gymnasium.make({name!r}).reset(seed=0)",
        "assert image.shape == (64, 64, 3)",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, cwd="/")


def test_the_plugin_entry_point_registers() -> None:
    (point,) = metadata.entry_points(group="gymnasium.envs", name="__root__")
    point.load()()
    import gymnasium

    assert "darla/SeekAvoid-v0" in gymnasium.registry


@pytest.mark.parametrize("target", ["demo", "test", "lint", "types", "bench"])
def test_make_has_the_target(target: str) -> None:
    plan = subprocess.run(["make", "-n", "-C", str(ROOT), target], capture_output=True, text=True)
    assert plan.returncode == 0, plan.stderr


def test_ci_runs_the_tests_the_style_and_the_types() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert {"make test", "make lint", "make types"} <= set(script.read_text().splitlines())
