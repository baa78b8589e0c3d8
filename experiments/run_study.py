"""Run a study: its jobs in worker processes or on a cluster, then transfers, tables and report.

OUT/
  study.json       all jobs, for `darla study status`
  logs/            what each job printed
  frames/ denoisers/ encoders/ agents/    the artefacts of the jobs, in folders named by a digest of their inputs
  episodes/        episodes that several tasks share, by agent and domain
  transfers/       one for each task
  correlation/     measures of the encoders and their correlation with transfer, if the study has it
  table.md         for each task a table of all domains
  paper-table.md   returns over the targets, by method and algorithm; also .csv and .tex
  scores.csv       all numbers of the tables
  reports/         one page on everything
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darla.common import Artefact, InputError, is_complete
from darla.common.checked_config import checked_arguments
from darla.common.files import write_bytes
from darla.common.graphics import require_graphics
from darla.common.jobs.locks import only_one
from darla.common.jobs.scheduler import Failure, as_error, finish_jobs
from darla.common.progress import duration
from darla.common.threads import available_cores, check_workers
from darla.experiments import demos
from darla.experiments.expected_time import StudyTime, keep_study, study_time, whole_study
from darla.experiments.plan import Plan, plan
from darla.experiments.status import LOGS, StudyPart, write_study
from darla.experiments.studies import named_study
from darla.experiments.study import Study
from darla.reports.tables.paper import FILES as PAPER_FILES
from darla.reports.tables.paper import write_paper_table
from darla.reports.tables.study import study_table
from darla.write_report import report
from darla.zero_shot import transfer

TABLE = "table.md"
CORRELATION, EPISODES = "correlation", "episodes"
_REPORT_SECONDS = 20.0


@dataclass(frozen=True)
class StudyResult:
    """The results of a study."""

    folder: Path
    transfers: dict[str, Artefact]
    """Artefacts of kind `transfer`, by the name of the task."""
    report: Artefact
    """One report on all tasks."""
    table: str
    """For each task a table of all domains, as Markdown; also in `table.md`."""
    paper_table: str
    """Returns over the targets by method and algorithm, as Markdown; also in `paper-table.md`."""
    correlation: Artefact | None = None
    """Which measures of an encoder correlate with transfer; None if the study does not ask for it."""


@checked_arguments
def demo(
    study: Study | str = "demo",
    out: Path | str = "runs/demo",
    *,
    workers: int | None = None,
    ray: str | None = None,
) -> StudyResult:
    """Run a demonstration, `tiny`, `demo` or `quick`, or a study of your own; see `run_study`."""
    return run_study(demos.demo_study(study) if isinstance(study, str) else study, out, workers=workers, ray=ray)


@checked_arguments
def run_study(
    study: Study | str,
    out: Path | str,
    *,
    scale: str = "small",
    workers: int | None = None,
    ray: str | None = None,
) -> StudyResult:
    """Run a study: collect, see and act for every method and seed, then transfer and report for every task.

    Each job writes to a folder named by a digest of its inputs. So an interrupted study resumes where it stopped, and a
    study with one more method or task runs only the new jobs. A job that fails blocks only the jobs that need it;
    running the study again tries it again.

    Args:
        study: a study, or the name of one; `darla study list` shows them.
        out: folder for everything that is made.
        scale: of a named study, `small` or `full`.
        workers: worker processes with one thread each; as many as there are cores if None.
        ray: address of a Ray cluster to run the jobs on, `local` to start one here; None for processes on this machine.
            Transfers and report are always made on this machine.

    Raises:
        InputError: the study is unknown, a job failed (the others were finished first), or another process is working
            in `out`.
    """
    start = time.monotonic()
    require_graphics()
    if isinstance(study, str):
        study = named_study(study, scale)
    check_workers(workers)
    local_workers = available_cores() if workers is None else workers
    out = Path(out)
    work = plan(study, out)
    with only_one(out):
        folders = [job.folder for job in work.jobs] + [part.folder for part in work.transfers]
        begun = any(map(is_complete, folders))
        if ray is None:
            expected = study_time(study, work, local_workers)
            work = expected.work
            _announce(study, work, expected, local_workers, begun)
        write_study(out, study.name, _parts(study, work, out), local_workers, (TABLE, *PAPER_FILES))
        afterwards = sum(part.cost for part in work.transfers)
        failures = finish_jobs(work.jobs, workers, out / LOGS, ray=ray, afterwards=afterwards)
        transfers: dict[str, Artefact] = {}
        for part in work.transfers:
            if all(is_complete(agent) for _, agent in part.agents):
                if not is_complete(part.folder):
                    _print_status(f"{part.task}: evaluating all agents in the source and in the targets")
                transfers[part.task] = transfer(
                    part.task,
                    part.agents,
                    part.folder,
                    study.transfer,
                    workers=local_workers,
                    episode_cache=out / EPISODES,
                )
        if failures:
            raise _without_report(failures, transfers, work)
        result = _write_results(study, work, out, transfers, workers)
    if ray is None and not begun:
        keep_study(study, work, local_workers, time.monotonic() - start)
    page = result.report.folder / "report.html"
    _print_status(f"done in {duration(time.monotonic() - start)}; report: {page}; tables in {out}")
    return result


def _write_results(
    study: Study, work: Plan, out: Path, transfers: dict[str, Artefact], workers: int | None
) -> StudyResult:
    """Write what follows from the transfers: correlation, report and tables."""
    correlation = None
    if study.correlates:
        from darla.correlate_encoders import correlate  # not at the top: scikit-learn takes a second to import

        correlation = correlate(
            work.encoders, list(transfers.values()), out / CORRELATION, frames=work.frames, workers=workers
        )
    page = report([*transfers.values(), *([correlation] if correlation else [])], work.report)
    table = study_table(transfers)
    write_bytes(out / TABLE, (table + "\n").encode())
    return StudyResult(out, transfers, page, table, write_paper_table(transfers, out), correlation)


def _parts(study: Study, work: Plan, out: Path) -> list[StudyPart]:
    """Return everything that the study makes, for `darla study status`."""

    def name(folder: Path) -> str:
        return str(folder.relative_to(out))

    parts = [StudyPart(job.label, name(job.folder), tuple(map(name, job.needs)), job.cost) for job in work.jobs]
    for job in work.transfers:
        agents = tuple(name(agent) for _, agent in job.agents)
        parts.append(StudyPart(f"transfer in {job.task}", name(job.folder), agents, job.cost))
    needs = tuple(name(job.folder) for job in work.transfers)
    if study.correlates:
        folder = f"{CORRELATION}/{CORRELATION}"
        parts.append(StudyPart("correlation of encoders with transfer", folder, needs, work.correlation_cost))
        needs = (*needs, folder)
    return [*parts, StudyPart("report", name(work.report), needs, _REPORT_SECONDS)]


def _announce(study: Study, work: Plan, expected: StudyTime, workers: int, begun: bool) -> None:
    """Print how long the study, or what is left of it, takes on this machine."""
    if expected.pieces:
        whole = "" if begun else whole_study(study, work, workers)
        _print_status(f"{study.name}: {whole or expected} with {workers} worker{'s' * (workers > 1)}")


def _without_report(failures: Sequence[Failure], transfers: dict[str, Artefact], work: Plan) -> InputError:
    evaluated = f"{len(transfers)} of {len(work.transfers)} tasks were evaluated, and there is no report yet"
    return InputError(f"{as_error(failures)}; {evaluated}")


def _print_status(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
