"""Policies on a grid as arrows: where each of them moves an object, from every position."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from darla.common import InputError
from darla.reports.figures.style import MUTED, PALETTE, STYLE

_PANEL, _MARGIN, _TITLE = 2.0, 0.12, 0.28
"""Inches: side of a panel, space around it, and space for its title."""
_COLUMNS = 4


def policy_figure(
    positions: npt.NDArray[np.floating],
    policies: npt.NDArray[np.floating],
    moves: npt.NDArray[np.floating],
    names: Sequence[str],
) -> Figure:
    """Draw a panel for each policy, with an arrow at each position: the mean move, as long as the policy is certain.

    Args:
        positions: of the object, (N, 2): x to the right, y downwards.
        policies: probability of each action under each policy, (N, P, A), such as `ICF.policies` returns.
        moves: what each action adds to the position, (A, 2).
        names: of the P policies.

    Raises:
        InputError: the shapes do not fit each other.
    """
    count = policies.shape[1] if policies.ndim == 3 else 0
    if positions.shape != (len(policies), 2) or policies.shape[2:] != moves.shape[:1] or len(names) != count:
        raise InputError(
            f"positions {positions.shape}, policies {policies.shape}, moves {moves.shape} and {len(names)} names "
            "do not fit each other: (N, 2), (N, P, A), (A, 2) and P are needed"
        )
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    width, height = columns * _PANEL + _MARGIN, rows * (_PANEL + _TITLE) + _MARGIN
    low, high = positions.min(axis=0), positions.max(axis=0)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        for number, name in enumerate(names):
            row, column = divmod(number, columns)
            bottom = height - (row + 1) * (_PANEL + _TITLE)
            size = (_PANEL - _MARGIN) / width, (_PANEL - _MARGIN) / height
            axes = figure.add_axes(((column * _PANEL + _MARGIN) / width, (bottom + _MARGIN / 2) / height, *size))
            mean = policies[:, number] @ moves
            axes.scatter(positions[:, 0], positions[:, 1], s=3, color=MUTED, linewidths=0)
            axes.quiver(
                positions[:, 0],
                positions[:, 1],
                mean[:, 0],
                mean[:, 1],
                angles="xy",
                scale_units="xy",
                scale=1.15,
                width=0.008,
                color=PALETTE[2],
            )
            axes.set_xlim(low[0] - 1, high[0] + 1)
            axes.set_ylim(high[1] + 1, low[1] - 1)  # y downwards, as in the image
            axes.set_aspect("equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(name, loc="left", pad=4)
    return figure
