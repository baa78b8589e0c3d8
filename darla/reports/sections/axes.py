"""One axis at a time in a report: which change of appearance breaks which method."""

from collections.abc import Sequence

from darla.evaluation.score_types import BaselineComparison, MethodScores
from darla.reports.data import TransferData
from darla.reports.document import Block, FigureBlock, Text
from darla.reports.figures.axes import axes_figure, axes_numbers
from darla.reports.tables.axes import BROKEN, KEPT, Axes, axes_table, axis_name, find_axes
from darla.reports.tables.transfer import estimate, listed, reports_success, return_digits

_NAMED = 4
"""Axes that a sentence names for each method, the worst first."""


def axes_blocks(transfer: TransferData) -> list[Block]:
    """Return the sentences, the heat map and the table of a transfer with one axis at a time; nothing for another."""
    axes = find_axes(transfer)
    if axes is None:
        return []
    words, scores = axes_sentences(axes), transfer.scores
    left, frames = "The return", ""
    if axes.has_retention:
        left = "The share of the source's return that is left"
        frames = f" Framed: less than {BROKEN:g}, with the whole interval."
    below = ", and below it the share of successful episodes," if reports_success(scores) else ""
    figure = FigureBlock(
        f"axes {scores.task}",
        axes_figure(axes),
        f"{left}{below} when one factor alone leaves the values that it has in the source.{frames}",
        _alt(axes),
        data=axes_numbers(axes),
    )
    return [*([Text(words)] if words else []), figure, axes_table(axes)]


def axes_sentences(axes: Axes) -> str:
    """Return which axes break which method, which break all or none, and where a method differs most from the baseline.

    Empty where no method learned the source: nothing can break then.
    """
    if not axes.has_retention:
        return ""
    return " ".join(filter(None, (_what_breaks(axes), _what_all_share(axes), _largest_difference(axes))))


def _what_breaks(axes: Axes) -> str:
    parts = []
    for method in axes.learned:
        broken = axes.broken(method)
        named = [f"*{axis_name(target)}* ({_kept(axes, method, target)})" for target in broken[:_NAMED]]
        if len(broken) > _NAMED:
            named.append(f"{len(broken) - _NAMED} more")
        on = f"{len(broken)}: {listed(named)}" if broken else "none"
        parts.append(f"**{method.method}** on {on}")
    single = all(len(method.seeds) == 1 for method in axes.learned)
    how = "one seed each" if single else "with the whole interval"
    return f"Of {len(axes.factors)} axes, these leave less than {BROKEN:g} of the source's return, {how}: " \
           f"{'; '.join(parts)}."  # fmt: skip


def _what_all_share(axes: Axes) -> str:
    """Return which axes break every method that learned the source, and how many none of them feels."""
    if len(axes.learned) < 2:
        return ""
    broken = [target for target in axes.factors if all(target in axes.broken(method) for method in axes.learned)]
    kept = [target for target in axes.factors if all(target in axes.kept(method) for method in axes.learned)]
    every = f"every one of the {len(axes.learned)} methods that learned the source"
    first = f"{_axes(broken)} {'breaks' if len(broken) == 1 else 'break'} {every}" if broken else \
            f"No axis breaks {every}"  # fmt: skip
    return f"{first[0].upper()}{first[1:]}, and on {_axes(kept) if kept else 'none'} they all keep more than {KEPT:g}."


def _largest_difference(axes: Axes) -> str:
    """Return the largest difference from the baseline on a single axis, of methods of which one learned the source."""
    scores = axes.scores
    learned = {method.method for method in axes.learned}
    entries = [
        entry
        for entry in scores.comparisons
        if entry.domain in axes.factors
        and entry.difference.low is not None
        and {entry.method, entry.baseline} & learned
    ]
    if not entries:
        return ""
    entry: BaselineComparison = max(entries, key=lambda each: abs(each.difference.value))
    low, high = entry.difference.low, entry.difference.high
    assert low is not None
    assert high is not None
    cell = estimate(entry.difference, return_digits(scores))
    inside = "inside" if low <= 0 <= high else "outside"
    return (
        f"The largest of {len(entries)} differences in return from {entry.baseline} is that of **{entry.method}** on "
        f"*{axis_name(entry.domain)}*: {cell.text} {cell.detail}, with zero {inside} this interval."
    )


def _axes(targets: Sequence[str]) -> str:
    """Return axes in a sentence: by name where they are few."""
    if len(targets) <= _NAMED:
        return listed([f"*{axis_name(target)}*" for target in targets])
    return f"{len(targets)} axes"


def _kept(axes: Axes, method: MethodScores, target: str) -> str:
    cell = estimate(axes.retention(method, target), 2)
    return f"{cell.text} {cell.detail}".strip()


def _alt(axes: Axes) -> str:
    lines = [
        f"{method.method}: {', '.join(f'{axis_name(target)} {_kept(axes, method, target)}' for target in axes.factors)}"
        for method in axes.learned
        if axes.has_retention
    ]
    return f"Heat map, a row for each method and a column for each axis. {'. '.join(lines)}"
