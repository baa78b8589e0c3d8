"""The figure of a selection: UDR, which needs no labels, against scores that need labels."""

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure

from darla.analysis.encoder_measures import measure_label
from darla.reports.figures.style import STYLE, WIDTH, legend, styles

Points = Mapping[str, Sequence[tuple[float, Mapping[str, float]]]]
"""By setting, for each encoder its UDR and its supervised scores by name."""


def selection_figure(points: Points, correlation: Mapping[str, str], by: str) -> Figure:
    """Draw a panel for each supervised score: UDR on the x axis, the score on the y axis, a dot for each encoder.

    Args:
        points: the encoders.
        correlation: rank correlation of UDR with each supervised score, as it is written; its names are the panels.
        by: which UDR it is.
    """
    look = styles(list(points), None)
    columns = min(3, len(correlation))
    rows = -(-len(correlation) // columns)
    with matplotlib.rc_context(STYLE):
        height = rows * 2.5 + 0.75
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(rows, columns, squeeze=False)
        for number, (panel, score) in enumerate(zip(grid.flat, correlation, strict=False)):
            for setting, encoders in points.items():
                color, marker = look[setting]
                x, y = zip(*((udr, scores[score]) for udr, scores in encoders), strict=True)
                panel.plot(x, y, linestyle="", color=color, marker=marker, markersize=5.6)
            panel.set_title(f"{measure_label(score)}: rank correlation {correlation[score]}", loc="left", fontsize=9)
            panel.grid(axis="both")
            panel.set_axisbelow(True)
            panel.tick_params(length=0)
            if number + columns >= len(correlation):
                panel.set_xlabel(f"UDR, {by.capitalize()}")
        for panel in grid.flat[len(correlation) :]:
            panel.set_visible(False)
        figure.subplots_adjust(
            left=0.055, right=0.99, bottom=0.5 / height, top=1 - 0.72 / height, hspace=0.42, wspace=0.18
        )
        legend(figure, look, 1 - 0.06 / height)
    return figure
