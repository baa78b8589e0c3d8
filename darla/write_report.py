"""The report of a run, as an artefact: a self-contained HTML page, and Markdown with figures."""

import time
from collections.abc import Sequence
from pathlib import Path

from darla.common import Artefact, complete_artefact, is_complete, start_artefact, writes_nothing_if_refused
from darla.reports.csv_latex import write_tables
from darla.reports.data import collect_artefacts
from darla.reports.page import build_report, write_document

KIND = "report"


@writes_nothing_if_refused
def report(runs: Artefact | Path | str | Sequence[Artefact | Path | str], out: Path | str) -> Artefact:
    """Write a report on one or more runs.

    Args:
        runs: a transfer, whose agents, encoders and frames are added to the report; or any folders: every finished
            artefact in and below them goes into the report.
        out: folder of the artefact.

    Returns:
        An artefact of kind `report`: `report.html`, `report.md` and `figures/`, and every table as CSV and LaTeX in
        `tables/`.

    Raises:
        InputError: there is nothing to report on, an artefact is damaged, or `out` holds something else.
    """
    started = time.monotonic()
    folders = [runs] if isinstance(runs, Artefact | Path | str) else list(runs)
    data = collect_artefacts([run.folder if isinstance(run, Artefact) else run for run in folders])
    inputs = {f"{artefact.kind} {artefact.folder.name}": artefact.digest for artefact in data.all()}
    record = {"artefacts": sorted(artefact.digest for artefact in data.all())}
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    document = build_report(data)
    write_document(document, folder)
    write_tables(document, folder)
    return complete_artefact(folder, KIND, record, seed=0, inputs=inputs, wall_seconds=time.monotonic() - started)
