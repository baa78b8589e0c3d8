"""Figures of a transfer, as Matplotlib figures: for the report, and for anyone's paper.

Each is drawn with the colours of `PALETTE` and no background. The report puts them into its page as SVG whose
colours are the page's own, so that they follow it into dark mode.
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
from matplotlib.ticker import FuncFormatter, MaxNLocator

from darla.scores import RANDOM

INK, MUTED, RULE = "#1b1d22", "#62666e", "#dcdcd6"
PALETTE = ("#858a93", "#c4501b", "#1f6fb2", "#12876a", "#8a4fa3", "#a87b00", "#3d4a9c", "#a33a5e")
"""Grey for the random agent, vermilion for the baseline, then the methods in their order."""
MARKERS = ("o", "s", "o", "D", "^", "v", "P", "X")
"""Shapes in the same order: colour alone carries nothing."""

_STYLE: dict[Any, Any] = {
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
_WIDTH = 9.4
"""Inches; at 100 units an inch the width of the report's column."""

Curves = Mapping[tuple[str, str], Mapping[int, Sequence[tuple[int, float]]]]
"""By method and domain, for each seed the pairs of environment steps and mean return."""


def styles(methods: Sequence[str], baseline: str | None) -> dict[str, tuple[str, str]]:
    """Return a colour and a marker for each method, the same in every figure.

    Args:
        methods: in the order of the tables.
        baseline: which of them is the baseline, if any.
    """
    found: dict[str, tuple[str, str]] = {}
    colors, shapes = PALETTE[2:], MARKERS[2:]
    others = 0
    for method in methods:
        if method == RANDOM:
            found[method] = PALETTE[0], MARKERS[0]
        elif method == baseline:
            found[method] = PALETTE[1], MARKERS[1]
        else:
            # Where colours begin again, shapes go on by one, so that a pair comes back after 36 methods only.
            found[method] = colors[others % len(colors)], shapes[(others + others // len(colors)) % len(shapes)]
            others += 1
    return found


def score_figure(scores: Mapping[str, Any]) -> Figure:
    """Draw return by domain and method: the mean, its interval, and every seed as a dot.

    Args:
        scores: the content of `scores.json`.
    """
    methods = scores["methods"]
    look = styles([method["method"] for method in methods], scores["anchors"]["baseline"])
    domains = scores["domains"]
    pitch, gap = 0.165, 0.27
    block = len(methods) * pitch + gap
    with matplotlib.rc_context(_STYLE):
        figure, axes, top = _canvas(len(domains) * block, look)
        for number, domain in enumerate(domains):
            start = number * block + gap / 2
            if number:
                axes.axhline(number * block, color=RULE, linewidth=0.8, clip_on=False)
            _domain_label(axes, domain, start + (len(methods) - 1) * pitch / 2)
            for row, method in enumerate(methods):
                _draw_score(axes, method, domain["name"], start + row * pitch, look[method["method"]])
        axes.set_ylim(len(domains) * block, 0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.tick_params(length=0)
        axes.set_xlabel("return per episode")
        _legend(figure, look, top)
    return figure


def curve_figure(curves: Curves, scores: Mapping[str, Any]) -> Figure:
    """Draw return against environment steps of training, a panel for each domain.

    Thick lines are means over seeds, thin ones single seeds; the dashed line is the random agent.

    Args:
        curves: what `curves.csv` holds.
        scores: the content of `scores.json`, for the order of methods and the random agent.
    """
    look = styles([method["method"] for method in scores["methods"]], scores["anchors"]["baseline"])
    shown = [domain for domain in scores["domains"] if any(key[1] == domain["name"] for key in curves)]
    # Four panels fill two rows of two; other numbers leave least room empty in rows of three.
    columns = 2 if len(shown) == 4 else min(3, len(shown))
    rows = -(-len(shown) // columns)
    with matplotlib.rc_context(_STYLE):
        height = rows * 2.25 + 0.75
        figure = Figure(figsize=(_WIDTH, height))
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for panel, domain in zip(grid.flat, shown, strict=False):
            _draw_curves(panel, curves, domain["name"], look)
            random = scores["anchors"]["random_return"].get(domain["name"])
            if random is not None:
                panel.axhline(random, color=PALETTE[0], linewidth=1.1, linestyle=(0, (4, 3)))
            _panel_title(panel, domain)
        for panel in grid.flat[len(shown) :]:
            panel.set_visible(False)
        for number, panel in enumerate(grid.flat[: len(shown)]):
            if number % columns == 0:
                panel.set_ylabel("return")
            if number + columns >= len(shown):
                panel.set_xlabel("environment steps in the source")
                panel.tick_params(labelbottom=True)
        figure.subplots_adjust(
            left=0.055, right=0.99, bottom=0.46 / height, top=1 - 0.66 / height, hspace=0.34, wspace=0.1
        )
        _legend(figure, look, 1 - 0.06 / height, dashed=True)
    return figure


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG for a page: text stays text, and colours are CSS variables of the page."""
    data = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    svg = data.getvalue()
    svg = svg[svg.index("<svg") :]
    names = {INK: "ink", MUTED: "muted", RULE: "rule", **{color: f"c{n}" for n, color in enumerate(PALETTE)}}
    for color, name in names.items():
        svg = svg.replace(color, f"var(--{name})")
    svg = svg.replace("font-family: 'DejaVu Sans'; ", "")
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Several figures share a page: names that nothing points to would only meet each other there.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    # The page decides how large a figure is shown; its shape is in the viewBox.
    head, rest = svg.split(">", 1)
    return re.sub(r' (?:width|height)="[^"]*"', "", head) + ">" + rest


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG on white."""
    data = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(data, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return data.getvalue()


def _canvas(height: float, look: Mapping[str, tuple[str, str]]) -> tuple[Figure, Axes, float]:
    """Return a figure with room for labels and legend, its axes, and the legend's top."""
    lines = -(-sum(len(method) + 6 for method in look) // 110)
    above, below = 0.18 + 0.24 * lines, 0.48
    total = height + above + below
    figure = Figure(figsize=(_WIDTH, total))
    axes = figure.add_axes((0.215, below / total, 0.775, height / total))
    return figure, axes, 1 - 0.04 / total


def _draw_score(axes: Axes, method: Mapping[str, Any], domain: str, y: float, look: tuple[str, str]) -> None:
    color, marker = look
    said = method["domains"][domain]
    estimate = said["return"]
    if estimate["low"] is not None and estimate["high"] is not None:
        axes.plot([estimate["low"], estimate["high"]], [y, y], color=color, linewidth=2.4, alpha=0.55,
                  solid_capstyle="butt")  # fmt: skip
    seeds = list(said["return_by_seed"].values())
    if len(seeds) > 1:
        axes.plot(seeds, [y] * len(seeds), linestyle="none", marker="o", markersize=3.0, color=color,
                  markerfacecolor="none", markeredgewidth=0.8)  # fmt: skip
    axes.plot([estimate["value"]], [y], marker=marker, markersize=5.6, color=color, linestyle="none")


def _domain_label(axes: Axes, domain: Mapping[str, str], y: float) -> None:
    """Write a domain's name, and below it what it is, left of the axes."""
    name = textwrap.wrap(domain["name"], 26)
    lines = [*((line, INK, 9.5) for line in name), (_role(domain), MUTED, 8.0)]
    spacing = 0.155
    place = y - (len(lines) - 1) * spacing / 2
    left = -0.215 / 0.775
    for number, (line, color, size) in enumerate(lines):
        axes.text(left, place + number * spacing, line, color=color, fontsize=size, va="center",
                  transform=axes.get_yaxis_transform())  # fmt: skip


def _role(domain: Mapping[str, str]) -> str:
    if domain["split"] == "target":
        return f"target, leak: {domain['leak']}"
    return {"source": "trained here", "validation": "source, new episodes"}.get(domain["split"], domain["split"])


def _panel_title(panel: Axes, domain: Mapping[str, str]) -> None:
    name = textwrap.shorten(domain["name"], 30, placeholder="…")
    panel.set_title(name, loc="left", pad=15)
    panel.text(0, 1.025, _role(domain), color=MUTED, fontsize=8.0, transform=panel.transAxes)


def _draw_curves(panel: Axes, curves: Curves, domain: str, look: Mapping[str, tuple[str, str]]) -> None:
    for method, (color, marker) in look.items():
        seeds = curves.get((method, domain))
        if not seeds:
            continue
        if len(seeds) > 1:
            for points in seeds.values():
                panel.plot(*zip(*points, strict=True), color=color, linewidth=0.7, alpha=0.45)
        steps = sorted({step for points in seeds.values() for step, _ in points})
        means = [np.mean([value for points in seeds.values() for at, value in points if at == step]) for step in steps]
        panel.plot(steps, means, color=color, linewidth=1.8, marker=marker, markersize=3.6)
    panel.grid(axis="y")
    panel.set_axisbelow(True)
    panel.spines["left"].set_visible(False)
    panel.tick_params(length=0)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value else "0"))
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.yaxis.set_major_locator(MaxNLocator(5, integer=True))


def _legend(figure: Figure, look: Mapping[str, tuple[str, str]], top: float, *, dashed: bool = False) -> None:
    handles = [
        Line2D([], [], color=color, linewidth=1.1, linestyle=(0, (4, 3)), label=method)
        if dashed and method == RANDOM
        else Line2D([], [], color=color, marker=marker, markersize=5.6, linewidth=2.0 if dashed else 0, label=method)
        for method, (color, marker) in look.items()
    ]
    per_line = max(1, min(len(handles), round(len(handles) * 110 / max(110, sum(len(m) + 6 for m in look)))))
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.004, top),
        ncols=per_line,
        fontsize=9.0,
        borderpad=0,
        borderaxespad=0,
        handletextpad=0.5,
        columnspacing=1.8,
    )
