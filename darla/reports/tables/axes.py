"""One axis at a time: what each method keeps of its source return when one factor leaves the source's values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darla.common import InputError
from darla.envs import axes_of
from darla.envs.domains.task_files import task_from_dict
from darla.evaluation.against_random import learned_clearly
from darla.evaluation.score_types import RANDOM, Estimate, MethodScores, TransferScores
from darla.reports.data import TransferData
from darla.reports.document import Cell, Table
from darla.reports.tables.transfer import NOTHING, estimate, marked, percent, reports_success, return_digits

BROKEN = 0.5
"""Share of the source's return below which, with its whole interval, an axis breaks a method."""
KEPT = 0.8
"""Share above which, with its whole interval, a method keeps its return."""


@dataclass(frozen=True)
class Axes:
    """The targets of a transfer in which one factor, or two, leave the source's values."""

    scores: TransferScores
    factors: Mapping[str, tuple[str, ...]]
    """Which these are, by target."""
    learned: tuple[MethodScores, ...]
    """Methods that were trained in the source and learned it, so that there is something that can break."""

    @property
    def methods(self) -> list[MethodScores]:
        """Every method but the random agent."""
        return [method for method in self.scores.methods if method.method != RANDOM]

    @property
    def has_retention(self) -> bool:
        """Whether some method keeps or loses a share of a source return."""
        return any(self.retention(method, target) is not None for method in self.learned for target in self.factors)

    def retention(self, method: MethodScores, target: str) -> Estimate | None:
        """Return the share of the source's return that a method keeps; None where it did not learn the source."""
        return method.domains[target].retention if method in self.learned else None

    def broken(self, method: MethodScores) -> list[str]:
        """Return the targets that break a method, the worst first."""
        values = {target: self.retention(method, target) for target in self.factors}
        broken = {target: value for target, value in values.items() if value is not None and is_broken(value)}
        return sorted(broken, key=lambda target: broken[target].value)

    def kept(self, method: MethodScores) -> list[str]:
        """Return the targets in which a method keeps its return."""
        values = {target: self.retention(method, target) for target in self.factors}
        return [target for target, value in values.items()
                if value is not None and (value.value if value.low is None else value.low) > KEPT]  # fmt: skip


def is_broken(retention: Estimate) -> bool:
    """Return whether a retention is below `BROKEN`, with its whole interval where it has one."""
    return (retention.value if retention.high is None else retention.high) < BROKEN


def axis_name(target: str) -> str:
    """Return a target's name as text has it."""
    return target.replace("_", " ")


def task_axes(task: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return which factors leave the source's values in each target; empty for a task without axes.

    Args:
        task: as plain data; empty, too, where its world cannot be imported here.
    """
    try:
        return axes_of(task_from_dict(task))
    except InputError:  # the package of a world need not be installed where the report is written
        return {}


def find_axes(transfer: TransferData) -> Axes | None:
    """Return the axes of a transfer; None where its task has none."""
    scores, factors = transfer.scores, task_axes(transfer.task)
    factors = {target: factors[target] for target in scores.targets if target in factors}
    if not factors:
        return None
    trained = [method for method in scores.methods if method.method != RANDOM]
    return Axes(scores, factors, learned_clearly(scores, transfer.episodes, trained))


def axes_table(axes: Axes) -> Table:
    """Return what each method keeps along each axis, and its success rate there."""
    scores, digits = axes.scores, return_digits(axes.scores)
    succeeds, measure = reports_success(scores), "retention" if axes.has_retention else "return"
    header = [Cell("axis")]
    for method in axes.methods:
        header += [Cell(method.method, measure)] + ([Cell(method.method, "success")] if succeeds else [])
    rows = []
    for target in axes.factors:
        row = [Cell(axis_name(target))]
        for method in axes.methods:
            domain = method.domains[target]
            value = axes.retention(method, target) if axes.has_retention else domain.return_
            cell = estimate(value, 2 if axes.has_retention else digits, few_seeds=method.few_seeds)
            if axes.has_retention and value is not None and is_broken(value):
                cell = Cell(f"**{cell.text}**", cell.detail)
            row.append(cell)
            row += [NOTHING if domain.success is None else Cell(percent(domain.success.value))] if succeeds else []
        rows.append(tuple(row))
    caption = f"{measure.capitalize()}{' and success' if succeeds else ''} by axis, task {scores.task}"
    return marked(Table(caption, tuple(header), tuple(rows), _notes(axes)), scores)


def _notes(axes: Axes) -> tuple[str, ...]:
    if not axes.has_retention:
        return ()
    single = any(len(method.seeds) == 1 for method in axes.learned)
    whole = "" if single else ", with the whole interval"
    return (f"Retention: return in the target over return in the source. Bold: below {BROKEN:g}{whole}.",)
