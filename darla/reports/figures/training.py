"""Figures of training an encoder: its loss terms, and the mutual information of its latents with each factor."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from darla.reports.figures.style import STYLE, WIDTH, legend, styles

Rows = Sequence[Mapping[str, float]]
_PANELS = (
    ("reconstruction, nats held out", "held_out_pixel"),
    ("distance of features, held out", "held_out_perceptual"),
    ("KL, nats", "kl"),
    ("total correlation (discriminator)", "total_correlation", "discriminator"),
    ("total correlation (sampling)", "total_correlation", "mutual_information"),
    ("active latents", "active_units"),
    ("dead units of the encoder, %", "dead_units"),
)
"""A panel's title, its column of `history.csv`, and further columns that a model must have: the two estimates of total
correlation do not share an axis, since that of β-TCVAE includes a constant. Reconstruction terms have a log scale."""
_METRIC = "mig"
"""The monitored metric with the mutual information of latents and factors."""


def training_figure(histories: Mapping[str, Sequence[Rows]]) -> Figure:
    """Draw loss terms against training steps, a panel for each term that some model has, a line for each setting.

    Args:
        histories: by setting, for each seed the rows of `history.csv`.
    """
    look = styles(list(histories), None)
    shown: list[tuple[str, str, dict[str, list[Rows]]]] = []
    for title, *columns in _PANELS:
        logged = {name: [rows for rows in seeds if rows[0].keys() >= set(columns)] for name, seeds in histories.items()}
        if any(logged.values()):
            shown.append((title, columns[0], logged))
    figure, panels = _panels(len(shown), look)
    with matplotlib.rc_context(STYLE):
        for panel, (title, column, logged) in zip(panels, shown, strict=True):
            share = title.endswith("%")
            scale = 100.0 if share else 1.0
            for name, seeds in logged.items():
                _lines(panel, [_column(rows, "step", column, scale) for rows in seeds], *look[name])
            panel.set_title(title, loc="left")
            if share:
                panel.set_ylim(0, max(10.0, panel.get_ylim()[1]))
            if column.startswith("held_out"):
                panel.set_yscale("log")
                panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                panel.yaxis.set_minor_formatter(NullFormatter())
            panel.set_xlabel("training steps")
            panel.xaxis.set_major_formatter(FuncFormatter(_thousands))
    return figure


def factor_figure(monitored: Mapping[str, Sequence[Rows]], x_column: str) -> Figure:
    """Draw the largest mutual information of a latent with each factor during training, a panel for each setting.

    Args:
        monitored: by setting, for each seed the rows of the monitored metrics, with `mig` among them.
        x_column: `step`, or `kl`: the code's KL in nats at that moment.
    """
    first = next(iter(monitored.values()))[0][0]
    factors = [name.removeprefix(f"{_METRIC}/") for name in first if name.startswith(f"{_METRIC}/")]
    look = styles([factor.replace("_", " ") for factor in factors], None)
    figure, panels = _panels(len(monitored), look)
    with matplotlib.rc_context(STYLE):
        for panel, (name, seeds) in zip(panels, monitored.items(), strict=True):
            for factor in factors:
                lines = [_column(rows, x_column, f"{_METRIC}/{factor}") for rows in seeds]
                _lines(panel, lines, *look[factor.replace("_", " ")])
            panel.set_title(name, loc="left")
            panel.set_ylim(0, None)
            panel.set_xlabel("training steps" if x_column == "step" else "KL of the code, nats")
            if x_column == "step":
                panel.xaxis.set_major_formatter(FuncFormatter(_thousands))
    return figure


def _panels(count: int, look: Mapping[str, tuple[str, str]]) -> tuple[Figure, list[Axes]]:
    """Return a figure with its legend and `count` panels in rows of up to three."""
    columns = min(3, count)
    rows = -(-count // columns)
    with matplotlib.rc_context(STYLE):
        height = rows * 2.35 + 0.8
        figure = Figure(figsize=(WIDTH, height))
        grid = figure.subplots(rows, columns, squeeze=False)
        for panel in grid.flat:
            panel.grid(axis="y")
            panel.set_axisbelow(True)
            panel.tick_params(length=0)
            panel.xaxis.set_major_locator(MaxNLocator(5))
        for panel in grid.flat[count:]:
            panel.set_visible(False)
        figure.subplots_adjust(
            left=0.055, right=0.99, bottom=0.5 / height, top=1 - 0.75 / height, hspace=0.5, wspace=0.18
        )
        legend(figure, look, 1 - 0.06 / height)
    return figure, list(grid.flat[:count])


def _column(rows: Rows, x: str, y: str, scale: float = 1.0) -> tuple[list[float], list[float]]:
    complete = [row for row in rows if x in row and y in row]
    return [row[x] for row in complete], [scale * row[y] for row in complete]


def _lines(panel: Axes, seeds: Sequence[tuple[list[float], list[float]]], color: str, marker: str) -> None:
    """Draw a thin line for each seed, and a thick one for their mean if all were logged at the same steps."""
    for x, y in seeds:
        panel.plot(x, y, color=color, linewidth=0.7, alpha=0.45)
    if len({len(x) for x, _ in seeds}) == 1:
        x, y = (list(np.mean([seed[axis] for seed in seeds], axis=0)) for axis in (0, 1))
        panel.plot(x, y, color=color, linewidth=1.8, marker=marker, markersize=4.0, markevery=[-1])


def _thousands(value: float, _: object) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
