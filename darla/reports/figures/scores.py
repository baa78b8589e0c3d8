"""The figure of scores: return by method, a panel for each domain."""

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darla.evaluation.score_types import DomainScores, ScoredDomain, TransferScores
from darla.reports.figures.style import (
    INK,
    MUTED,
    PALETTE,
    RULE,
    STYLE,
    WIDTH,
    named_styles,
    panel_title,
    short,
    split_label,
)

_PANELS = 4
"""Domains in a row."""
_TICK = 0.075
"""Inches that a letter of a number on the x axis takes."""
_PITCH = 0.2
"""Inches from method to method."""


def score_figure(scores: TransferScores) -> Figure:
    """Draw return by domain and method: the mean, its interval, and every seed as a ring.

    Methods are labeled on the y axis, so there may be any number of them. A dotted line is the baseline's mean.
    """
    methods, domains = scores.methods, scores.domains
    names = [method.method for method in methods]
    baseline = scores.anchors.baseline
    look = named_styles(names, baseline)
    rows = -(-len(domains) // _PANELS)
    columns = -(-len(domains) // rows)
    left = min(2.6, 0.25 + 0.068 * max(map(len, names)))
    body, above, below = len(names) * _PITCH + 0.1, 0.52, 0.22
    height = rows * (body + above + below) + 0.2
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for panel, domain in zip(grid.flat, domains, strict=False):
            _panel(panel, domain, 29 if columns < _PANELS else 24)
            for row, method in enumerate(methods):
                _score(panel, method.domains[domain.name], row, look[method.method])
                if method.method == baseline:
                    mean = method.domains[domain.name].return_.value
                    panel.axvline(mean, color=PALETTE[1], linewidth=0.9, linestyle=(0, (1, 2)), zorder=0.5)
        for panel in grid.flat[len(domains) :]:
            panel.set_visible(False)
        grid[0, 0].set_ylim(len(names) - 0.5 + 0.05 / _PITCH, -0.5 - 0.05 / _PITCH)
        grid[0, 0].set_yticks(range(len(names)), names)
        ends = grid[0, 0].get_xlim()
        letters = max(4, *(len(f"{end:.0f}") for end in ends))
        room = (0.99 * WIDTH - left) / columns / (_TICK * letters + 0.14)
        grid[0, 0].xaxis.set_major_locator(MaxNLocator(max(2, min(5, int(room) - 1))))
        for number, panel in enumerate(grid.flat[: len(domains)]):
            panel.tick_params(axis="y", labelcolor=INK, labelleft=number % columns == 0)
            panel.tick_params(axis="x", labelbottom=True)
        figure.subplots_adjust(
            left=left / WIDTH, right=0.99, bottom=(below + 0.2) / height, top=1 - above / height,
            hspace=(above + below) / body, wspace=0.09,
        )  # fmt: skip
        figure.text((left / WIDTH + 0.99) / 2, 0.05 / height, "return per episode", color=MUTED, ha="center")
    return figure


def _panel(panel: Axes, domain: ScoredDomain, width: int) -> None:
    """Write above a panel which domain it is, and its role."""
    panel_title(panel, short(domain.name, width), split_label(domain))
    panel.axvline(0, color=MUTED, linewidth=0.8)
    panel.grid(axis="x")
    panel.set_axisbelow(True)
    panel.spines["left"].set_visible(False)
    panel.spines["bottom"].set_color(RULE)
    panel.tick_params(length=0)


def _score(panel: Axes, domain: DomainScores, y: float, look: tuple[str, str]) -> None:
    color, marker = look
    estimate = domain.return_
    if estimate.low is not None and estimate.high is not None:
        panel.plot([estimate.low, estimate.high], [y, y], color=color, linewidth=2.4, alpha=0.55,
                   solid_capstyle="butt")  # fmt: skip
    seeds = list(domain.return_by_seed.values())
    if len(seeds) > 1:
        panel.plot(seeds, [y] * len(seeds), linestyle="none", marker="o", markersize=3.0, color=color,
                   markerfacecolor="none", markeredgewidth=0.8)  # fmt: skip
    panel.plot([estimate.value], [y], marker=marker, markersize=5.6, color=color, linestyle="none")
