"""A study in the layout of Table 1 of the DARLA paper: what agents see by what trained them, their return in targets.

    table 1    a row for each vision (end to end, DARLA, ...), a column for each task and learner
    table 2    the same, less the end-to-end agent that the same learner trained: paired differences

Higgins et al. 2017, DARLA: improving zero-shot transfer in reinforcement learning, Table 1.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from darla.analysis.study_scores import StudyRow, study_rows, write_rows
from darla.common import Artefact
from darla.common.files import read_json, write_bytes
from darla.evaluation.bootstrap import FEW_SEEDS
from darla.evaluation.scores import RANDOM
from darla.evaluation.transfer_files import SCORES
from darla.reports.csv_latex import to_csv, to_latex
from darla.reports.document import Cell, Table
from darla.reports.tables.transfer import NOTHING, leak_notes, number

STEM, ROWS = "paper-table", "scores.csv"
_TESTABLE = 6
"""Independent runs from which on a paired permutation test can fall below 0.05."""


def return_table(rows: Sequence[StudyRow], *, statistic: str = "mean", notes: Sequence[str] = ()) -> Table:
    """Return the mean return over the targets of each task, with its interval; the best of each column is bold.

    Args:
        rows: what `study_rows` found.
        statistic: `mean`, `iqm`, or `worst` for the target where it is lowest.
        notes: more that a reader must know.
    """

    def cell(row: StudyRow) -> Cell:
        low, high = getattr(row, f"{statistic}_low"), getattr(row, f"{statistic}_high")
        return _estimate(getattr(row, statistic), low, high, row.preliminary)

    def worth(row: StudyRow) -> float:
        value: float = getattr(row, statistic)
        return value

    names = {
        "mean": "Mean return",
        "iqm": "Interquartile mean of the return",
        "worst": "Mean return in the worst target",
    }
    where = "" if statistic == "worst" else " over the targets of each task"
    return _pivot(f"{names[statistic]}{where}", rows, cell, worth, [*_said(rows), *notes])


def difference_table(rows: Sequence[StudyRow]) -> Table:
    """Return how much more than the same learner's end-to-end agent each method returns over the targets.

    P-values stand where there are enough independent runs for a test to say anything.
    """
    tested = any(row.p_value is not None and min(row.seeds, row.encoders or row.seeds) >= _TESTABLE for row in rows)

    def cell(row: StudyRow) -> Cell:
        if row.difference is None:
            return NOTHING
        said = _estimate(row.difference, row.difference_low, row.difference_high, row.preliminary, signed=True)
        p_value = f" p {number(row.p_value_holm, 3)}" if tested and row.p_value_holm is not None else ""
        return Cell(said.text, f"{said.detail}{p_value}".strip())

    shown = [row for row in rows if row.learner != RANDOM]
    paired = all(row.paired for row in rows if row.paired is not None)
    notes = [
        "Mean return over the targets less that of the end-to-end agent that the same learner trained; "
        + ("seeds are paired." if paired else "seeds are paired where both have the same.")
    ]
    if tested:
        notes.append(
            "p: permutation test over seeds, adjusted by Holm's method over the methods of a task and learner."
        )
    return _pivot("Against the end-to-end agent of the same learner", shown, cell, None, [*notes, *_warning(rows)])


def write_paper_table(transfers: Mapping[str, Artefact], folder: Path) -> str:
    """Write a study's tables: `paper-table.md`, `.csv` and `.tex`, and every number behind them in `scores.csv`.

    Args:
        transfers: artefacts of kind `transfer`, by the name of the task.
        folder: where they go; its files of these names are replaced.

    Returns:
        The Markdown.
    """
    rows = study_rows(transfers)
    leaks = [note for transfer in transfers.values() for note in leak_notes(read_json(transfer.folder / SCORES))]
    tables = return_table(rows, notes=list(dict.fromkeys(leaks))), difference_table(rows)
    text = "\n\n".join(f"**{table.caption}**\n\n{table.markdown()}" for table in tables) + "\n"
    write_bytes(folder / f"{STEM}.md", text.encode())
    write_bytes(folder / f"{STEM}.csv", to_csv(tables[0]).encode())
    latex = "\n".join(to_latex(table, name) for table, name in zip(tables, ("returns", "differences"), strict=True))
    write_bytes(folder / f"{STEM}.tex", latex.encode())
    write_rows(folder / ROWS, rows)
    return text


def _pivot(
    caption: str,
    rows: Sequence[StudyRow],
    cell: Callable[[StudyRow], Cell],
    worth: Callable[[StudyRow], float] | None,
    notes: Sequence[str],
) -> Table:
    """Put what the rows over all targets say into visions by tasks and learners."""
    overall = [row for row in rows if row.split == "targets"]
    learners = [learner for learner in dict.fromkeys(row.learner for row in overall) if learner != RANDOM]
    columns = [
        (task, learner)
        for task in dict.fromkeys(row.task for row in overall)
        for learner in learners
        if any((row.task, row.learner) == (task, learner) for row in overall)
    ]
    # The random agent has no learner: it stands beside each.
    found = {(row.vision, row.task, row.learner): row for row in overall}
    visions = list(dict.fromkeys(row.vision for row in overall))
    # The first method, the random one, has met of the targets what any policy of the source has.
    leaks = {task: next(row.leak for row in overall if row.task == task) for task, _ in columns}
    best: dict[tuple[str, str], float] = {}
    if worth is not None:
        for row in (row for row in overall if not row.bound):
            place = row.task, row.learner
            best[place] = max(best.get(place, worth(row)), worth(row))
    body = []
    for vision in visions:
        line = [Cell(vision)]
        for task, learner in columns:
            there = found.get((vision, task, learner)) or found.get((vision, task, RANDOM))
            if there is None:
                line.append(NOTHING)
                continue
            said = cell(there)
            wins = worth is not None and not there.bound and best.get((task, learner)) == worth(there)
            line.append(Cell(f"**{said.text}**", said.detail) if wins else said)
        body.append(tuple(line))
    header = [
        Cell("vision"),
        *(Cell(", ".join(filter(None, (task, learner))), f"leak: {leaks[task]}") for task, learner in columns),
    ]
    return Table(caption, tuple(header), tuple(body), tuple(notes))


def _said(rows: Sequence[StudyRow]) -> list[str]:
    learnt = [row for row in rows if row.learner != RANDOM]
    seeds = sorted({row.seeds for row in learnt})
    told = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    bounds = list(dict.fromkeys(row.vision for row in learnt if row.bound))
    aside = f"; no rivals, and never bold: {', '.join(bounds)}" if bounds else ""
    return [
        f"{told} policy seed{'s' * (seeds[-1] > 1)} for each method; brackets: intervals from resampling them as whole "
        f"rows, encoders before the policies that share them. Bold: the best of its column{aside}.",
        *_warning(learnt),
    ]


def _warning(rows: Sequence[StudyRow]) -> list[str]:
    """Return the warning that a table of few seeds carries."""
    if not any(row.preliminary for row in rows if row.learner != RANDOM):
        return []
    return [
        f"**Preliminary**: intervals marked † rest on fewer than {FEW_SEEDS} independent seeds, and cover the truth "
        "less often than they say."
    ]


def _estimate(value: float, low: float | None, high: float | None, preliminary: bool, *, signed: bool = False) -> Cell:
    said = number(value, 2)
    text = f"+{said}" if signed and value > 0 else said
    if low is None or high is None:
        return Cell(text)
    return Cell(text, f"[{number(low, 2)}, {number(high, 2)}]{'†' if preliminary else ''}")
