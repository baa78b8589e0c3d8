"""The figure of performance profiles."""

from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from darla.evaluation.performance_profiles import Profile
from darla.evaluation.score_types import RANDOM, TransferScores
from darla.reports.figures.style import (
    CROWD,
    MUTED,
    PALETTE,
    STYLE,
    WIDTH,
    legend,
    legend_lines,
    named_styles,
    panel_title,
    short,
    styles,
)

_BANDS = 6
"""Largest number of methods whose intervals are drawn in one panel: more bands hide each other."""
_COLUMNS = 4
_SCORE = "normalized score: 0 is the random agent, 1 the baseline in the source"
Look = Mapping[str, tuple[str, str]]


def profile_figure(profiles: Sequence[Profile], scores: TransferScores) -> Figure:
    """Draw the share of runs above each normalized score.

    A line for each method, and bands for up to six. Where there are more methods than colors, each has a panel, with
    the baseline's profile behind it.

    Args:
        profiles: from `darla.evaluation.performance_profiles.profiles`. The random agent's is left out; at least one
            other is needed.
        scores: of the same transfer, for the order of methods.
    """
    names = [method.method for method in scores.methods]
    baseline = scores.anchors.baseline
    profiles = [profile for profile in profiles if profile.method != RANDOM]  # 0 by definition
    with matplotlib.rc_context(STYLE):
        if len(names) > CROWD:
            return _panels(profiles, named_styles(names, baseline), baseline)
        look = styles(names, baseline)
        return _one_panel(profiles, {profile.method: look[profile.method] for profile in profiles})


def _one_panel(profiles: Sequence[Profile], look: Look) -> Figure:
    lines = legend_lines(list(look))
    height = 3.1 + 0.24 * lines
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.055, 0.5 / height, 0.935, 2.45 / height))
    for profile in profiles:
        _draw(axes, profile, look[profile.method], band=len(profiles) <= _BANDS, marked=True)
    _axes(axes, profiles[0])
    axes.xaxis.set_major_locator(MaxNLocator(8))
    axes.set_xlabel(_SCORE)
    legend(figure, look, 1 - 0.06 / height)
    return figure


def _panels(profiles: Sequence[Profile], look: Look, baseline: str | None) -> Figure:
    rows = -(-len(profiles) // _COLUMNS)
    height = rows * 1.45 + 0.65
    figure = Figure(figsize=(WIDTH, height))
    grid = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    behind = next((profile for profile in profiles if profile.method == baseline), None)
    for number, (panel, profile) in enumerate(zip(grid.flat, profiles, strict=False)):
        if behind is not None:
            panel.plot(behind.levels, behind.share, color=PALETTE[1], linewidth=1.0, drawstyle="steps-post", alpha=0.7)
        _draw(panel, profile, look[profile.method], band=True, marked=False)
        _axes(panel, profile)
        panel_title(panel, short(profile.method, 32), small=True)
        panel.tick_params(labelbottom=number + _COLUMNS >= len(profiles))
    for panel in grid.flat[len(profiles) :]:
        panel.set_visible(False)
    figure.subplots_adjust(left=0.055, right=0.99, bottom=0.5 / height, top=1 - 0.25 / height, hspace=0.36, wspace=0.1)
    figure.text(0.055, 0.1 / height, _SCORE, color=MUTED)
    return figure


def _draw(axes: Axes, profile: Profile, look: tuple[str, str], *, band: bool, marked: bool) -> None:
    color, marker = look
    if band and profile.low is not None and profile.high is not None:
        axes.fill_between(profile.levels, profile.low, profile.high, step="post", color=color, alpha=0.13,
                          linewidth=0)  # fmt: skip
    axes.plot(profile.levels, profile.share, color=color, linewidth=1.8, drawstyle="steps-post",
              marker=marker if marked else "", markersize=4.0, markevery=25)  # fmt: skip


def _axes(axes: Axes, profile: Profile) -> None:
    for level in (0.0, 1.0):
        axes.axvline(level, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.set_xlim(profile.levels[0], profile.levels[-1])
    axes.set_ylim(-0.02, 1.02)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(4))
