"""README and docs are true: commands can be given, Python compiles, tables name the command that made them."""

import json
import re
import shlex
from pathlib import Path

import pytest

from darla.cli.main import parse
from darla.cli.verbs import VERBS
from darla.envs.domains.task_files import task_from_dict

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PLACEHOLDERS = {"OPTIONS": "", "SEED": "0", "PRESET": "beta-1", "TASK": "conjunction", "...": ""}
"""What documents write where a reader has a choice."""
NO_MODULES = {"darla.models", "darla.algorithms", "darla.worlds", "darla.tasks", "darla.NAME"}
"""Groups of entry points, and a placeholder."""


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Return the commands of darla that a page shows in its blocks of shell, one for each line."""
    lines = [line for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith("darla ")]


def verb_and_words(command: str) -> tuple[str, list[str]]:
    words = [PLACEHOLDERS.get(word, word) for word in shlex.split(command, comments=True)[1:]]
    words = [word for word in words if word]
    size = 2 if " ".join(words[:2]) in VERBS else 1
    return " ".join(words[:size]), words[size:]


SHOWN = [(page, command) for page in PAGES for command in commands(page)]


@pytest.mark.parametrize(
    ("page", "command"), SHOWN, ids=[f"{page.relative_to(ROOT)}: {command[:60]}" for page, command in SHOWN]
)
def test_a_command_that_is_shown_can_be_given(page: Path, command: str) -> None:
    verb, words = verb_and_words(command)
    assert verb in VERBS
    parse(verb, words)


def test_readme_and_docs_show_every_verb() -> None:
    assert {verb_and_words(command)[0] for _, command in SHOWN} == set(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_and_json_that_are_shown_can_be_read(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")
    for block in blocks(page, "json"):
        data = json.loads(block)
        if "unlabeled" in data:
            task_from_dict(data)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_that_are_named_exist(page: Path) -> None:
    from importlib import import_module

    for name in set(re.findall(r"`(darla(?:\.\w+)+)", page.read_text())) - NO_MODULES:
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            try:
                thing = import_module(".".join(parts[:end]))
            except ModuleNotFoundError:
                continue
            for attribute in parts[end:]:
                thing = getattr(thing, attribute)
            break
        else:
            raise AssertionError(f"{name} does not exist")


def test_the_study_that_is_shown_can_be_planned(tmp_path: Path) -> None:
    from darla.experiments.plan import plan
    from darla.experiments.study import Study

    (program,) = blocks(ROOT / "docs" / "studies.md", "python")[:1]
    names: dict[str, object] = {}
    exec(compile(re.split(r"^\w+ = darla\.run_study", program, flags=re.MULTILINE)[0], "studies.md", "exec"), names)
    (study,) = (value for value in names.values() if isinstance(value, Study))
    assert len(plan(study, tmp_path).transfers) == 2
