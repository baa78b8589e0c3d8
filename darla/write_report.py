"""The report of a run, as an artefact: a self-contained HTML page, and Markdown with figures."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.checked_config import checked_arguments
from darla.common.speeds.meter import measuring
from darla.common.speeds.records import Work, spread
from darla.common.speeds.wording import Part
from darla.envs.domains.task_files import task_from_dict
from darla.record_film import record_pairs
from darla.reports.csv_latex import write_tables
from darla.reports.data import ReportData, TransferData, collect_artefacts
from darla.reports.document import Film
from darla.reports.figures.film import KINDS, can_write_mp4, film_gif, film_mp4, film_size
from darla.reports.page import build_report, write_document

KIND = "report"


@checked_arguments
@writes_nothing_if_refused
def report(
    runs: Artefact | Path | str | Sequence[Artefact | Path | str], out: Path | str, *, films: bool = False
) -> Artefact:
    """Write a report on one or more runs.

    Args:
        runs: a transfer, whose agents, encoders and frames are added to the report; or any folders: every finished
            artefact in and below them goes into the report.
        out: folder of the artefact.
        films: whether the first agent of each method plays an episode in the source and in each target again, as a film
            in the report: MP4 where `imageio-ffmpeg` is installed, else an animated GIF. It needs the agents and their
            environments.

    Returns:
        An artefact of kind `report`: `report.html`, `report.md` and `figures/`, and every table as CSV and LaTeX in
        `tables/`.

    Raises:
        InputError: there is nothing to report on, an artefact is damaged, `out` holds something else, or there are no
            agents for films.
    """
    started = time.monotonic()
    folders = [runs] if isinstance(runs, Artefact | Path | str) else list(runs)
    data = collect_artefacts([run.folder if isinstance(run, Artefact) else run for run in folders])
    inputs = {f"{artefact.kind} {artefact.folder.name}": artefact.digest for artefact in data.all()}
    record: dict[str, Any] = {"artefacts": sorted(artefact.digest for artefact in data.all())}
    if films:
        record["films"] = KINDS[can_write_mp4()].removeprefix(".")
        _agents_of_films(data)  # refuses before a folder is made
    folder = start_artefact(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    kinds = " ".join(sorted({artefact.kind for artefact in data.all()}))
    work = Work("report", "artefact", {"of": kinds, "films": str(record.get("films", "no"))}, spread())
    with measuring("report", [Part(work, len(data.all()))]) as meter:
        meter.announce()
        document = build_report(data, _films(data) if films else {})
        write_document(document, folder)
        write_tables(document, folder)
        return complete_artefact(folder, KIND, record, seed=0, inputs=inputs, wall_seconds=time.monotonic() - started)


def _agents_of_films(data: ReportData) -> list[tuple[TransferData, list[tuple[str, Artefact]]]]:
    """Return for each transfer the agents of its films: the first of each method that is in the report.

    Raises:
        InputError: none of a transfer's agents is in the report.
    """
    agents = {agent.digest: agent for agent in data.agents}
    chosen = []
    for transfer in data.transfers:
        first: dict[str, Artefact] = {}
        for record in transfer.scores.agents:
            if record.digest in agents:
                first.setdefault(record.method, agents[record.digest])
        if not first:
            raise InputError(f"a film needs the agents of {transfer.artefact.folder}; name their folders too")
        chosen.append((transfer, list(first.items())))
    if not chosen:
        raise InputError("a film needs a transfer, whose agents play an episode; there is none among the runs")
    return chosen


def _films(data: ReportData) -> dict[tuple[str, str], Film]:
    """Let agents play, and return a film for each transfer and target."""
    films = {}
    for transfer, agents in _agents_of_films(data):
        task = task_from_dict(transfer.task)
        for target in transfer.scores.targets:
            rows = record_pairs(task, agents, target, transfer.scores.settings)
            width, height = film_size(rows)
            made = Film(film_mp4(rows), "mp4", width, height) if can_write_mp4() else \
                   Film(film_gif(rows), "gif", width, height)  # fmt: skip
            films[transfer.artefact.digest, target] = made
    return films
