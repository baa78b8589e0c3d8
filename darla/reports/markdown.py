"""A report as Markdown with its figures as PNG files, for repositories and notebooks."""

import io
import re
from collections.abc import Iterable

from matplotlib.figure import Figure

from darla.reports.document import (
    Block,
    Bullets,
    Code,
    Collapsible,
    Document,
    ExplorerBlock,
    FigureBlock,
    Film,
    Section,
    Table,
    Text,
    as_markdown,
)
from darla.reports.figures.style import to_png, to_svg

FIGURES = "figures"
"""Folder of the figures, beside the Markdown file."""


def to_markdown(document: Document) -> tuple[str, dict[str, bytes]]:
    """Return the text of the report, and the files of its figures by their path relative to the text.

    Each is a PNG; those that were drawn from numbers also have an SVG and their numbers as CSV.
    """
    writer = _Writer()
    parts = [f"# {as_markdown(document.title)}", as_markdown(document.subtitle)]
    parts += [part for section in document.sections for part in writer.section(section, 2)]
    return "\n\n".join(parts) + "\n", writer.images


class _Writer:
    """Counts figures and tables while the text is written, and collects the figures."""

    def __init__(self) -> None:
        self.images: dict[str, bytes] = {}
        self._figures = self._tables = 0

    def section(self, section: Section, level: int) -> list[str]:
        return [f"{'#' * min(level, 6)} {as_markdown(section.title)}", *self._blocks(section.blocks, level + 1)]

    def _blocks(self, blocks: Iterable[Block], level: int) -> list[str]:
        return [part for block in blocks for part in self._block(block, level)]

    def _block(self, block: Block, level: int) -> list[str]:
        match block:
            case Text(words):
                return [as_markdown(words)]
            case Bullets(items):
                return ["\n".join(f"- {as_markdown(item)}" for item in items)]
            case Code(text):
                fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
                return [f"{fence}text\n{text}\n{fence}"]
            case Collapsible(summary, blocks, _):
                return [f"**{as_markdown(summary)}**", *self._blocks(blocks, level)]
            case Section():
                return self.section(block, level)
            case Table():
                self._tables += 1
                table = block.without_blank_columns()
                return [f"**Table {self._tables}.** {as_markdown(table.caption)}", table.markdown()]
            case FigureBlock():
                return self._figure(block)
            case ExplorerBlock():
                return ["The latents can be moved in the HTML report."]

    def _figure(self, figure: FigureBlock) -> list[str]:
        self._figures += 1
        path = f"{FIGURES}/{self._figures:02d}-{_file_name(figure.name)}.png"
        if isinstance(figure.content, Film):
            file = path.removesuffix("png") + figure.content.kind
            self.images[file] = figure.content.data
            shown = "!" if figure.content.kind == "gif" else ""
            alt = as_markdown(figure.alt.replace("[", "(").replace("]", ")"))
            return [f"{shown}[{alt}]({file})", f"**Figure {self._figures}.** {as_markdown(figure.caption)}"]
        if isinstance(figure.content, Figure):
            self.images[path] = to_png(figure.content)
        else:
            data = io.BytesIO()
            figure.content.save(data, "PNG", optimize=True)
            self.images[path] = data.getvalue()
        files = []
        if isinstance(figure.content, Figure):
            files.append(self._beside(path, ".svg", to_svg(figure.content, on_white=True).encode()))
        if figure.data is not None:
            files.append(self._beside(path, ".csv", figure.data.csv().encode()))
        more = f" ({', '.join(files)})" if files else ""
        alt = as_markdown(figure.alt.replace("[", "(").replace("]", ")"))
        return [f"![{alt}]({path})", f"**Figure {self._figures}.** {as_markdown(figure.caption)}{more}"]

    def _beside(self, path: str, ending: str, data: bytes) -> str:
        """Keep a further file of a figure, and return a link to it."""
        file = path.removesuffix(".png") + ending
        self.images[file] = data
        return f"[{ending.removeprefix('.').upper()}]({file})"


def _file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
