"""The table of a study: return and success rate of each method in the source and in every target, and the retention."""

from collections.abc import Mapping, Sequence
from math import isfinite

from darla.common import Artefact
from darla.evaluation.bootstrap import FEW_SEEDS
from darla.evaluation.score_types import RANDOM, Estimate, MethodScores, ScoredDomain, TransferScores
from darla.reports.document import Cell, Table
from darla.reports.tables.study_summary import MethodSummary, summary_sentence
from darla.reports.tables.transfer import (
    leak_notes,
    number,
    percent,
    random_notes,
    reports_success,
    return_digits,
    upright,
)


def study_table(transfers: Mapping[str, Artefact]) -> str:
    """Return a Markdown table for each task.

    Args:
        transfers: artefacts of kind `transfer`, by the name of the task.
    """
    scores = {task: TransferScores.load(transfer.folder) for task, transfer in transfers.items()}
    parts = []
    for task, of_task in scores.items():
        summary = _summary(task, of_task)
        table = _task_table(of_task).markdown()
        notes = (*random_notes(of_task), *leak_notes(of_task))
        parts.append("\n\n".join([f"### {task}", *([summary] if summary else []), table, *notes]))
    return "\n\n".join([*parts, _note(next(iter(scores.values())), any(map(reports_success, scores.values())))])


def _summary(task: str, scores: TransferScores) -> str | None:
    """Return the sentence above a task's table, if methods differ enough for one."""
    (source,) = (domain.name for domain in scores.domains if domain.split == "source")
    methods = []
    for method in scores.methods:
        # A method that was trained in the targets has leak levels of its own, and shows nothing about transfer.
        if (
            method.method != RANDOM
            and method.over_targets
            and "full" not in method.leaks.values()
            and scores.beats_random(method)
        ):
            in_source = method.domains[source]
            success = None if in_source.success is None else in_source.success.value
            target_return = method.over_targets.return_.mean.value
            methods.append(MethodSummary(method.method, in_source.return_.value, target_return, success))
    return summary_sentence(task, methods, return_digits(scores))


def _task_table(scores: TransferScores) -> Table:
    shown = [domain for domain in scores.domains if domain.split in ("source", "target")]
    header = ["method", *map(_heading, shown)]
    if len(scores.targets) > 1:
        header.append("mean of targets")
    header.append("retention")
    rows = [
        tuple(map(Cell, (method.method, *_cells(method, shown, scores.beats_random(method)))))
        for method in scores.methods
    ]
    return upright(Table(scores.task, tuple(map(Cell, header)), tuple(rows)), scores)


def _heading(domain: ScoredDomain) -> str:
    return "source" if domain.split == "source" else f"{domain.name} (leak: {domain.leak})"


def _cells(method: MethodScores, shown: Sequence[ScoredDomain], learned: bool) -> list[str]:
    cells = []
    for domain in shown:
        of_domain = method.domains[domain.name]
        cells.append(_number(of_domain.return_, of_domain.success))
    over = method.over_targets
    if over is not None and sum(domain.split == "target" for domain in shown) > 1:
        cells.append(_number(over.return_.mean, over.success))
    retention = None if over is None or not learned else over.retention
    cells.append(_number(retention) if retention is not None and isfinite(retention.value) else "–")
    return cells


def _number(estimate: Estimate, success: Estimate | None = None) -> str:
    text = number(estimate.value, 2)
    if estimate.low is not None and estimate.high is not None:
        text += f" [{number(estimate.low, 2)}, {number(estimate.high, 2)}]"
    return text if success is None else f"{text}, {percent(success.value)}"


def _note(scores: TransferScores, successes: bool) -> str:
    settings = scores.settings
    seeds = max(len(method.seeds) for method in scores.methods)
    note = (
        f"Mean return of {settings.episodes} episodes"
        f"{' and share of successful episodes' if successes else ''}; the same episode seeds for every method; "
        "retention is the mean return over the targets as a share of that in the source; "
    )
    if seeds == 1:
        return note + "one policy seed, so the table does not show how other seeds would do."
    independent = [
        min(len(method.seeds), method.encoders or seeds) for method in scores.methods if method.method != RANDOM
    ]
    few = min(independent, default=seeds) < FEW_SEEDS
    warning = " (preliminary: too narrow with so few)" if few else ""
    return note + f"{seeds} policy seeds, {settings.confidence:.0%} intervals from resampling them{warning}."
