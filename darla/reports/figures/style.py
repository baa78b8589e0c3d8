"""The style of all figures: fonts, colors, markers, legend, and how they become SVG or PNG.

Figures are drawn with the colors of `PALETTE` and no background. In the HTML report they are SVG whose colors are CSS
variables of the page, so that they follow it into dark mode.
"""

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from darla.evaluation.score_types import RANDOM, ScoredDomain

INK, MUTED, RULE = "#1b1d22", "#62666e", "#dcdcd6"
PALETTE = ("#858a93", "#c4501b", "#1f6fb2", "#12876a", "#8a4fa3", "#a87b00", "#3d4a9c", "#a33a5e")
"""Gray for the random agent, vermilion for the baseline, then the methods in their order."""
MARKERS = ("o", "s", "o", "D", "^", "v", "P", "X")
"""Shapes in the same order, so that no information is in the color alone."""

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 9.5,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "darla",
    "legend.frameon": False,
}
WIDTH = 9.4
"""Inches: the width of the report's column at 100 pixels per inch."""
_LINE, _MARK = 118, 7
"""Characters in a line of a legend, and characters that a mark takes."""
CROWD = len(PALETTE)
"""Largest number of methods with different colors in one panel; of more, each is labeled where it is drawn."""


def styles(methods: Sequence[str], baseline: str | None) -> dict[str, tuple[str, str]]:
    """Return a color and a marker for each method, the same in every figure.

    Args:
        methods: in the order of the tables.
        baseline: which of them is the baseline, if any.
    """
    look: dict[str, tuple[str, str]] = {}
    colors, shapes = PALETTE[2:], MARKERS[2:]
    others = 0
    for method in methods:
        if method == RANDOM:
            look[method] = PALETTE[0], MARKERS[0]
        elif method == baseline:
            look[method] = PALETTE[1], MARKERS[1]
        else:
            # When the colors repeat, shapes are shifted by one, so that a pair repeats after 36 methods only.
            look[method] = colors[others % len(colors)], shapes[(others + others // len(colors)) % len(shapes)]
            others += 1
    return look


def named_styles(methods: Sequence[str], baseline: str | None) -> dict[str, tuple[str, str]]:
    """Return a color and a marker for methods that are labeled where they are drawn.

    Those of `styles`, unless there are more methods than colors. Then all but the random agent and the baseline share
    one.
    """
    look = styles(methods, baseline)
    if len(methods) <= CROWD:
        return look
    return {name: look[name] if name in (RANDOM, baseline) else (PALETTE[2], MARKERS[2]) for name in methods}


def to_svg(figure: Figure, *, on_white: bool = False) -> str:
    """Return a figure as SVG, in which text remains text.

    Args:
        figure: drawn in the colors of this module.
        on_white: in its own size and colors, on white. Otherwise for a page: without a size, and with the page's CSS
            variables as colors.
    """
    data = io.StringIO()
    with matplotlib.rc_context(STYLE):
        ground = "white" if on_white else "none"
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None}, facecolor=ground)
    svg = data.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = svg.replace("font-family: 'DejaVu Sans'; ", "")
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Several figures share a page, where equal ids would clash; nothing refers to these.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    if on_white:
        return svg.replace("<svg ", '<svg font-family="DejaVu Sans, sans-serif" ', 1)
    names = {INK: "ink", MUTED: "muted", RULE: "rule", **{color: f"c{n}" for n, color in enumerate(PALETTE)}}
    for color, name in names.items():
        svg = svg.replace(color, f"var(--{name})")
    # The page sets the size of a figure; its aspect ratio is in the viewBox.
    head, rest = svg.split(">", 1)
    return re.sub(r' (?:width|height)="[^"]*"', "", head) + ">" + rest


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG on white."""
    data = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(data, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return data.getvalue()


def legend(figure: Figure, look: Mapping[str, tuple[str, str]], top: float, *, dashed: bool = False) -> None:
    """Put a legend of methods at the top left of a figure.

    Args:
        figure: without a legend.
        look: from `styles`.
        top: upper end, as a share of the figure's height.
        dashed: lines in place of marks; the random agent's is dashed.
    """
    handles = [
        Line2D([], [], color=color, linewidth=1.1, linestyle=(0, (4, 3)), label=method)
        if dashed and method == RANDOM
        else Line2D([], [], color=color, marker=marker, markersize=5.6, linewidth=2.0 if dashed else 0, label=method)
        for method, (color, marker) in look.items()
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.004, top),
        ncols=_columns(list(look)),
        fontsize=9.0,
        borderpad=0,
        borderaxespad=0,
        handletextpad=0.5,
        columnspacing=1.8,
    )


def legend_lines(names: Sequence[str]) -> int:
    """Return the number of lines in a legend of these methods; 0.2 inches each."""
    return -(-len(names) // _columns(names)) if names else 0


def _columns(names: Sequence[str]) -> int:
    """Return the largest number of columns that fit; Matplotlib fills them one after the other."""
    for columns in range(len(names), 1, -1):
        widths = [max(len(name) for name in column) for column in np.array_split(list(names), columns)]
        if sum(width + _MARK for width in widths) <= _LINE:
            return columns
    return 1


def short(name: str, width: int) -> str:
    """Return a name of at most `width` characters."""
    return textwrap.shorten(name, width, placeholder="…")


def split_label(domain: ScoredDomain) -> str:
    """Return the role of a domain as a figure names it."""
    if domain.split == "target":
        return f"target, leak: {domain.leak}"
    return {"source": "trained here", "validation": "source, new episodes"}.get(domain.split, domain.split)


def panel_title(panel: Axes, name: str, role: str = "", *, small: bool = False) -> None:
    """Write a panel's name above it, with its role below the name, if it has one."""
    panel.set_title(name, loc="left", pad=15 if role else 4, fontsize=8.0 if small else None)
    if role:
        panel.annotate(role, (0, 1), xytext=(0, 4), xycoords="axes fraction", textcoords="offset points", color=MUTED,
                       fontsize=8.0, annotation_clip=False)  # fmt: skip
