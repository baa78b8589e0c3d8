"""The README's commands are commands that there are."""

import shlex
from pathlib import Path

import pytest

from darla import cli

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def commands() -> list[str]:
    found, inside = [], False
    for line in README.splitlines():
        if line.startswith("```"):
            inside = line == "```bash"
        elif inside and line.startswith("darla "):
            found.append(line)
    return found


def test_the_readme_shows_every_verb() -> None:
    assert {command.split()[1] for command in commands()} == set(cli.VERBS)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_can_be_given(command: str) -> None:
    from darla import verbs

    _, verb, *words = shlex.split(command, comments=True)
    assert type(cli._parse(verbs.find(verb, words), verb, words)).__name__.lower() == verb


def test_the_python_of_the_readme_compiles() -> None:
    for part in README.split("```python\n")[1:]:
        compile(part.split("```")[0], "README.md", "exec")
