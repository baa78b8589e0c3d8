"""Tables as files for other programs: LaTeX for a paper, CSV for a spreadsheet."""

import re
from collections.abc import Iterable
from pathlib import Path

from darla.common.csv_rows import csv_text
from darla.common.files import write_bytes
from darla.reports.document import Block, Cell, Collapsible, Document, Section, Table

FOLDER = "tables"
"""Folder of a document's tables, beside it."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "×": r"$\times$",
    "∞": r"$\infty$",
    "±": r"$\pm$",
    "†": r"$^\dagger$",
    "–": "--",
    "\u00a0": "~",
    "²": "$^2$",
}
_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "λ": "lambda", "ρ": "rho", "σ": "sigma", "τ": "tau"}
_SPECIAL = str.maketrans(_LATEX | {letter: rf"$\{name}$" for letter, name in _GREEK.items()})


def to_latex(table: Table, label: str = "") -> str:
    """Return a table as a LaTeX float; it needs no package but booktabs.

    The details of headings are a second line of the header. A cell's detail follows it in a smaller size.

    Args:
        table: its captions and cells may use `**bold**`, `*emphasis*` and code in backquotes.
        label: to refer to it by, as `tab:label`; none if empty.
    """
    places = "l" * table.labels + "r" * (len(table.header) - table.labels)
    heads = [" & ".join(_latex(cell.text) for cell in table.header)]
    if any(cell.detail for cell in table.header):
        heads.append(" & ".join(_small(cell.detail) for cell in table.header))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(table.caption)}}}",
        *([rf"\label{{tab:{label}}}"] if label else []),
        rf"\begin{{tabular}}{{{places}}}",
        r"\toprule",
        *(rf"{line} \\" for line in heads),
        r"\midrule",
        *(rf"{' & '.join(map(_latex_cell, row))} \\" for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {_latex(note)}\par}}" for note in table.notes),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """Return a table as CSV. Where cells of a column have details, these are a column of their own."""
    detailed = [any(row[place].detail for row in table.rows) for place in range(len(table.header))]
    header = _split([Cell(_plain(f"{cell.text} {cell.detail}")) for cell in table.header], detailed, "detail")
    return csv_text(header, [_split(row, detailed) for row in table.rows])


def write_tables(document: Document, out: Path) -> None:
    """Write every table of a document as `tables/NN-caption.csv` and `.tex`, numbered as on the page."""
    for number, table in enumerate(_tables(document.sections), 1):
        stem = f"{number:02d}-{re.sub(r'[^a-z0-9]+', '-', table.caption.lower()).strip('-')[:60]}"
        write_bytes(out / FOLDER / f"{stem}.csv", to_csv(table).encode())
        write_bytes(out / FOLDER / f"{stem}.tex", to_latex(table, stem).encode())


def _tables(blocks: Iterable[Block]) -> Iterable[Table]:
    for block in blocks:
        if isinstance(block, Table):
            yield block.without_blank_columns()
        elif isinstance(block, Section | Collapsible):
            yield from _tables(block.blocks)


def _split(row: Iterable[Cell], detailed: list[bool], heading: str = "") -> list[str]:
    cells: list[str] = []
    for cell, has_detail in zip(row, detailed, strict=True):
        cells.append(_plain(cell.text))
        if has_detail:
            cells.append(f"{_plain(cell.text)} ({heading})" if heading else _plain(cell.detail))
    return cells


def _plain(text: str) -> str:
    """Return text without markup, with an ASCII minus sign, and empty where there is no number."""
    bare = re.sub(r"\*\*(.+?)\*\*|`(.+?)`", lambda match: match[1] or match[2], text).replace("\u00a0", " ").strip()
    return "" if bare == "–" else bare.replace("−", "-")


def _latex_cell(cell: Cell) -> str:
    return f"{_latex(cell.text)} {_small(cell.detail)}".strip()


def _small(detail: str) -> str:
    return rf"{{\scriptsize {_latex(detail)}}}" if detail else ""


def _latex(text: str) -> str:
    latex = text.translate(_SPECIAL)
    latex = re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", latex)
    latex = re.sub(r"(?<![\w*])\*(\S(?:[^*]*\S)?)\*(?![\w*])", r"\\emph{\1}", latex)
    return re.sub(r"`(.+?)`", r"\\texttt{\1}", latex)
