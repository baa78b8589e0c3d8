"""The figure of latent drift: how far each latent moves between domains while the state is the same."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darla.analysis.latent_drift import Drift
from darla.reports.figures.style import MUTED, STYLE, WIDTH, legend, legend_lines, styles


def drift_figure(drifts: Mapping[str, Sequence[Mapping[str, Drift]]]) -> Figure:
    """Draw a panel for each target: latents sorted by their shift, the shift on the y axis, a line for each encoder.

    Args:
        drifts: by setting, for each of its encoders the drift by target.
    """
    look = styles(list(drifts), None)
    targets = list(dict.fromkeys(target for members in drifts.values() for each in members for target in each))
    columns = min(3, len(targets))
    rows = -(-len(targets) // columns)
    lines = legend_lines(list(look))
    with matplotlib.rc_context(STYLE):
        height = rows * 2.2 + 0.45 + 0.2 * lines
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, (panel, target) in enumerate(zip(grid.flat, targets, strict=False)):
            panel.axhline(1.0, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
            for setting, members in drifts.items():
                color, marker = look[setting]
                for each in members:
                    if target in each:
                        shifts = np.sort(each[target].per_latent_shift)[::-1]
                        panel.plot(np.arange(1, len(shifts) + 1), shifts, color=color, linewidth=1.2, marker=marker,
                                   markersize=3.4, markevery=[0])  # fmt: skip
            panel.set_title(target, loc="left")
            panel.grid(axis="y")
            panel.set_axisbelow(True)
            panel.tick_params(length=0)
            panel.set_ylim(0, None)
            panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            panel.yaxis.set_major_locator(MaxNLocator(5))
            if place % columns == 0:
                panel.set_ylabel("shift, standard deviations")
            if place + columns >= len(targets):
                panel.set_xlabel("latents, sorted")
                panel.tick_params(labelbottom=True)
        for panel in grid.flat[len(targets) :]:
            panel.set_visible(False)
        figure.subplots_adjust(
            left=0.055, right=0.99, bottom=0.46 / height, top=1 - (0.4 + 0.2 * lines) / height, hspace=0.34, wspace=0.1
        )
        legend(figure, look, 1 - 0.06 / height)
    return figure
