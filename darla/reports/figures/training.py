"""Figures of training an encoder: its loss terms, and what its code knows of each factor."""

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
    ("silent units of the encoder, %", "dead_units"),
)
"""A panel's title, its column of `history.csv`, and others that have to be there: two estimates of a total correlation
do not share an axis, since that of β-TCVAE holds a constant. Reconstruction terms are on a logarithmic scale."""
_METRIC = "mig"
"""The watched metric whose matrix tells what a latent knows of a factor."""


def training_figure(histories: Mapping[str, Sequence[Rows]]) -> Figure:
    """Draw loss terms against training steps, a panel for each term that some model has, a line for each setting.

    Args:
        histories: by setting, for each seed the rows of `history.csv`.
    """
    look = styles(list(histories), None)
    shown: list[tuple[str, str, dict[str, list[Rows]]]] = []
    for title, *columns in _PANELS:
        known = {name: [rows for rows in seeds if rows[0].keys() >= set(columns)] for name, seeds in histories.items()}
        if any(known.values()):
            shown.append((title, columns[0], known))
    figure, panels = _panels(len(shown), look)
    with matplotlib.rc_context(STYLE):
        for panel, (title, column, known) in zip(panels, shown, strict=True):
            share = title.endswith("%")
            scale = 100.0 if share else 1.0
            for name, seeds in known.items():
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


def figure_named(watched: Mapping[str, Sequence[Rows]], across: str) -> Figure:
    """Draw what the code knows of each factor during training, a panel for each setting, a line for each factor.

    Args:
        watched: by setting, for each seed the rows of `watched/metrics.csv`, with `mig` among them.
        across: `step`, or `kl`: the code's KL in nats at that moment.
    """
    first = next(iter(watched.values()))[0][0]
    factors = [name.removeprefix(f"{_METRIC}/") for name in first if name.startswith(f"{_METRIC}/")]
    look = styles([factor.replace("_", " ") for factor in factors], None)
    figure, panels = _panels(len(watched), look)
    with matplotlib.rc_context(STYLE):
        for panel, (name, seeds) in zip(panels, watched.items(), strict=True):
            for factor in factors:
                known = [_column(rows, across, f"{_METRIC}/{factor}") for rows in seeds]
                _lines(panel, known, *look[factor.replace("_", " ")])
            panel.set_title(name, loc="left")
            panel.set_ylim(0, None)
            panel.set_xlabel("training steps" if across == "step" else "KL of the code, nats")
            if across == "step":
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


def _column(rows: Rows, across: str, upwards: str, scale: float = 1.0) -> tuple[list[float], list[float]]:
    known = [row for row in rows if across in row and upwards in row]
    return [row[across] for row in known], [scale * row[upwards] for row in known]


def _lines(panel: Axes, seeds: Sequence[tuple[list[float], list[float]]], color: str, marker: str) -> None:
    """Draw a thin line for each seed and a thick one for their mean, where they were looked at in step."""
    for across, upwards in seeds:
        panel.plot(across, upwards, color=color, linewidth=0.7, alpha=0.45)
    if len({len(across) for across, _ in seeds}) == 1:
        across, upwards = (list(np.mean([seed[axis] for seed in seeds], axis=0)) for axis in (0, 1))
        panel.plot(across, upwards, color=color, linewidth=1.8, marker=marker, markersize=4.0, markevery=[-1])


def _thousands(value: float, _: object) -> str:
    return f"{value / 1000:g}k" if value else "0"
