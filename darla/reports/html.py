"""A report as one self-contained HTML page: no request to any host, which the page itself forbids the browser."""

import base64
import re
from collections.abc import Iterable
from html import escape

from matplotlib.figure import Figure

from darla.reports.document import (
    Block,
    Bullets,
    Cell,
    Code,
    Collapsible,
    Document,
    ExplorerBlock,
    FigureBlock,
    Film,
    Section,
    Table,
    Text,
)
from darla.reports.explorer.page import explorer_part, explorer_script, explorer_style
from darla.reports.figures.style import to_svg
from darla.reports.inline import asset, data_url

_WEBP_QUALITY = 90
_ALLOWED = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; media-src data:"
)
"""What the browser may load: what is in the page."""
_SMALL = 900
"""Pixels up to which an image is shown in its own size and not stretched to the width of the column."""


def to_html(document: Document) -> str:
    """Return the whole page."""
    page = _Page()
    body = "".join(page.section(section, 2) for section in document.sections)
    links = "".join(
        f'<a href="#{_anchor(section.title)}">{_inline(section.title)}</a> ' for section in document.sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">\n'
        f"<title>{escape(document.title)}</title>\n"
        f"<style>\n{asset('report.css')}{explorer_style() if page.explorers else ''}</style>\n"
        "</head>\n<body>\n"
        f"<header>\n<h1>{_inline(document.title)}</h1>\n"
        f'<p class="subtitle">{_inline(document.subtitle)}</p>\n'
        f'<nav aria-label="Sections">{links}</nav>\n</header>\n<main>\n{body}</main>\n'
        "<footer>Written by darla. This page is self-contained.</footer>\n"
        f"<script>\n{asset('report.js')}{explorer_script() if page.explorers else ''}</script>\n"
        "</body>\n</html>\n"
    )


class _Page:
    """Counts sections, figures and tables while the page is written."""

    def __init__(self) -> None:
        self._sections = self._figures = self._tables = self.explorers = 0

    def section(self, section: Section, level: int) -> str:
        count = ""
        if level == 2:
            self._sections += 1
            count = f'<span class="count">{self._sections}</span>'
        inside = self._blocks(section.blocks, level + 1)
        anchor = f' id="{_anchor(section.title)}"' if level == 2 else ""
        tag = f"h{min(level, 6)}"
        return f"<section{anchor}>\n<{tag}>{count}{_inline(section.title)}</{tag}>\n{inside}</section>\n"

    def _blocks(self, blocks: Iterable[Block], level: int) -> str:
        return "".join(self._block(block, level) for block in blocks)

    def _block(self, block: Block, level: int) -> str:
        match block:
            case Text(words):
                return f"<p>{_inline(words)}</p>\n"
            case Bullets(items):
                return "<ul>\n" + "".join(f"<li>{_inline(item)}</li>\n" for item in items) + "</ul>\n"
            case Code(text):
                return f"<pre><code>{escape(text)}</code></pre>\n"
            case Collapsible(summary, blocks, opened):
                inside = self._blocks(blocks, level)
                state = " open" if opened else ""
                return f"<details{state}>\n<summary>{_inline(summary)}</summary>\n{inside}</details>\n"
            case Section():
                return self.section(block, level)
            case Table():
                return self._table(block)
            case FigureBlock():
                return self._figure(block)
            case ExplorerBlock():
                self.explorers += 1
                above = f"<p>{_inline(block.words)}</p>\n" if block.words else ""
                return above + explorer_part(block.data, f"explorer-{self.explorers}")

    def _table(self, table: Table) -> str:
        self._tables += 1
        table = table.without_blank_columns()
        head = "".join(_cell("th", cell, number, table.labels, "col") for number, cell in enumerate(table.header))
        rows = []
        for row in table.rows:
            cells = [
                _cell("th" if number == 0 else "td", cell, number, table.labels, "row" if number == 0 else "")
                for number, cell in enumerate(row)
            ]
            # A row without a name belongs to the row above.
            continued = "" if row[0].text else ' class="on"'
            rows.append(f"<tr{continued}>{''.join(cells)}</tr>\n")
        notes = "".join(f'<p class="notes">{_inline(note)}</p>\n' for note in table.notes)
        name = f"table-{self._tables}"
        sortable = ' class="sortable"' if table.is_sortable else ""
        end = len(rows) - table.last
        body = f"<tbody>\n{''.join(rows[:end])}</tbody>\n"
        body += f"<tfoot>\n{''.join(rows[end:])}</tfoot>\n" if table.last else ""
        return (
            f'<div class="table">\n<p class="caption" id="{name}"><b>Table {self._tables}.</b> '
            f'{_inline(table.caption)}</p>\n<div class="scroll"><table{sortable} aria-labelledby="{name}">\n'
            f"<thead><tr>{head}</tr></thead>\n{body}</table></div>\n{notes}</div>\n"
        )

    def _figure(self, figure: FigureBlock) -> str:
        self._figures += 1
        if isinstance(figure.content, Figure):
            label = f'role="img" aria-label="{escape(figure.alt)}"'
            svg = to_svg(figure.content, on_white=figure.ground == "white")
            svg = svg.replace("<svg", f"<svg {label}", 1)
            markup = f'<div class="scroll">{svg}</div>'
        elif isinstance(figure.content, Film):
            markup = _film(figure.content, figure.alt)
        else:
            image = figure.content
            kind = ' class="small"' if image.width <= _SMALL else ' class="tall"' if image.height > image.width else ""
            markup = (
                f'<img{kind} src="{data_url(image, _WEBP_QUALITY)}" width="{image.width}" height="{image.height}" '
                f'alt="{escape(figure.alt)}" loading="lazy">'
            )
        if figure.ground == "white":
            markup = f'<div class="white">{markup}</div>'
        caption = f"<figcaption><b>Figure {self._figures}.</b> {_inline(figure.caption)}</figcaption>"
        return f"<figure>\n{markup}\n{caption}\n{self._files(figure)}</figure>\n"

    def _files(self, figure: FigureBlock) -> str:
        """Return links to the numbers that a figure was drawn from; the script adds one to its SVG."""
        if figure.data is None:
            return ""
        name = f"{self._figures:02d}-{_anchor(figure.name)}"
        data = base64.b64encode(figure.data.csv().encode()).decode()
        link = f'<a download="{name}.csv" href="data:text/csv;base64,{data}">Data (CSV)</a>'
        return f'<p class="files" data-name="{name}">{link}</p>\n'


def _film(film: Film, alt: str) -> str:
    """Return a film: a video that is started by the reader, or an animated image."""
    size = f'width="{film.width}" height="{film.height}"'
    data = base64.b64encode(film.data).decode()
    if film.kind == "gif":
        return f'<img class="film" src="data:image/gif;base64,{data}" {size} alt="{escape(alt)}" loading="lazy">'
    return (
        f'<video class="film" controls loop muted playsinline preload="metadata" {size} '
        f'aria-label="{escape(alt)}" src="data:video/mp4;base64,{data}"></video>'
    )


def _cell(tag: str, cell: Cell, column: int, labels: int, scope: str) -> str:
    detail = f"<small>{escape(cell.detail)}</small>" if cell.detail else ""
    kind = "word" if column < labels else "number"
    scoped = f' scope="{scope}"' if scope else ""
    return f'<{tag} class="{kind}"{scoped}>{_inline(cell.text)}{detail}</{tag}>'


def _inline(words: str) -> str:
    """Return text as HTML, with bold, emphasis and code."""
    html = escape(words, quote=False)
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    html = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html)
    return re.sub(r"(?<![\w*])\*(\S(?:.*?\S)?)\*(?![\w*])", r"<em>\1</em>", html)


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
