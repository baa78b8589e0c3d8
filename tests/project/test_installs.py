"""The table of `make test-installs`, and what is in the list of installs."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import try_installs
from installs import STRANGERS, TRIED_EXTRAS, Install, Outcome, all_installs, key, table

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_each_user_extra_is_tried_alone() -> None:
    extras = try_installs.user_extras()
    assert set(extras) == set(PROJECT["optional-dependencies"]) - {"dev", "docs"}
    assert set(TRIED_EXTRAS) <= set(extras)
    alone = [install.extras for install in all_installs(extras, "2.14.1") if install.name.startswith("extra ")]
    assert alone == [(name,) for name in extras]


def test_every_supported_python_is_tried_with_both_builds() -> None:
    installs = all_installs(["ray"], "2.14.1")
    for build in ("default", "cpu"):
        assert {"3.11", "3.12", "3.13", "3.14"} <= {each.python for each in installs if each.build == build}
    assert installs[0].suite
    assert installs[0].torch == "2.14.1"
    assert {"tested", "newest", "oldest"} == {each.versions for each in installs}
    names = [key(install) for install in installs]
    assert len(set(names)) == len(names)
    assert names[0] == "default-build-3.11"


def test_the_table_has_a_row_for_each_install() -> None:
    good = Outcome(
        "oldest",
        "3.11.7",
        "2.8.0, CUDA 12.8",
        {"numpy": "1.26.0"},
        {"install": "ok", "doctor": "ok", "demo": "ok", "suite": "12 passed in 3.00s"},
        seconds=61.6,
        date="2026-11-28",
    )
    broken = Outcome("newest", "3.13", steps={"install": "failed: code 1"}, seconds=5, date="2026-11-28")
    absent = Outcome("newest", "3.14", skipped="no such interpreter here", date="2026-11-28")
    assert [good.failed, broken.failed, absent.failed] == [False, True, False]
    heading, line, *rows = table([good, broken, absent]).splitlines()
    assert len({text.count("|") for text in (heading, line, *rows)}) == 1
    assert rows == [
        "| oldest | 3.11.7 | 2.8.0, CUDA 12.8 | numpy 1.26.0 | ok | ok | 12 passed in 3.00s | 62 | 2026-11-28 |",
        "| newest | 3.13 |  |  | install: failed: code 1 |  |  | 5 | 2026-11-28 |",
        "| newest | 3.14 | not tried: no such interpreter here |  |  |  |  |  | 2026-11-28 |",
    ]


def test_an_outcome_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    outcome = Outcome("oldest", "3.11.7", steps={"install": "ok"}, source="abc")
    assert Outcome(**json.loads(json.dumps(outcome.to_json()))) == outcome


def test_an_interpreter_that_is_not_there_is_not_found() -> None:
    assert try_installs.interpreter("3.4") is None


def test_a_trial_depends_on_what_is_installed_only() -> None:
    files = try_installs.installed_files()
    assert {"pyproject.toml", "constraints.txt", "tools/install_dependencies.py", "darla/__init__.py"} <= set(files)
    assert not {"README.md", "tools/try_installs.py", "tests/project/test_installs.py"} & set(files)
    assert try_installs.source_hash(files) != try_installs.source_hash(files[1:])
    assert {"docs/studies.md", "tests/project/test_installs.py"} <= set(try_installs.source_files())


def test_what_is_finished_is_not_tried_again(tmp_path: Path) -> None:
    trial = try_installs.Trial(tmp_path, "http://127.0.0.1:9/", suite=True)
    install = Install("oldest", "3.11", suite=True)
    assert not trial.finished(install)
    steps = {"install": "ok", "doctor": "ok", "demo": "ok"}
    for given, finished in (
        (Outcome("oldest", steps=steps, source=trial.source), False),  # stopped before the tests
        (Outcome("oldest", steps={**steps, "suite": "failed: 1 failed"}, source=trial.source), False),
        (Outcome("oldest", steps={**steps, "suite": "5 passed"}, source="another"), False),
        (Outcome("oldest", skipped="no such interpreter here", source=trial.source), False),  # it may be there by now
        (Outcome("oldest", steps={**steps, "suite": "5 passed"}, source=trial.source), True),
    ):
        trial.write(key(install), given)
        assert trial.finished(install) is finished
    assert (trial.checkout / "pyproject.toml").is_file()


def test_every_test_of_a_package_of_others_is_run_somewhere_with_it() -> None:
    """Tests that are skipped in an environment without these packages are not lost: `make test-strangers` has them."""
    run = {word for install in STRANGERS for word in install.tests if word.endswith(".py")}
    assert all((ROOT / name).is_file() for name in run)
    theirs = "minigrid|highway_env|crafter|stable_worldmodel|timm|sb3_contrib|onnx|h5py|pandas"
    asked = re.compile(rf"importorskip\(.?({theirs})|find_spec\(.({theirs})|importorskip\(package\)")
    tests = {
        str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py") if asked.search(path.read_text())
    }
    assert tests - {"tests/project/test_installs.py"} <= run
    named = {package for install in STRANGERS for package in install.packages}
    assert named >= {"minigrid", "highway-env", "crafter", "stable-worldmodel"}


def test_a_test_of_theirs_that_is_skipped_fails() -> None:
    some, all_run = "== 3 passed, 1 skipped in 2.00s ==", "== 4 passed, 9 deselected in 2.00s =="
    for install in STRANGERS:
        assert try_installs.suite_result(install, all_run) == "4 passed, 9 deselected in 2.00s"
        with pytest.raises(try_installs.StepError, match="1 skipped"):
            try_installs.suite_result(install, some)
    assert try_installs.suite_result(Install("newest", "3.11", suite=True), some) == "3 passed, 1 skipped in 2.00s"
