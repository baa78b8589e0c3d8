"""The figure of learning curves: return against environment steps of training."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from darla.evaluation.score_types import TransferScores
from darla.reports.figures.style import (
    CROWD,
    PALETTE,
    STYLE,
    WIDTH,
    legend,
    named_styles,
    panel_title,
    short,
    split_label,
    styles,
)

Curves = Mapping[tuple[str, str], Mapping[int, Sequence[tuple[int, float]]]]
"""By method and domain, for each seed the pairs of environment steps and mean return."""
_COLUMNS = 4
"""Panels in a row where each method has its own."""
Look = Mapping[str, tuple[str, str]]


def curve_figure(curves: Curves, scores: TransferScores) -> Figure:
    """Draw return against environment steps of training, a panel for each domain, a line for each method.

    Where there are more methods than colors, each method has a panel, and domains are the lines. Thick lines are means
    over seeds, thin ones single seeds; the dashed line is the random agent.

    Args:
        curves: the content of `curves.csv`.
        scores: of the same transfer, for the order of methods and the random agent.
    """
    names = [method.method for method in scores.methods]
    shown = [domain for domain in scores.domains if any(key[1] == domain.name for key in curves)]
    if len(names) > CROWD:
        by_domain = {domain.name: {name: curves.get((name, domain.name), {}) for name in names} for domain in shown}
        drawn = [name for name in names if any(by_name[name] for by_name in by_domain.values())]
        lines = {name: {domain: by_name[name] for domain, by_name in by_domain.items()} for name in drawn}
        return _panels(lines, [(name, "") for name in drawn], styles([*by_domain], None), None)
    lines = {
        domain.name: {name: curves[name, domain.name] for name in names if (name, domain.name) in curves}
        for domain in shown
    }
    titles = [(domain.name, split_label(domain)) for domain in shown]
    return _panels(lines, titles, styles(names, scores.anchors.baseline), scores.anchors.random_return)


def training_curve_figure(
    curves: Mapping[str, Mapping[int, Sequence[tuple[int, float]]]], baseline: str | None
) -> Figure:
    """Draw the return in training against environment steps, a panel for each method.

    Args:
        curves: by method, for each seed the pairs of environment steps and mean return since the pair before.
        baseline: which method is the baseline, if any.
    """
    look = named_styles([*curves], baseline)
    return _panels({name: {name: seeds} for name, seeds in curves.items()}, [(name, "") for name in curves], look, None)


def _panels(
    lines: Mapping[str, Mapping[str, Mapping[int, Sequence[tuple[int, float]]]]],
    titles: Sequence[tuple[str, str]],
    look: Look,
    random: Mapping[str, float | None] | None,
) -> Figure:
    """Draw a panel for each title; with a legend, unless every panel has only the line that it is named after."""
    # Four panels fill two rows of two; rows of three waste least space for other numbers.
    columns = _COLUMNS if len(titles) > 2 * _COLUMNS else 2 if len(titles) == 4 else min(3, len(titles))
    rows = -(-len(titles) // columns)
    needs_legend = any(set(in_panel) != {name} for name, in_panel in lines.items())
    above = 0.66 if needs_legend else 0.3
    with matplotlib.rc_context(STYLE):
        height = rows * (2.25 if columns < _COLUMNS else 1.7) + above + 0.1
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for panel, (name, role) in zip(grid.flat, titles, strict=False):
            for line, seeds in lines[name].items():
                if seeds:
                    _draw(panel, seeds, *look[line], crowded=columns == _COLUMNS)
            level = None if random is None else random.get(name)
            if level is not None:
                panel.axhline(level, color=PALETTE[0], linewidth=1.1, linestyle=(0, (4, 3)))
            panel_title(panel, short(name, 30 if columns < _COLUMNS else 32), role, small=columns == _COLUMNS)
            _axes(panel)
        for panel in grid.flat[len(titles) :]:
            panel.set_visible(False)
        for number, panel in enumerate(grid.flat[: len(titles)]):
            if number % columns == 0:
                panel.set_ylabel("return")
            if number + columns >= len(titles):
                panel.set_xlabel("environment steps")
                panel.tick_params(labelbottom=True)
        figure.subplots_adjust(
            left=0.055, right=0.99, bottom=0.46 / height, top=1 - above / height, hspace=0.34, wspace=0.1
        )
        if needs_legend:
            legend(figure, look, 1 - 0.06 / height, dashed=True)
    return figure


def _draw(
    panel: Axes, seeds: Mapping[int, Sequence[tuple[int, float]]], color: str, marker: str, *, crowded: bool
) -> None:
    if len(seeds) > 1:
        for points in seeds.values():
            panel.plot(*zip(*points, strict=True), color=color, linewidth=0.7, alpha=0.45)
    steps = sorted({step for points in seeds.values() for step, _ in points})
    means = [
        np.mean([value for points in seeds.values() for env_steps, value in points if env_steps == step])
        for step in steps
    ]
    size = None if crowded else 3.6
    panel.plot(steps, means, color=color, linewidth=1.8, marker="" if crowded else marker, markersize=size)


def _axes(panel: Axes) -> None:
    panel.grid(axis="y")
    panel.set_axisbelow(True)
    panel.spines["left"].set_visible(False)
    panel.tick_params(length=0)
    panel.set_xlim(left=0)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value else "0"))
    panel.xaxis.set_major_locator(MaxNLocator(4))
    panel.yaxis.set_major_locator(MaxNLocator(5))
