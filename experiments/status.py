"""The progress of a study, read from its folder alone: which jobs are done, running or failed, and why.

    OUT/study.json   all jobs of the study, what they need and their expected cost; written when a run starts
    OUT/logs/        what each job printed, and lines with its start and its end (`darla.common.jobs.log`)

The process that runs the study is not contacted, so this works for a study that runs on another machine or on a
cluster, and for one that does not run at present.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from darla.common import InputError, is_complete
from darla.common.artefact import CARD, CONFIG
from darla.common.checked_config import checked_arguments
from darla.common.files import read_json, write_json
from darla.common.jobs import log as job_log
from darla.common.jobs.locks import is_held
from darla.common.jobs.stopwatch import as_seconds
from darla.common.json_records import load_json
from darla.common.progress import duration

STUDY = "study.json"
LOGS = "logs"
_FORMAT = 1
_KEYS = {"format", "name", "started", "workers", "parts"}

State = Literal["done", "running", "interrupted", "failed", "ready", "waiting"]
STATES: tuple[State, ...] = ("done", "running", "interrupted", "failed", "ready", "waiting")
"""`interrupted`: started and not finished; resumes when the study is run again. `ready`: everything it needs is done.
`waiting`: something it needs is not done."""


@dataclass(frozen=True)
class StudyPart:
    """One job of a study: it makes frames, a denoiser, an encoder, an agent, a transfer, ..."""

    label: str
    folder: str
    """Its artefact, relative to the study's folder; the first part of the path is the kind."""
    needs: tuple[str, ...]
    """Folders of the jobs that must be done first."""
    cost: float
    """Expected seconds on one core."""

    @property
    def kind(self) -> str:
        """What it makes: `encoders`, `agents`, ..."""
        return Path(self.folder).parts[0]


@dataclass(frozen=True)
class _StudyRecord:
    """What `study.json` holds."""

    format: int
    name: str
    started: str
    workers: int
    parts: tuple[StudyPart, ...]


@dataclass(frozen=True)
class PartStatus:
    """The progress of one job."""

    part: StudyPart
    state: State
    seconds: float | None = None
    """Wall time of a job that is done; of one that is running, the time since it was last started."""
    message: str = ""
    """Why it failed; of a running job, the last line that it printed."""
    host: str = ""
    """Host name of a running job."""
    log: str = ""
    """Its log, relative to the study's folder, if there is one."""


@dataclass(frozen=True)
class StudyStatus:
    """The progress of a study."""

    name: str
    folder: Path
    parts: tuple[PartStatus, ...]
    running: bool
    """Whether a process is running the study."""
    seconds_left: float
    """Estimated, with the number of workers of its last run."""

    def count(self, state: State, kind: str | None = None) -> int:
        """Return how many jobs are in a state, of one kind or of all."""
        return sum(each.state == state and kind in (None, each.part.kind) for each in self.parts)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.count("done") == len(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, for `darla study status --json`."""
        parts = [
            {**asdict(each.part), "kind": each.part.kind, "state": each.state, "seconds": each.seconds,
             "message": each.message, "host": each.host, "log": each.log}
            for each in self.parts
        ]  # fmt: skip
        counts = {state: self.count(state) for state in STATES}
        return {
            "name": self.name,
            "folder": str(self.folder),
            "running": self.running,
            "done": self.is_done,
            "seconds_left": round(self.seconds_left),
            "counts": counts,
            "parts": parts,
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        total = len(self.parts)
        if self.is_done:
            yield f"{self.name}: all {total} jobs are done"
        else:
            running = "running" if self.running else "not running"
            left = duration(self.seconds_left)
            yield f"{self.name}: {self.count('done')} of {total} jobs are done, about {left} left; {running}"
        kinds = list(dict.fromkeys(each.part.kind for each in self.parts))
        states = [state for state in STATES if self.count(state)]
        width = max(map(len, kinds))
        yield "  ".join([" " * width, *(f"{state:>11}" for state in states)])
        for kind in kinds:
            yield "  ".join([f"{kind:<{width}}", *(f"{self.count(state, kind) or '':>11}" for state in states)])
        for each in self.parts:
            if each.state == "running":
                where = f" on {each.host}" if each.host else ""
                seconds = duration(each.seconds or 0.0)
                yield f"running{where}: {each.part.label} ({seconds}){': ' * bool(each.message)}{each.message}"
        for each in self.parts:
            if each.state == "failed":
                log = f" (log: {self.folder / each.log})" if each.log else ""
                yield f"failed: {each.part.label}: {each.message}{log}"


def write_study(folder: Path, name: str, parts: Sequence[StudyPart], workers: int, tables: Sequence[str] = ()) -> None:
    """Write the list of a study's jobs, when a run of it starts.

    Args:
        folder: of the study.
        name: of the study.
        parts: its jobs, in the order of the listing.
        workers: how many jobs run at a time.
        tables: names of the files that are written into the folder at the end.

    Raises:
        InputError: the folder holds files of the same names that no study has written.
    """
    _require_own(folder, tables)
    record = {
        "format": _FORMAT,
        "name": name,
        "started": job_log.now().isoformat(),
        "workers": workers,
        "parts": [asdict(part) for part in parts],
    }
    write_json(folder / STUDY, record)


def _require_own(folder: Path, tables: Sequence[str]) -> None:
    """Check that what a study would replace in a folder was written by one.

    Raises:
        InputError: it was not.
    """
    record: object = None
    if (folder / STUDY).exists():
        try:
            record = read_json(folder / STUDY)
        except InputError:
            record = "damaged"  # not valid JSON, so a study did not write it: studies write it in one step
        if not isinstance(record, dict) or not record.keys() >= _KEYS:
            raise InputError(f"{folder / STUDY} is not darla's; move it elsewhere, or choose another folder")
    if (folder / CONFIG).exists() or is_complete(folder):
        raise InputError(f"{folder} is the folder of an artefact; choose another folder for a study")
    for name in tables:
        if record is None and (folder / name).exists():
            raise InputError(
                f"{folder / name} would be replaced, and no study has been started in {folder}; move it elsewhere, or "
                "choose another folder"
            )


@checked_arguments
def study_status(folder: Path | str) -> StudyStatus:
    """Return the progress of the study in `folder`.

    Raises:
        InputError: no study has been started there, or `study.json` is damaged.
    """
    folder = Path(folder)
    if not (folder / STUDY).is_file():
        raise InputError(f"no study has been started in {folder}: there is no {STUDY}")
    try:
        record = load_json(_StudyRecord, folder / STUDY)
        started = datetime.fromisoformat(record.started)
    except ValueError as error:
        raise InputError(f"{folder / STUDY} cannot be read as a study: {error}") from error
    if record.format != _FORMAT:
        raise InputError(f"{folder / STUDY} has format {record.format!r}, but this version reads {_FORMAT}")
    name, workers, parts = record.name, max(1, record.workers), record.parts
    running = is_held(folder)
    statuses = tuple(_part_status(part, folder, started if running else None) for part in parts)
    return StudyStatus(name, folder, statuses, running, _seconds_left(statuses) / workers)


def _part_status(part: StudyPart, folder: Path, running_since: datetime | None) -> PartStatus:
    """Return the progress of one job.

    Args:
        part: the job.
        folder: of the study.
        running_since: when the present run of the study started; None if it is not running.
    """
    if is_complete(folder / part.folder):
        seconds = _seconds_on_card(folder / part.folder / CARD)
        if seconds is None:
            return PartStatus(part, "failed", message=f"{part.folder}/{CARD} is damaged; delete {part.folder}")
        return PartStatus(part, "done", seconds)
    log = job_log.log_of(folder / part.folder, folder / LOGS)
    mark = job_log.last_mark(log)
    log_name = str(log.relative_to(folder)) if mark else ""
    of_this_run = mark is not None and running_since is not None and mark.when >= running_since
    if mark is not None and mark.kind == "failed" and (running_since is None or of_this_run):
        return PartStatus(part, "failed", message=mark.reason, log=log_name)
    if mark is not None and mark.kind == "started" and of_this_run:
        seconds = (datetime.now(UTC) - mark.when).total_seconds()
        return PartStatus(part, "running", max(0.0, seconds), job_log.last_line(log), mark.host, log_name)
    if mark is not None and mark.kind == "started":
        return PartStatus(part, "interrupted", log=log_name)
    ready = all(is_complete(folder / need) for need in part.needs)
    return PartStatus(part, "ready" if ready else "waiting", log=log_name)


def _seconds_on_card(path: Path) -> float | None:
    """Return the wall time of a finished job; None if its card cannot be read. Opening it checks all of it."""
    try:
        card = read_json(path)
    except InputError:
        return None
    return as_seconds(card.get("wall_seconds")) if isinstance(card, dict) else None


def _seconds_left(parts: Sequence[PartStatus]) -> float:
    """Estimate the seconds of one core that are left, from expected costs and the times of the jobs that are done."""
    done = [each for each in parts if each.state == "done"]
    expected = sum(each.part.cost for each in done)
    pace = sum(each.seconds or 0.0 for each in done) / expected if expected else 1.0
    left = 0.0
    for each in parts:
        if each.state != "done":
            taken = (each.seconds or 0.0) if each.state == "running" else 0.0
            left += max(0.0, pace * each.part.cost - taken)
    return left
