"""Tables for other programs: LaTeX that compiles, CSV that a spreadsheet reads."""

import csv
import io
import re
from pathlib import Path

from darla.reports.csv_latex import to_csv, to_latex, write_tables
from darla.reports.document import Cell, Collapsible, Document, Section, Table

TABLE = Table(
    "100 % of **β-VAE_DAE**",
    (Cell("method"), Cell("a & b", "leak: none"), Cell("c")),
    (
        (Cell("50 % #1 {x} ~ ^ \\ $"), Cell("−0.23", "[−1.00, ∞]†"), Cell("–")),
        (Cell("`code`, *thin*"), Cell("**9.27**", "[8.78, 9.55]"), Cell("2.0×")),
    ),
    ("p < 0.05.",),
)


def test_latex_has_a_row_for_each_row_and_a_place_for_each_column():
    said = to_latex(TABLE, "scores")
    assert r"\begin{tabular}{lrr}" in said
    assert r"\label{tab:scores}" in said
    rows = [line for line in said.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 2 + len(TABLE.rows)  # details of the heading in a line of their own
    assert all(len(re.findall(r"(?<!\\)&", row)) == 2 for row in rows)
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert said.count(rule) == 1
    assert said.count(r"\begin{") == said.count(r"\end{") == 2


def test_latex_says_what_the_table_says_and_runs_nothing():
    said = to_latex(TABLE)
    assert r"\caption{100 \% of \textbf{$\beta$-VAE\_DAE}}" in said
    assert r"50 \% \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$" in said
    assert r"$-$0.23 {\scriptsize [$-$1.00, $\infty$]$^\dagger$}" in said
    assert r"\texttt{code}, \emph{thin} & \textbf{9.27} {\scriptsize [8.78, 9.55]} & 2.0$\times$ \\" in said
    depth = 0
    for letter in re.sub(r"\\[{}]", "", said):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0


def test_csv_holds_numbers_as_programs_read_them():
    header, first, second = csv.reader(io.StringIO(to_csv(TABLE)))
    assert header == ["method", "a & b leak: none", "a & b leak: none (detail)", "c"]
    assert first[1:] == ["-0.23", "[-1.00, ∞]†", ""]
    assert float(first[1]) == -0.23
    assert second == ["code, *thin*", "9.27", "[8.78, 9.55]", "2.0×"]


def test_every_table_of_a_document_is_written_wherever_it_stands(tmp_path: Path):
    document = Document("t", "", (Section("s", (TABLE, Collapsible("more", (Section("deep", (TABLE,)),)))),))
    write_tables(document, tmp_path)
    names = sorted(path.name for path in (tmp_path / "tables").iterdir())
    assert names == [f"0{n}-100-of-vae-dae.{kind}" for n in (1, 2) for kind in ("csv", "tex")]
