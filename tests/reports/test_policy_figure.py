"""The arrows of policies on a grid."""

import io

import numpy as np
import pytest
from matplotlib.quiver import Quiver
from PIL import Image

from darla.common import InputError
from darla.envs.grid_world.env import MOVES
from darla.reports.figures.policies import policy_figure
from darla.reports.figures.style import to_png

POSITIONS = np.array([[x, y] for x in range(3) for y in range(3)], dtype=float)


def test_an_arrow_is_the_mean_move_of_its_policy():
    right, undecided = np.eye(4)[[0] * 9], np.full((9, 4), 0.25)
    policies = np.stack([right, undecided, (np.eye(4)[[2] * 9] + right) / 2], axis=1)
    figure = policy_figure(POSITIONS, policies, np.array(MOVES, dtype=float), ["right", "any", "right or down"])
    arrows = [next(part for part in axes.collections if isinstance(part, Quiver)) for axes in figure.axes]
    for quiver, expected in zip(arrows, ([1, 0], [0, 0], [0.5, 0.5]), strict=True):
        np.testing.assert_allclose(np.column_stack([quiver.U, quiver.V]), np.tile(expected, (9, 1)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["right", "any", "right or down"]
    assert all(axes.yaxis_inverted() for axes in figure.axes)
    assert Image.open(io.BytesIO(to_png(figure))).size[0] > 300


def test_shapes_that_do_not_fit_are_refused():
    moves = np.array(MOVES, dtype=float)
    for policies, names in (
        (np.ones((9, 2, 4)), ["one"]),
        (np.ones((9, 1, 3)), ["one"]),
        (np.ones((8, 1, 4)), ["one"]),
    ):
        with pytest.raises(InputError, match="do not fit each other"):
            policy_figure(POSITIONS, policies, moves, names)
