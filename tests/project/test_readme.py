"""The commands and the Python of README and docs/studies.md are such that they can be given."""

import shlex
from pathlib import Path

import pytest

from darla.cli import main as cli

ROOT = Path(__file__).resolve().parents[2]
README, STUDIES = ((ROOT / name).read_text() for name in ("README.md", "docs/studies.md"))


def commands(text: str) -> list[str]:
    found, inside = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = line == "```bash"
        elif inside and line.startswith("darla "):
            found.append(line)
    return found


def test_the_readme_shows_every_verb() -> None:
    assert {command.split()[1] for command in commands(README)} == set(cli.VERBS)


def test_the_page_on_studies_shows_every_verb_of_a_study() -> None:
    assert {command.split()[2] for command in commands(STUDIES)} == set(cli.STUDY_VERBS)


@pytest.mark.parametrize("command", [*commands(README), *commands(STUDIES)])
def test_a_command_that_is_shown_can_be_given(command: str) -> None:
    from darla.cli.commands import find

    verb, words = cli._verb(shlex.split(command, comments=True)[1:])
    assert type(cli._parse(find(verb, words), verb, words)).__name__.lower() == verb.replace(" ", "") + "command"


@pytest.mark.parametrize("text", [README, STUDIES], ids=["README", "studies"])
def test_the_python_that_is_shown_compiles(text: str) -> None:
    for part in text.split("```python\n")[1:]:
        compile(part.split("```")[0], "shown", "exec")


def test_the_study_that_is_shown_can_be_planned(tmp_path: Path) -> None:
    from darla.experiments.plan import plan
    from darla.experiments.study import Study

    shown = STUDIES.split("```python\n")[1].split("```")[0].partition("found = ")[0]
    names: dict[str, object] = {}
    exec(compile(shown, "studies.md", "exec"), names)
    study = names["study"]
    assert isinstance(study, Study)
    assert len(plan(study, tmp_path).transfers) == 2
