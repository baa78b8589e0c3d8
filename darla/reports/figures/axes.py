"""The heat map of axes: methods by axes, what they keep of their return, and below it how often they succeed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from darla.evaluation.score_types import MethodScores
from darla.reports.document import FigureData
from darla.reports.figures.style import INK, MUTED, PALETTE, STYLE, WIDTH, short
from darla.reports.tables.axes import Axes, axis_name, is_broken
from darla.reports.tables.transfer import number, reports_success, return_digits

_MOST = 24
"""Axes side by side; of more there are further rows of panels."""
_ROW, _TITLE, _GAP = 0.24, 0.24, 0.12
"""Inches: height of a method, of a panel's title, and between panels."""
_LONGEST = 30
"""Characters of a method's name."""
_COLORS = LinearSegmentedColormap.from_list("axes", ["#f3f3f0", PALETTE[2]])


@dataclass(frozen=True)
class _Measure:
    """One of the two panels."""

    title: str
    value: Callable[[MethodScores, str], float | None]
    text: Callable[[float], str]
    top: float
    """Value of the darkest cell; the lightest is 0."""


def axes_figure(axes: Axes) -> Figure:
    """Draw a row for each method and a column for each axis: the darker, the more is kept.

    A frame marks a cell whose retention is below one half with its whole interval. Methods that did not learn the
    source have no retention.
    """
    targets, methods = list(axes.factors), axes.methods
    measures = _measures(axes)
    parts = [targets[start : start + _MOST] for start in range(0, len(targets), _MOST)]
    names = [short(method.method, _LONGEST) for method in methods]
    left = 0.2 + 0.068 * max(map(len, names))
    cell = min(0.42, (WIDTH - left - 0.55) / min(len(targets), _MOST))
    heads = [0.06 + 0.046 * max(len(axis_name(target)) for target in part) for part in parts]
    body = len(measures) * (_TITLE + len(methods) * _ROW + _GAP)
    height = sum(heads) + body * len(parts) + 0.05
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height))
        top = height - 0.02
        for part, head in zip(parts, heads, strict=True):
            for place, measure in enumerate(measures):
                top -= _TITLE + (head if place == 0 else 0)
                low = top - len(methods) * _ROW
                panel = figure.add_axes((left / WIDTH, low / height, cell * len(part) / WIDTH, (top - low) / height))
                _panel(panel, axes, part, measure, names, named=place == 0, framed=place == 0 and axes.has_retention)
                figure.text(0.06 / WIDTH, (top + 0.05) / height, measure.title, fontsize=9.0, color=INK)
                top = low - _GAP
    return figure


def axes_numbers(axes: Axes) -> FigureData:
    """Return what each method keeps along each axis, with its interval, and its return and success rate there."""
    rows = []
    for target in axes.factors:
        for method in axes.scores.methods:
            domain, kept = method.domains[target], axes.retention(method, target)
            value = (None, None, None) if kept is None else (kept.value, kept.low, kept.high)
            success = None if domain.success is None else domain.success.value
            rows.append((target, method.method, *value, domain.return_.value, success))
    return FigureData(("axis", "method", "retention", "low", "high", "return", "success"), tuple(rows))


def _measures(axes: Axes) -> list[_Measure]:
    scores = axes.scores
    measures = []
    if axes.has_retention:

        def retention(method: MethodScores, target: str) -> float | None:
            kept = axes.retention(method, target)
            return None if kept is None else kept.value

        measures.append(_Measure("retention", retention, lambda value: number(value, 2).replace("0.", "."), 1.0))
    else:
        digits = return_digits(scores)
        returns = [method.domains[target].return_.value for method in axes.methods for target in axes.factors]
        measures.append(
            _Measure(
                "return",
                lambda method, target: method.domains[target].return_.value,
                lambda value: number(value, digits),
                max(*returns, 1e-9),
            )
        )
    if reports_success(scores):

        def success(method: MethodScores, target: str) -> float | None:
            share = method.domains[target].success
            return None if share is None else share.value

        measures.append(_Measure("success, %", success, lambda value: number(100 * value, 0), 1.0))
    return measures


def _panel(
    panel: Panel, axes: Axes, targets: Sequence[str], measure: _Measure, names: Sequence[str], *, named: bool,
    framed: bool,
) -> None:  # fmt: skip
    """Draw the cells of one panel."""
    values = [[measure.value(method, target) for target in targets] for method in axes.methods]
    shares = np.array([[np.nan if value is None else np.clip(value / measure.top, 0.0, 1.0) for value in row]
                       for row in values])  # fmt: skip
    edges = np.arange(len(targets) + 1) - 0.5, np.arange(len(names) + 1) - 0.5
    panel.pcolormesh(*edges, np.ma.masked_invalid(shares), cmap=_COLORS, vmin=0.0, vmax=1.0, edgecolors="white",
                     linewidth=1.5)  # fmt: skip
    panel.set_xlim(-0.5, len(targets) - 0.5)
    panel.set_ylim(len(names) - 0.5, -0.5)
    for row, method in enumerate(axes.methods):
        for column, target in enumerate(targets):
            value = values[row][column]
            color = MUTED if value is None else "white" if shares[row, column] > 0.6 else INK
            panel.text(column, row, "–" if value is None else measure.text(value), ha="center", va="center",
                       fontsize=7.0, color=color)  # fmt: skip
            kept = axes.retention(method, target)
            if framed and kept is not None and is_broken(kept):
                panel.add_patch(Rectangle((column - 0.44, row - 0.42), 0.88, 0.84, fill=False, edgecolor=PALETTE[1],
                                          linewidth=1.1))  # fmt: skip
    panel.set_yticks(range(len(names)), names)
    panel.tick_params(axis="y", labelcolor=INK, length=0)
    panel.xaxis.tick_top()
    panel.set_xticks(range(len(targets)), [axis_name(target) for target in targets] if named else [], rotation=45,
                     ha="left", rotation_mode="anchor")  # fmt: skip
    panel.tick_params(axis="x", labelcolor=INK, length=0, labelsize=8.0)
    for side in panel.spines.values():
        side.set_visible(False)
