"""Names that people choose are shown in a Markdown report as they are, and mean nothing to Markdown."""

import pytest

from darla.reports.document import Bullets, Cell, Code, Document, Section, Table, Text, as_markdown
from darla.reports.html import to_html
from darla.reports.markdown import to_markdown


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain name, 1.5", "plain name, 1.5"),
        ("<b onclick=x>", "&lt;b onclick=x>"),
        ("R&D &lt;", "R&amp;D &amp;lt;"),
        ("[text](target)", r"[text\](target)"),
        ("[1.2, 3.4]", "[1.2, 3.4]"),
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. first", r"1\. first"),
        ("-1.5 nats", "-1.5 nats"),
        ("_slanted_", r"\_slanted\_"),
        ("run_1_b", "run_1_b"),
        ("a\n\n# b", "a  # b"),
        ("back\\slash", "back\\\\slash"),
        ("**bold** and `a < b & _c_`", "**bold** and `a < b & _c_`"),
    ],
)
def test_a_name_is_written_as_it_is(name: str, written: str) -> None:
    assert as_markdown(name) == written


def test_a_name_is_escaped_wherever_it_stands() -> None:
    name = "<i>x</i> | [y](z)"
    table = Table(name, (Cell("method"), Cell(name)), ((Cell(name), Cell("1", name)),), (name,))
    document = Document(name, name, (Section(name, (Text(name), Bullets((name,)), Code("```"), table)),))
    text, _ = to_markdown(document)
    assert "<i>" not in text
    assert "](z)" not in text.replace("\\](z)", "")
    assert "````text\n```\n````" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(line.replace("\\|", "").count("|") == 3 for line in rows)
    assert "<i>" not in to_html(document)
