"""Figures of training an encoder: its loss terms, and what its code knows of each factor."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from darla.figure_style import STYLE, WIDTH, legend, styles

Rows = Sequence[Mapping[str, float]]
_TERMS = {
    "held_out_pixel": "reconstruction, nats held out",
    "held_out_perceptual": "distance of features, held out",
    "kl": "KL, nats",
    "total_correlation": "total correlation, nats",
}
"""Columns of `history.csv`, and what their panels are called; reconstruction terms on a logarithmic scale."""
_METRIC = "mig"
"""The watched metric whose matrix tells what a latent knows of a factor."""


def training_figure(histories: Mapping[str, Sequence[Rows]]) -> Figure:
    """Draw loss terms against training steps, a panel for each term that some model has, a line for each setting.

    Args:
        histories: by setting, for each seed the rows of `history.csv`.
    """
    look = styles(list(histories), None)
    terms = [term for term in _TERMS if any(term in rows[0] for seeds in histories.values() for rows in seeds)]
    figure, panels = _panels(len(terms), look)
    with matplotlib.rc_context(STYLE):
        for panel, term in zip(panels, terms, strict=True):
            for name, seeds in histories.items():
                known = [rows for rows in seeds if term in rows[0]]
                _lines(panel, [_column(rows, "step", term) for rows in known], *look[name])
            panel.set_title(_TERMS[term], loc="left")
            if term.startswith("held_out"):
                panel.set_yscale("log")
                panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                panel.yaxis.set_minor_formatter(NullFormatter())
            panel.set_xlabel("training steps")
            panel.xaxis.set_major_formatter(FuncFormatter(_thousands))
    return figure


def known_figure(watched: Mapping[str, Sequence[Rows]], across: str) -> Figure:
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


def _column(rows: Rows, across: str, upwards: str) -> tuple[list[float], list[float]]:
    known = [row for row in rows if across in row and upwards in row]
    return [row[across] for row in known], [row[upwards] for row in known]


def _lines(panel: Axes, seeds: Sequence[tuple[list[float], list[float]]], color: str, marker: str) -> None:
    """Draw a thin line for each seed and a thick one for their mean, where they were looked at in step."""
    for across, upwards in seeds:
        panel.plot(across, upwards, color=color, linewidth=0.7, alpha=0.45)
    if len({len(across) for across, _ in seeds}) == 1:
        across, upwards = (list(np.mean([seed[axis] for seed in seeds], axis=0)) for axis in (0, 1))
        panel.plot(across, upwards, color=color, linewidth=1.8, marker=marker, markersize=4.0, markevery=[-1])


def _thousands(value: float, _: object) -> str:
    return f"{value / 1000:g}k" if value else "0"
