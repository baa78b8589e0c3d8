"""The figure of a correlation: every measure of the encoders against how their policies transfer."""

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darla.analysis.encoder_correlation import OUTCOMES, CorrelationResult
from darla.analysis.encoder_measures import measure_label
from darla.reports.figures.style import MUTED, STYLE, WIDTH, legend, legend_lines, styles
from darla.reports.tables.transfer import number


def correlation_figure(result: CorrelationResult, outcome: str) -> Figure:
    """Draw a panel for each measure: the measure on the x axis, the outcome on the y axis, a dot for each encoder.

    Args:
        result: encoders with their measures and outcomes, and the correlations.
        outcome: `retention` or `return`.
    """
    group = result.main_group
    shown = [entry for entry in result.correlations if (entry.task, entry.outcome) == (group, outcome)]
    look = styles(list(dict.fromkeys(encoder.setting for encoder in result.encoders)), None)
    columns = max(1, min(4, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    lines = legend_lines(list(look))
    with matplotlib.rc_context(STYLE):
        height = rows * 2.15 + 0.35 + 0.2 * lines
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for place, (panel, entry) in enumerate(zip(grid.flat, shown, strict=False)):
            for encoder in result.encoders:
                x = encoder.measures.get(entry.measure)
                y = encoder.outcomes.get(group, {}).get(outcome)
                if x is not None and y is not None:
                    color, marker = look[encoder.setting]
                    panel.plot([x], [y], linestyle="", color=color, marker=marker, markersize=5.2)
            panel.set_title(measure_label(entry.measure), loc="left", pad=15)
            interval = f"[{number(entry.low, 2)}, {number(entry.high, 2)}]"
            panel.text(0, 1.05, f"ρ {number(entry.rho, 2)} {interval}", color=MUTED, fontsize=8.0,
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
