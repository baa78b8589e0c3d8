"""The figure of performance profiles."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from darla.figures import _STYLE, _WIDTH, MUTED, _legend, styles
from darla.profiles import Profile
from darla.scores import RANDOM

_BANDS = 6
"""Methods up to which their intervals are drawn: more bands hide each other."""


def profile_figure(profiles: Sequence[Profile], scores: Mapping[str, Any]) -> Figure:
    """Draw the share of runs above each normalised score: a line for each method, and bands while these are few.

    Args:
        profiles: what `darla.profiles.profiles` found. The random agent's is left out; another one is needed.
        scores: the content of `scores.json`, for the order of methods.
    """
    look = styles([method["method"] for method in scores["methods"]], scores["anchors"]["baseline"])
    profiles = [profile for profile in profiles if profile.method != RANDOM]  # 0 by definition
    drawn = {profile.method: look[profile.method] for profile in profiles}
    lines = -(-sum(len(method) + 6 for method in drawn) // 110)
    with matplotlib.rc_context(_STYLE):
        height = 3.1 + 0.24 * lines
        figure = Figure(figsize=(_WIDTH, height))
        axes = figure.add_axes((0.055, 0.5 / height, 0.935, 2.45 / height))
        for profile in profiles:
            color, marker = drawn[profile.method]
            if profile.low is not None and profile.high is not None and len(profiles) <= _BANDS:
                axes.fill_between(profile.levels, profile.low, profile.high, step="post", color=color, alpha=0.13,
                                  linewidth=0)  # fmt: skip
            axes.plot(profile.levels, profile.share, color=color, linewidth=1.8, drawstyle="steps-post",
                      marker=marker, markersize=4.0, markevery=25)  # fmt: skip
        for level in (0.0, 1.0):
            axes.axvline(level, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.set_xlim(profiles[0].levels[0], profiles[0].levels[-1])
        axes.set_ylim(-0.02, 1.02)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.xaxis.set_major_locator(MaxNLocator(8))
        axes.set_xlabel("normalised score: 0 is the random agent, 1 the baseline in the source")
        _legend(figure, drawn, 1 - 0.06 / height)
    return figure
