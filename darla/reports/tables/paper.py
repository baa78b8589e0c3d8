"""A study in the layout of Table 1 of the DARLA paper: return in the targets, by vision and RL algorithm.

    table 1    a row for each vision (end to end, DARLA, ...), a column for each task and algorithm
    table 2    the same, less the end-to-end agent of the same algorithm: paired differences

Higgins et al. 2017, DARLA: improving zero-shot transfer in reinforcement learning, Table 1.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from darla.analysis.study_scores import StudyRow, study_rows, write_study_rows
from darla.common import Artefact
from darla.common.files import write_bytes
from darla.evaluation.aggregates import TESTABLE_RUNS
from darla.evaluation.bootstrap import FEW_SEEDS
from darla.evaluation.score_types import RANDOM, TransferScores
from darla.reports.csv_latex import to_csv, to_latex
from darla.reports.document import Cell, Table
from darla.reports.tables.transfer import NOTHING, count, leak_notes, number, percent

STEM, ROWS = "paper-table", "scores.csv"
FILES = (f"{STEM}.md", f"{STEM}.csv", f"{STEM}.tex", ROWS)
"""What `write_paper_table` writes."""


def return_table(rows: Sequence[StudyRow], *, statistic: str = "mean", notes: Sequence[str] = ()) -> Table:
    """Return the return over the targets of each task, with interval and success rate; the best of a column is bold.

    Args:
        rows: from `study_rows`.
        statistic: `mean`, `iqm`, or `worst` for the target where it is lowest.
        notes: further notes below the table.
    """

    def cell(row: StudyRow) -> Cell:
        low, high = getattr(row, f"{statistic}_low"), getattr(row, f"{statistic}_high")
        shown = _estimate(getattr(row, statistic), low, high, row.preliminary)
        if row.success is None:
            return shown
        return Cell(shown.text, f"{shown.detail} {percent(row.success)}".strip())

    def worth(row: StudyRow) -> float:
        value: float = getattr(row, statistic)
        return value

    names = {
        "mean": "Mean return",
        "iqm": "Interquartile mean of the return",
        "worst": "Mean return in the worst target",
    }
    where = "" if statistic == "worst" else " over the targets of each task"
    return _pivot(f"{names[statistic]}{where}", rows, cell, worth, [*_notes(rows), *notes])


def difference_table(rows: Sequence[StudyRow]) -> Table:
    """Return the difference of each method to the end-to-end agent of the same algorithm, over the targets.

    P-values are shown where there are enough independent runs for a test to reach 0.05.
    """
    tested = any(row.p_value is not None and min(row.seeds, row.encoders or row.seeds) >= TESTABLE_RUNS for row in rows)

    def cell(row: StudyRow) -> Cell:
        if row.difference is None:
            return NOTHING
        shown = _estimate(row.difference, row.difference_low, row.difference_high, row.preliminary, signed=True)
        p_value = f" p {number(row.p_value_holm, 3)}" if tested and row.p_value_holm is not None else ""
        return Cell(shown.text, f"{shown.detail}{p_value}".strip())

    trained = [row for row in rows if row.learner != RANDOM]
    paired = all(row.paired for row in rows if row.paired is not None)
    notes = [
        "Mean return over the targets less that of the end-to-end agent of the same algorithm; "
        + ("seeds are paired." if paired else "seeds are paired where both methods have the same.")
    ]
    if tested:
        notes.append(
            "p: permutation test over seeds, adjusted by Holm's method over the methods of a task and algorithm."
        )
    return _pivot("Against the end-to-end agent of the same algorithm", trained, cell, None, [*notes, *_warning(rows)])


def write_paper_table(transfers: Mapping[str, Artefact], folder: Path) -> str:
    """Write a study's tables: `paper-table.md`, `.csv` and `.tex`, and every number behind them in `scores.csv`.

    Args:
        transfers: artefacts of kind `transfer`, by the name of the task.
        folder: where they go; its files of these names are replaced.

    Returns:
        The Markdown.
    """
    rows = study_rows(transfers)
    leaks = [note for transfer in transfers.values() for note in leak_notes(TransferScores.load(transfer.folder))]
    tables = return_table(rows, notes=list(dict.fromkeys(leaks))), difference_table(rows)
    text = "\n\n".join(f"**{table.caption}**\n\n{table.markdown()}" for table in tables) + "\n"
    write_bytes(folder / f"{STEM}.md", text.encode())
    write_bytes(folder / f"{STEM}.csv", to_csv(tables[0]).encode())
    latex = "\n".join(to_latex(table, name) for table, name in zip(tables, ("returns", "differences"), strict=True))
    write_bytes(folder / f"{STEM}.tex", latex.encode())
    write_study_rows(folder / ROWS, rows)
    return text


def _pivot(
    caption: str,
    rows: Sequence[StudyRow],
    cell: Callable[[StudyRow], Cell],
    worth: Callable[[StudyRow], float] | None,
    notes: Sequence[str],
) -> Table:
    """Arrange the rows over all targets: visions by tasks and algorithms."""
    overall = [row for row in rows if row.split == "targets"]
    learners = [learner for learner in dict.fromkeys(row.learner for row in overall) if learner != RANDOM]
    columns = [
        (task, learner)
        for task in dict.fromkeys(row.task for row in overall)
        for learner in learners
        if any((row.task, row.learner) == (task, learner) for row in overall)
    ]
    # The random agent has no algorithm: it stands beside each.
    by_place = {(row.vision, row.task, row.learner): row for row in overall}
    visions = list(dict.fromkeys(row.vision for row in overall))
    # The random agent comes first, and its leak levels are those of any policy that was trained in the source.
    leaks = {task: next(row.leak for row in overall if row.task == task) for task, _ in columns}
    best: dict[tuple[str, str], float] = {}
    if worth is not None:
        for place in columns:
            rivals = [row for row in overall if (row.task, row.learner) == place and not row.bound]
            # What does not beat random play, in the source or here, is not the best of anything; nor is the only one.
            worths = [worth(row) for row in rivals if _can_win(row)]
            if len(rivals) > 1 and worths:
                best[place] = max(worths)
    body = []
    for vision in visions:
        line = [Cell(vision)]
        for task, learner in columns:
            entry = by_place.get((vision, task, learner)) or by_place.get((vision, task, RANDOM))
            if entry is None:
                line.append(NOTHING)
                continue
            shown = cell(entry)
            wins = worth is not None and _can_win(entry) and best.get((task, learner)) == worth(entry)
            line.append(Cell(f"**{shown.text}**", shown.detail) if wins else shown)
        body.append(tuple(line))
    header = [
        Cell("vision"),
        *(Cell(", ".join(filter(None, (task, learner))), f"leak: {leaks[task]}") for task, learner in columns),
    ]
    bold = [_bold(rows)] if best else []
    return Table(caption, tuple(header), tuple(body), (*notes[:1], *bold, *notes[1:]))


def _can_win(row: StudyRow) -> bool:
    return row.learner != RANDOM and not row.bound and row.learned and row.above_random


def _bold(rows: Sequence[StudyRow]) -> str:
    """Return what bold numbers are."""
    bounds = list(dict.fromkeys(row.vision for row in rows if row.bound and row.learner != RANDOM))
    aside = f"; upper bounds are never bold: {', '.join(bounds)}" if bounds else ""
    return f"Bold: the best of its column that beats random play there and in the source by more than chance{aside}."


def _notes(rows: Sequence[StudyRow]) -> list[str]:
    trained = [row for row in rows if row.learner != RANDOM]
    seeds = sorted({row.seeds for row in trained})
    number_of_seeds = count(seeds[0], "policy seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} policy seeds"
    success = " Percentages: successful episodes." if any(row.success is not None for row in rows) else ""
    brackets = ""
    if any(row.mean_low is not None for row in rows):
        brackets = (
            "; brackets: intervals from resampling them as whole rows, encoders before the policies that share them"
        )
    return [
        f"{number_of_seeds} for each method{brackets}.{success}",
        *_warning(trained),
    ]


def _warning(rows: Sequence[StudyRow]) -> list[str]:
    """Return the warning below a table of few seeds."""
    if not any(row.preliminary and row.mean_low is not None for row in rows if row.learner != RANDOM):
        return []
    return [
        f"**Preliminary**: intervals marked † come from fewer than {FEW_SEEDS} independent seeds and are too narrow."
    ]


def _estimate(value: float, low: float | None, high: float | None, preliminary: bool, *, signed: bool = False) -> Cell:
    text = number(value, 2)
    text = f"+{text}" if signed and value > 0 else text
    if low is None or high is None:
        return Cell(text)
    return Cell(text, f"[{number(low, 2)}, {number(high, 2)}]{'†' if preliminary else ''}")
