"""All of it: a study's cells in as many processes as there are cores, then transfer, report and one table."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darla.base import Artefact, InputError, is_complete
from darla.base.files import write_bytes
from darla.base.graphics import require_graphics
from darla.base.progress import duration
from darla.base.threads import available_cores
from darla.cells import only_one, run_cells
from darla.reporting import report
from darla.study_table import study_table
from darla.zero_shot import transfer

if TYPE_CHECKING:
    from darla.experiments.study import Study

TABLE = "table.md"


@dataclass(frozen=True)
class Demonstration:
    """What a study found."""

    folder: Path
    transfers: dict[str, Artefact]
    """By the name of the task."""
    report: Artefact
    """One report on all tasks."""
    table: str
    """Markdown; also in `table.md`."""


def demo(
    study: "Study | str" = "demo",
    out: Path | str = "runs/demo",
    *,
    processes: int | None = None,
    ray: str | None = None,
) -> Demonstration:
    """Run a study: collect, see and act for every method and seed, then transfer and report for every task.

    Each part is kept in a folder named after what it was made from. So a study that was interrupted goes on where it
    stopped, and one that differs in a method or a task makes only what is new.

    Args:
        study: a study, or the name of a preset: `tiny`, `demo` or `quick`.
        out: folder for everything that is made.
        processes: parts that are made at the same time, one thread each; one for each core if None.
        ray: address of a Ray cluster to make the parts on, `local` to start one here; None for processes of our own.
            Transfer and report are made on this machine.

    Raises:
        InputError: an unknown preset, a part that failed, or another process at work in `out`.
    """
    from darla.experiments import presets  # not at the top: experiments stand on this package
    from darla.experiments.plan import plan

    started = time.monotonic()
    require_graphics()
    if isinstance(study, str):
        study = presets.study(study)
    if processes is not None and processes < 1:
        raise InputError(f"processes is {processes}, but must be at least 1")
    workers = available_cores() if processes is None else processes
    out = Path(out)
    work = plan(study, out)
    with only_one(out):
        afterwards = sum(part.cost for part in work.transfers)
        run_cells(work.cells, processes, out / "logs", ray=ray, afterwards=afterwards)
        transfers: dict[str, Artefact] = {}
        for part in work.transfers:
            if not is_complete(part.folder):
                _say(f"{part.task}: every agent in the source and in every target")
            transfers[part.task] = transfer(part.task, part.agents, part.folder, study.transfer, workers=workers)
        page = report(list(transfers.values()), work.report)
        table = study_table(transfers)
        write_bytes(out / TABLE, (table + "\n").encode())
    _say(f"done in {duration(time.monotonic() - started)}; report: {page.folder / 'report.html'}; table: {out / TABLE}")
    return Demonstration(out, transfers, page, table)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
