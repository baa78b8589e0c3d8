"""Every table of figures in README and docs is listed with its command, and is as new as the study that made it."""

import re
import sys
from datetime import date
from pathlib import Path

import pytest

from darla.common import InputError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import doc_tables  # noqa: E402  (tools/ is no package)


def test_every_table_is_listed_with_its_command_and_its_study_has_not_changed_since() -> None:
    assert doc_tables.problems() == []


def test_each_table_has_a_commit_and_a_day() -> None:
    for entry in doc_tables.read_list():
        if "definitions" not in entry:
            assert re.fullmatch(r"[0-9a-f]{7,40}", str(entry["commit"])), entry
            assert date.fromisoformat(str(entry["date"])) <= date.today(), entry


def test_tables_of_figures_are_told_from_tables_of_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doc_tables, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n\n| word | meaning |\n|---|---|\n| D_U | frames of step 1 |\n\n"
        "## Two\n\n| method | score |\n|---|---:|\n| PPO | **10.2** |\n| DQN | – |\n\n"
        "| method | score |\n|---|---:|\n| PPO | -0.09 [-0.1, 0.2] |\n\n"
        "```\n| not | a table |\n|---|---|\n| 1 | 2 |\n```\n"
    )
    assert list(doc_tables.measured_tables(page)) == [
        doc_tables.Table("page.md", "Two", 1),
        doc_tables.Table("page.md", "Two", 2),
    ]


def test_another_task_in_a_study_leaves_the_digest_of_a_table_of_one_task_and_other_settings_do_not() -> None:
    assert doc_tables.study_digest("demo", "new_room") != doc_tables.study_digest("demo", "conjunction")
    assert doc_tables.study_digest("demo", "new_room") != doc_tables.study_digest("quick", "new_room")
    assert doc_tables.study_digest("demo") != doc_tables.study_digest("demo", "new_room")
    with pytest.raises(InputError, match="sim2sim"):
        doc_tables.study_digest("demo", "sim2sim")


@pytest.mark.parametrize("change", ["unlisted", "gone", "command", "settings"])
def test_each_kind_of_fault_is_reported(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = doc_tables.read_list()
    number = next(number for number, entry in enumerate(entries) if "study" in entry)
    if change == "unlisted":
        del entries[number]
    else:
        entries[number][{"gone": "heading", "command": "command", "settings": "settings"}[change]] = "something else"
    altered = tmp_path / "tables.json"
    altered.write_text(doc_tables.json.dumps(entries))
    monkeypatch.setattr(doc_tables, "LIST", altered)
    message = {
        "unlisted": "is not in docs/tables.json",
        "gone": "but not in the page",
        "command": "does not name the command",
        "settings": "have changed since the table was made",
    }[change]
    assert any(message in problem for problem in doc_tables.problems())
