"""The report of a run, as an artefact: an HTML page that stands alone, and Markdown with its pictures."""

import time
from collections.abc import Sequence
from pathlib import Path

from darla.common import Artefact, complete_artefact, is_complete, start_artefact
from darla.reports.csv_latex import write_tables
from darla.reports.data import gather
from darla.reports.page import compose, write_document

KIND = "report"


def report(runs: Artefact | Path | str | Sequence[Artefact | Path | str], out: Path | str) -> Artefact:
    """Write a report on one or more runs.

    Args:
        runs: a transfer, which brings along the agents, encoders and frames it stands on; or any folders,
        of which
            every finished artefact at and below them goes into the report.
        out: folder of the artefact.

    Returns:
        An artefact of kind `report`: `report.html`, `report.md` and `figures/`, and every table as CSV and LaTeX in
        `tables/`.

    Raises:
        InputError: there is nothing to report on, an artefact is damaged, or `out` holds something else.
    """
    started = time.monotonic()
    given = [runs] if isinstance(runs, Artefact | Path | str) else list(runs)
    material = gather([run.folder if isinstance(run, Artefact) else run for run in given])
    inputs = {f"{artefact.kind} {artefact.folder.name}": artefact.digest for artefact in material.all()}
    record = {"artefacts": sorted(artefact.digest for artefact in material.all())}
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    document = compose(material)
    write_document(document, folder)
    write_tables(document, folder)
    return complete_artefact(folder, KIND, record, seed=0, inputs=inputs, wall_seconds=time.monotonic() - started)
