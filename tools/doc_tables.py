"""List the tables of README and docs that hold measured figures, and check that each is still what its command gives.

    .venv/bin/python tools/doc_tables.py                       # what is wrong, if anything
    .venv/bin/python tools/doc_tables.py --made docs/results.md "The demonstration"

`docs/tables.json` has one entry for each such table: where it stands, the command that makes it, the commit at which it
was made, and, where the command runs a study, the digest of that study's settings. A table whose study has changed
since is reported; `--made` says that the tables of a section have been made again at the present commit. A table that
defines things and measures nothing has `definitions` in place of a command.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from darla.common import unknown_name
from darla.common.files import json_sha256
from darla.common.json_records import to_json
from darla.envs import tasks
from darla.experiments.studies import named_study

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "docs" / "tables.json"
_SEPARATOR = re.compile(r"\|[-:| ]+\|")
_FIGURE = re.compile(r"(?<![\w-])[-−+]?\d*\.?\d+(?![\w-])")


@dataclass(frozen=True)
class Table:
    """A table of a document."""

    page: str
    """Path below the root of the repository."""
    heading: str
    """The heading that it stands under."""
    number: int
    """Its place among the tables under that heading that hold figures, from 1."""

    def __str__(self) -> str:
        return f"{self.page}, {self.heading!r}, table {self.number}"


def pages() -> list[Path]:
    """Return README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def measured_tables(page: Path) -> Iterator[Table]:
    """Yield the tables of a page in which at least half of the rows have a cell that is a figure."""
    lines = page.read_text(encoding="utf-8").splitlines()
    heading, count, in_code = "", 0, False
    for number, line in enumerate(lines):
        if line.startswith("```"):
            in_code = not in_code
        if in_code:
            continue
        if line.startswith("#"):
            heading, count = line.lstrip("# "), 0
        if line.startswith("|") and number + 1 < len(lines) and _SEPARATOR.fullmatch(lines[number + 1].strip()):
            rows = []
            for row in lines[number + 2 :]:
                if not row.startswith("|"):
                    break
                rows.append(row.strip("|").split("|")[1:])
            figures = sum(any(_FIGURE.match(cell.strip().strip("*")) for cell in row) for row in rows)
            if 2 * figures >= len(rows):
                count += 1
                yield Table(str(page.relative_to(ROOT)), heading, count)


def study_digest(name: str, task: str | None = None) -> str:
    """Return a digest of what determines a study's figures, the code apart: its settings and its tasks.

    Args:
        name: a study of scale `small`, or a demonstration.
        task: leave the study's other tasks out, for a table of one task; a task that is added changes nothing there.

    Raises:
        InputError: there is no such study, or it does not have the task.
    """
    study = named_study(name)
    if task is not None:
        if task not in study.tasks:
            raise unknown_name(f"task of study {name!r}:", task, study.tasks)
        methods = tuple(replace(each, tasks=None) for each in study.methods if each.takes_part_in(task))
        study = replace(study, tasks=(task,), methods=methods)
    # As they are where the study runs: with what they leave to the world.
    source = tasks.get(study.tasks[0]).source
    study = replace(study, methods=tuple(replace(each, act=each.act.for_domain(source)) for each in study.methods))
    record = {"study": to_json(study), "tasks": {each: tasks.get(each).to_dict() for each in study.tasks}}
    del record["study"]["about"]
    return json_sha256(record)[:16]


def digest_of(entry: Mapping[str, str | int]) -> str:
    """Return the digest of the study that an entry of `docs/tables.json` names."""
    return study_digest(str(entry["study"]), str(entry["task"]) if "task" in entry else None)


def read_list() -> list[dict[str, str | int]]:
    """Return the entries of `docs/tables.json`."""
    entries: list[dict[str, str | int]] = json.loads(LIST.read_text(encoding="utf-8"))
    return entries


def problems() -> list[str]:
    """Return what is wrong with the list, one sentence each; empty if nothing is."""
    entries = {Table(str(e["page"]), str(e["heading"]), int(e["number"])): e for e in read_list()}
    there = [table for page in pages() for table in measured_tables(page)]
    wrong = [f"{table} is not in docs/tables.json" for table in there if table not in entries]
    wrong += [f"{table} is in docs/tables.json, but not in the page" for table in entries if table not in there]
    for table, entry in entries.items():
        if "definitions" in entry:
            continue
        text = " ".join((ROOT / table.page).read_text(encoding="utf-8").replace("\\\n", " ").split())
        if str(entry["command"]) not in text:
            wrong.append(f"{table}: the page does not name the command {entry['command']!r}")
        if "study" in entry and entry["settings"] != digest_of(entry):
            wrong.append(
                f"{table}: the settings of study {entry['study']!r} have changed since the table was made at "
                f"{entry['commit']}; make it again by {entry['command']!r}, then give `python tools/doc_tables.py "
                f'--made {table.page} "{table.heading}"`'
            )
    return wrong


def mark_as_made(page: str, heading: str) -> int:
    """Write the present commit, day and settings into the entries of one section; return how many there are."""
    commit, day = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%h %cs"], capture_output=True, text=True, check=True
    ).stdout.split()
    entries = read_list()
    count = 0
    for entry in entries:
        if (entry["page"], entry["heading"]) == (page, heading):
            count += 1
            entry.update(commit=commit, date=day)
            if "study" in entry:
                entry["settings"] = digest_of(entry)
    LIST.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Report what is wrong, or say that tables have been made again."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--made", nargs=2, metavar=("PAGE", "HEADING"), help="the section whose tables were made again")
    options = parser.parse_args(arguments)
    if options.made and mark_as_made(*options.made) == 0:
        print(f"error: docs/tables.json has no table of {options.made[0]}, {options.made[1]!r}", file=sys.stderr)
        return 2
    wrong = problems()
    print("\n".join(wrong) or f"{len(read_list())} tables, each with the command that makes it")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
