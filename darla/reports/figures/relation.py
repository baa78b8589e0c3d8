"""The relation matrix of a metric as an image: latents by factors."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from darla.reports.figures.style import INK, MUTED, PALETTE, STYLE
from darla.vision.metrics import Result

_CELL, _LEFT, _ABOVE, _BELOW = 0.34, 0.5, 0.62, 0.15
"""Inches: side of a cell, space for the names of latents, for the title, and below."""
_FEWEST_CELLS = 7
"""Width, in cells, that the title needs."""
_SMALLEST = 0.005
"""Smallest relation that is drawn."""
_COLORS = LinearSegmentedColormap.from_list("relation", ["#f3f3f0", PALETTE[2]])


def relation_figure(result: Result, factors: Sequence[str]) -> Figure:
    """Draw how strongly each latent is related to each factor: the darker, the stronger.

    Args:
        result: of a metric with a matrix, (D, K).
        factors: names of the K factors.
    """
    assert result.matrix is not None, result.name
    matrix = result.matrix
    latents, count = matrix.shape
    active = result.per_latent.get("active")
    names = [name.replace("_", " ") for name in factors]
    letters = max(map(len, names))
    above = _ABOVE + 0.055 * letters
    width = _LEFT + _CELL * max(count, _FEWEST_CELLS) + 0.062 * letters
    height = above + _CELL * latents + _BELOW
    # At least from 0 to 1, so that weak relations look weak.
    top = max(float(matrix.max()), 1.0)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((_LEFT / width, _BELOW / height, _CELL * count / width, _CELL * latents / height))
        # Cells of zeros are the ground: there are many, and each one drawn would make the file larger.
        axes.set_facecolor(_COLORS(0.0))
        edges = np.arange(count + 1) - 0.5, np.arange(latents + 1) - 0.5
        shown = np.ma.masked_less(matrix, _SMALLEST)
        axes.pcolormesh(*edges, shown, cmap=_COLORS, vmin=0.0, vmax=top)
        axes.set_xlim(-0.5, count - 0.5)
        axes.set_ylim(latents - 0.5, -0.5)
        for latent in range(latents):
            for factor in range(count):
                share = matrix[latent, factor] / top
                if matrix[latent, factor] >= _SMALLEST:
                    axes.text(
                        factor, latent, f"{matrix[latent, factor]:.2f}".removeprefix("0"), ha="center", va="center",
                        fontsize=7.0, color="white" if share > 0.6 else INK,
                    )  # fmt: skip
        axes.set_xticks(range(count), names, rotation=40, ha="left", rotation_mode="anchor")
        axes.xaxis.tick_top()
        axes.set_yticks(range(latents), [f"z{latent}" for latent in range(latents)])
        for latent, label in enumerate(axes.get_yticklabels()):
            # The label of an inactive latent is lighter: the metric leaves it out.
            label.set_color(MUTED if active is None or active[latent] else "#b9b9b4")
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_xticks([k - 0.5 for k in range(1, count)], minor=True)
        axes.set_yticks([j - 0.5 for j in range(1, latents)], minor=True)
        axes.grid(which="minor", color="white", linewidth=2.0)
        axes.tick_params(which="minor", length=0)
        title = f"{result.name.replace('_', ' ')}  {result.score:.2f}"
        levels = f"chance {result.chance:.2f}, ceiling {result.ceiling:.2f}"
        figure.text(0.08 / width, 1 - 0.10 / height, title, ha="left", va="top", fontsize=9.5, color=INK)
        figure.text(0.08 / width, 1 - 0.30 / height, levels, ha="left", va="top", fontsize=8.0, color=MUTED)
    return figure
