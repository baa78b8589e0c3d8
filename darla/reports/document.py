"""The parts of a report, before it is written as HTML or Markdown: text, tables and figures in sections.

Text may use `**bold**`, `*emphasis*` and code in backquotes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from matplotlib.figure import Figure
from PIL import Image

from darla.common.csv_rows import csv_text

_CODE = re.compile(r"(`[^`]+`)")


def as_markdown(words: str) -> str:
    """Return text of a report as Markdown, in which names that people chose mean nothing but themselves.

    Bold, emphasis and code stay; HTML, links, headings and lists are shown as they are written, as in the HTML report.
    """
    parts = _CODE.split(" ".join(words.splitlines()))
    # Every second part is code, in which Markdown escapes nothing.
    text = "".join(part if number % 2 else _escaped(part) for number, part in enumerate(parts))
    return re.sub(r"^(\s*)([#>+-]|\d+[.)])(?=\s|$)", lambda start: f"{start[1]}{start[2][:-1]}\\{start[2][-1]}", text)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)  # what would make a link
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


BLANK = ("", "–")
"""What a cell without a number shows."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    detail: str = ""
    """Shown smaller: an interval, a leak level."""


@dataclass(frozen=True)
class Table:
    """A table; its first columns name the rows."""

    caption: str
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    """Sentences below the table."""
    labels: int = 1
    """Number of columns of words at the left; the columns after them are numbers and are right-aligned."""
    last: int = 0
    """Number of rows at the end that stay there when a reader sorts the others: a chance level, a sum."""

    def without_blank_columns(self) -> "Table":
        """Return the table without those columns of numbers in which no row has one."""
        kept = [
            place
            for place in range(len(self.header))
            if place < self.labels or any(row[place].text not in BLANK or row[place].detail for row in self.rows)
        ]
        if len(kept) in (len(self.header), self.labels):
            return self

        def picked(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
            return tuple(row[place] for place in kept)

        return replace(self, header=picked(self.header), rows=tuple(map(picked, self.rows)))

    @property
    def is_sortable(self) -> bool:
        """Whether rows can change places: there are several, and none continues the one above it."""
        return len(self.rows) - self.last > 2 and all(row[0].text for row in self.rows)

    def transposed(self) -> "Table":
        """Return the table with its rows as columns."""
        header, *rows = zip(self.header, *self.rows, strict=True)
        return Table(self.caption, header, tuple(rows), self.notes)

    def markdown(self) -> str:
        """Return the table as Markdown with aligned columns."""
        rows = [[as_markdown(_joined(cell)).replace("|", "\\|") for cell in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rule = [
            "-" * max(3, width) if number < self.labels else "-" * max(2, width - 1) + ":"
            for number, width in enumerate(widths)
        ]
        lines = ["| " + " | ".join(self._pad(row, widths)) + " |" for row in (rows[0], rule, *rows[1:])]
        return "\n".join([*lines, *(f"\n{as_markdown(note)}" for note in self.notes)])

    def terminal(self) -> str:
        """Return the table as plain text for a terminal."""
        rows = [[_joined(cell) for cell in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
        lines = ["  ".join(self._pad(row, widths)).rstrip() for row in rows]
        return "\n".join([self.caption, "", lines[0], rule, *lines[1:], rule, *self.notes])

    def _pad(self, row: list[str], widths: list[int]) -> list[str]:
        return [
            cell.ljust(width) if number < self.labels else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]


@dataclass(frozen=True)
class FigureData:
    """The numbers that a figure was drawn from."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]

    def csv(self) -> str:
        """Return them as CSV."""
        return csv_text(self.columns, self.rows)


@dataclass(frozen=True)
class Film:
    """Moving images."""

    data: bytes
    """The file's content."""
    kind: Literal["mp4", "gif"]
    width: int
    height: int


@dataclass(frozen=True)
class FigureBlock:
    """A figure, an image or a film, with a caption."""

    name: str
    """Unique within the report; the stem of its file name in the Markdown report."""
    content: Figure | Image.Image | Film
    caption: str
    alt: str
    """Alternative text."""
    ground: Literal["page", "white"] = "page"
    """`white` for images with dark labels, which need a white background on a dark page."""
    data: FigureData | None = None
    """What it was drawn from; None for an image, which is its own data."""


@dataclass(frozen=True)
class ExplorerBlock:
    """Sliders that move the latents of an encoder; only in the HTML report."""

    name: str
    """Unique within the report."""
    data: Mapping[str, Any]
    """From `darla.reports.explorer.embedded`."""
    words: str = ""
    """A paragraph above it; a report without it does not have the paragraph either."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Preformatted commands or numbers."""

    text: str


@dataclass(frozen=True)
class Collapsible:
    """Blocks that can be collapsed to a line of text."""

    summary: str
    blocks: tuple["Block", ...]
    opened: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and the blocks below it."""

    title: str
    blocks: tuple["Block", ...]


Block = Text | Bullets | Code | Table | FigureBlock | ExplorerBlock | Collapsible | Section


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]


def _joined(cell: Cell) -> str:
    return f"{cell.text} {cell.detail}" if cell.detail else cell.text
