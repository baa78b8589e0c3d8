"""Run a study: its jobs in as many processes as there are cores or on a cluster, then transfers, tables and report.

OUT/
  study.json       every part, for `darla study status`
  logs/            what each part printed
  frames/ denoisers/ encoders/ agents/    the parts, each in a folder named after what it is made from
  transfers/       one for each task
  correlation/     measures of the encoders against transfer, where the study asks for it
  table.md         for each task a table of every domain
  paper-table.md   returns over targets, by what is seen and what learns; also .csv and .tex
  scores.csv       every number behind it
  reports/         one page on all of it
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darla.common import Artefact, InputError, is_complete
from darla.common.files import write_bytes
from darla.common.graphics import require_graphics
from darla.common.jobs.scheduler import Failure, as_error, finish_jobs, only_one
from darla.common.progress import duration
from darla.common.threads import available_cores
from darla.experiments import demos
from darla.experiments.plan import Plan, plan
from darla.experiments.status import LOGS, StudyPart, write_study
from darla.experiments.studies import named_study
from darla.experiments.study import Study
from darla.reports.tables.paper import write_paper_table
from darla.reports.tables.study import study_table
from darla.write_report import report
from darla.zero_shot import transfer

TABLE = "table.md"
PAPER = "paper-table.md"
CORRELATION, PLAYED = "correlation", "played"


@dataclass(frozen=True)
class StudyResult:
    """What a study found."""

    folder: Path
    transfers: dict[str, Artefact]
    """By the name of the task."""
    report: Artefact
    """One report on all tasks."""
    table: str
    """For each task every domain, as Markdown; also in `table.md`."""
    paper_table: str
    """Returns over targets by vision and learner, as Markdown; also in `paper-table.md`."""
    correlation: Artefact | None = None
    """What of an encoder goes with transfer, where the study asks for it."""


def demo(
    study: Study | str = "demo",
    out: Path | str = "runs/demo",
    *,
    workers: int | None = None,
    ray: str | None = None,
) -> StudyResult:
    """Run one of the demonstrations, `tiny`, `demo` or `quick`, or a study of your own; see `run_study`."""
    return run_study(demos.study(study) if isinstance(study, str) else study, out, workers=workers, ray=ray)


def run_study(
    study: Study | str,
    out: Path | str,
    *,
    size: str = "small",
    workers: int | None = None,
    ray: str | None = None,
) -> StudyResult:
    """Run a study: collect, see and act for every method and seed, then transfer and report for every task.

    Each part is kept in a folder named after what it was made from. So a study that was interrupted goes on where it
    stopped, and one that differs in a method or a task makes only what is new. A part that fails holds up what needs
    it and nothing else; running the study again tries it again.

    Args:
        study: a study, or the name of one; `darla study list` shows them.
        out: folder for everything that is made.
        size: of a named study, `small` or `full`.
        workers: parts that are made at the same time, one thread each; one for each core if None.
        ray: address of a Ray cluster to make the parts on, `local` to start one here; None for processes of our own.
            Transfers and report are made on this machine.

    Raises:
        InputError: an unknown study, a part that failed (after all others were made), or another process at work in
            `out`.
    """
    began = time.monotonic()
    require_graphics()
    if isinstance(study, str):
        study = named_study(study, size)
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}, but must be at least 1")
    local_workers = available_cores() if workers is None else workers
    out = Path(out)
    work = plan(study, out)
    with only_one(out):
        write_study(out, study.name, _parts(study, work, out), local_workers)
        afterwards = sum(part.cost for part in work.transfers)
        failures = finish_jobs(work.jobs, workers, out / LOGS, ray=ray, afterwards=afterwards)
        transfers: dict[str, Artefact] = {}
        for part in work.transfers:
            if all(is_complete(agent) for _, agent in part.agents):
                if not is_complete(part.folder):
                    _say(f"{part.task}: every agent in the source and in every target")
                transfers[part.task] = transfer(
                    part.task,
                    part.agents,
                    part.folder,
                    study.transfer,
                    workers=local_workers,
                    episode_cache=out / PLAYED,
                )
        if failures:
            raise _without_report(failures, transfers, work)
        found = _findings(study, work, out, transfers, workers)
    _say(
        f"done in {duration(time.monotonic() - began)}; report: {found.report.folder / 'report.html'}; tables in {out}"
    )
    return found


def _findings(study: Study, work: Plan, out: Path, transfers: dict[str, Artefact], workers: int | None) -> StudyResult:
    """Write what follows from the transfers."""
    correlated = None
    if study.correlates:
        from darla.correlate_encoders import correlate  # not at the top: scikit-learn takes a second to import

        correlated = correlate(
            work.encoders, list(transfers.values()), out / CORRELATION, frames=work.frames, workers=workers
        )
    made = [*transfers.values(), *([correlated] if correlated else [])]
    page = report(made, work.report)
    table = study_table(transfers)
    write_bytes(out / TABLE, (table + "\n").encode())
    return StudyResult(out, transfers, page, table, write_paper_table(transfers, out), correlated)


def _parts(study: Study, work: Plan, out: Path) -> list[StudyPart]:
    """Return everything that the study makes, as `darla study status` tells it."""

    def name(folder: Path) -> str:
        return str(folder.relative_to(out))

    parts = [StudyPart(job.label, name(job.folder), tuple(map(name, job.needs)), job.cost) for job in work.jobs]
    for made in work.transfers:
        agents = tuple(name(agent) for _, agent in made.agents)
        parts.append(StudyPart(f"transfer in {made.task}", name(made.folder), agents, made.cost))
    ends = tuple(name(made.folder) for made in work.transfers)
    if study.correlates:
        correlated = f"{CORRELATION}/{CORRELATION}"
        parts.append(StudyPart("measures of encoders against transfer", correlated, ends, work.correlation_cost))
        ends = (*ends, correlated)
    return [*parts, StudyPart("report", name(work.report), ends, _REPORT_SECONDS)]


_REPORT_SECONDS = 20.0


def _without_report(failures: Sequence[Failure], transfers: dict[str, Artefact], work: Plan) -> InputError:
    done = f"; {len(transfers)} of {len(work.transfers)} tasks could be evaluated, and there is no report yet"
    return InputError(f"{as_error(failures)}{done}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
