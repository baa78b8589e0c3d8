"""The figure of a correlation: every measure of the encoders against how their policies transfer."""

from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darla.analysis.encoder_correlation import OUTCOMES, main_group
from darla.analysis.encoder_measures import LABELS
from darla.reports.figures.style import MUTED, STYLE, WIDTH, legend, legend_lines, styles
from darla.reports.tables.transfer import number


def correlation_figure(told: Mapping[str, Any], outcome: str) -> Figure:
    """Draw a panel for each measure: the measure to the right, the outcome upwards, a dot for each encoder.

    Args:
        told: the content of `correlation.json`.
        outcome: `retention` or `return`.
    """
    group = main_group(told)
    shown = [each for each in told["correlations"] if (each["task"], each["outcome"]) == (group, outcome)]
    look = styles(list(dict.fromkeys(item["setting"] for item in told["encoders"])), None)
    columns = max(1, min(4, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    lines = legend_lines(list(look))
    with matplotlib.rc_context(STYLE):
        height = rows * 2.15 + 0.35 + 0.2 * lines
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for place, (panel, each) in enumerate(zip(grid.flat, shown, strict=False)):
            for item in told["encoders"]:
                across = item["measures"].get(each["measure"])
                upwards = item["outcomes"].get(group, {}).get(outcome)
                if across is not None and upwards is not None:
                    color, marker = look[item["setting"]]
                    panel.plot([across], [upwards], linestyle="", color=color, marker=marker, markersize=5.2)
            panel.set_title(LABELS.get(each["measure"], each["measure"].replace("_", " ")), loc="left", pad=15)
            ends = f"[{number(each['low'], 2)}, {number(each['high'], 2)}]"
            panel.text(0, 1.05, f"ρ {number(each['rho'], 2)} {ends}", color=MUTED, fontsize=8.0,
                       transform=panel.transAxes)  # fmt: skip
            panel.grid(axis="both")
            panel.set_axisbelow(True)
            panel.tick_params(length=0)
            panel.xaxis.set_major_locator(MaxNLocator(4))
            panel.yaxis.set_major_locator(MaxNLocator(5))
            if place % columns == 0:
                panel.set_ylabel(OUTCOMES[outcome])
        for panel in grid.flat[len(shown) :]:
            panel.set_visible(False)
        figure.subplots_adjust(
            left=0.06, right=0.99, bottom=0.32 / height, top=1 - (0.5 + 0.2 * lines) / height, hspace=0.62, wspace=0.12
        )
        legend(figure, look, 1 - 0.06 / height)
    return figure
