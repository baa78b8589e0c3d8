"""Write docs/faults.md: faults in users' environments, files and scripts, each with the sentence that it gets.

    .venv/bin/python tools/fault_page.py            # runs every fault, and writes the page

The faults are data, in `tests/helpers/faults.py`. `tests/project/test_faults.py` runs them as well, and fails where the
page says something else.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

from faults import FAULTS, Fault, sentence_of  # type: ignore[import-not-found]  # noqa: E402  (a helper of the tests)

PAGE = ROOT / "docs" / "faults.md"
_HEAD = """# What is said when something is wrong

Faults in environments, files and scripts, and the sentence that each gets. A fault of an environment is met by
`darla check`, which `darla collect` runs by itself before the first frame, unless it cannot be known before. With
`DARLA_DEBUG=1` the traceback is shown as well; in Python it is there anyway (`raise ... from`). The exit code is 2
(what begins with `warning` is told only).

This page is made by a command, which runs into every one of these faults; the tests compare it with what is said:

    .venv/bin/python tools/fault_page.py
"""


def lines(sentence: Callable[[Fault], str]) -> Iterator[str]:
    """Yield the page line by line.

    Args:
        sentence: of a fault.
    """
    yield _HEAD
    for group, faults in FAULTS.items():
        yield f"## {group}\n"
        for fault in faults:
            yield f"- **{fault.what}**\\\n  `` {sentence(fault)} ``\n"


def sentences() -> dict[str, str]:
    """Return what the page says of each fault, by its words."""
    by_fault: dict[str, str] = {}
    what = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("- **"):
            what = line.removeprefix("- **").removesuffix("**\\")
        elif line.startswith("  `` "):
            by_fault[what] = line.removeprefix("  `` ").removesuffix(" ``")
    return by_fault


def _run(fault: Fault) -> str:
    with tempfile.TemporaryDirectory() as folder:
        return str(sentence_of(fault, Path(folder)))


if __name__ == "__main__":
    PAGE.write_text("\n".join(lines(_run)))
    print(PAGE)
