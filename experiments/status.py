"""How far a study has come, told from its folder alone: what is finished, what is at work, what failed and why.

    OUT/study.json   every part of the study, what it needs and what it is expected to cost; written when a run begins
    OUT/logs/        what each part printed, with marks of when it began and how it ended (`darla.common.jobs.log`)

Nothing is asked of the process that runs the study, so a study that runs on another machine, on a cluster or not at all
can be looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from darla.common import InputError, is_complete
from darla.common.files import read_json, write_json
from darla.common.jobs import log as job_log
from darla.common.jobs.scheduler import is_held
from darla.common.progress import duration

STUDY = "study.json"
LOGS = "logs"
_FORMAT = 1

State = Literal["done", "running", "interrupted", "failed", "ready", "waiting"]
STATES: tuple[State, ...] = ("done", "running", "interrupted", "failed", "ready", "waiting")
"""`interrupted`: begun, and goes on there when the study is run again. `ready`: everything it needs is there.
`waiting`: something it needs is not."""


@dataclass(frozen=True)
class StudyPart:
    """One thing that a study makes: frames, a denoiser, an encoder, an agent, a transfer, ..."""

    label: str
    folder: str
    """Relative to the study's folder; its first name is the kind of thing."""
    needs: tuple[str, ...]
    cost: float
    """Expected seconds on one core."""

    @property
    def kind(self) -> str:
        """What it is: `encoders`, `agents`, ..."""
        return Path(self.folder).parts[0]


@dataclass(frozen=True)
class PartStatus:
    """How far one part has come."""

    part: StudyPart
    state: State
    seconds: float | None = None
    """What it took, or has taken since it was last started."""
    told: str = ""
    """The reason of a failure; the last thing that a running part printed."""
    host: str = ""
    """Where a running part runs."""
    log: str = ""
    """Its log, relative to the study's folder, where there is one."""


@dataclass(frozen=True)
class StudyStatus:
    """How far a study has come."""

    name: str
    folder: Path
    parts: tuple[PartStatus, ...]
    running: bool
    """Whether a process works on the study."""
    seconds_left: float
    """Estimated, with the processes of its last run."""

    def count(self, state: State, kind: str | None = None) -> int:
        """Return how many parts are in a state, of one kind or of all."""
        return sum(each.state == state and kind in (None, each.part.kind) for each in self.parts)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.count("done") == len(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, for `darla study status --json`."""
        parts = [
            {**asdict(each.part), "kind": each.part.kind, "state": each.state, "seconds": each.seconds,
             "told": each.told, "host": each.host, "log": each.log}
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
            yield f"{self.name}: all {total} parts are done"
        else:
            at_work = "at work" if self.running else "nobody is at work on it"
            left = duration(self.seconds_left)
            yield f"{self.name}: {self.count('done')} of {total} parts are done, about {left} left; {at_work}"
        kinds = list(dict.fromkeys(each.part.kind for each in self.parts))
        shown = [state for state in STATES if self.count(state)]
        width = max(map(len, kinds))
        yield "  ".join([" " * width, *(f"{state:>11}" for state in shown)])
        for kind in kinds:
            yield "  ".join([f"{kind:<{width}}", *(f"{self.count(state, kind) or '':>11}" for state in shown)])
        for each in self.parts:
            if each.state == "running":
                where = f" on {each.host}" if each.host else ""
                took = duration(each.seconds or 0.0)
                yield f"running{where}: {each.part.label} ({took}){': ' * bool(each.told)}{each.told}"
        for each in self.parts:
            if each.state == "failed":
                yield f"failed: {each.part.label}: {each.told} (log: {self.folder / each.log})"


def write_study(folder: Path, name: str, parts: Sequence[StudyPart], processes: int) -> None:
    """Write down what a study makes, when a run of it begins.

    Args:
        folder: the study's.
        name: what the study is called.
        parts: in the order in which they are told.
        processes: how many parts are made at a time.
    """
    written = {
        "format": _FORMAT,
        "name": name,
        "begun": job_log.now().isoformat(),
        "workers": processes,
        "parts": [asdict(part) for part in parts],
    }
    write_json(folder / STUDY, written)


def study_status(folder: Path | str) -> StudyStatus:
    """Tell how far the study in `folder` has come.

    Raises:
        InputError: no study has been begun there, or `study.json` is damaged.
    """
    folder = Path(folder)
    if not (folder / STUDY).is_file():
        raise InputError(f"no study has been begun in {folder}: it holds no {STUDY}")
    try:
        written = read_json(folder / STUDY)
        begun = datetime.fromisoformat(written["begun"])
        parts = [StudyPart(**{**part, "needs": tuple(part["needs"])}) for part in written["parts"]]
        name, processes = str(written["name"]), max(1, int(written["workers"]))
        current = written["format"] == _FORMAT
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / STUDY} cannot be read as a study: {error!r}") from error
    if not current:
        raise InputError(f"{folder / STUDY} has format {written['format']!r}, but this version reads {_FORMAT}")
    held = is_held(folder)
    found = tuple(_look_at(part, folder, begun if held else None) for part in parts)
    return StudyStatus(name, folder, found, held, _left(found) / processes)


def _look_at(part: StudyPart, folder: Path, running_since: datetime | None) -> PartStatus:
    """Tell how far a part has come.

    Args:
        part: which.
        folder: the study's.
        running_since: when the run that is at work began; None if nobody is.
    """
    if is_complete(folder / part.folder):
        card = read_json(folder / part.folder / "card.json")
        return PartStatus(part, "done", float(card.get("wall_seconds", 0.0)))
    log = job_log.log_of(folder / part.folder, folder / LOGS)
    mark = job_log.last_mark(log)
    named = str(log.relative_to(folder)) if mark else ""
    of_this_run = mark is not None and running_since is not None and mark.when >= running_since
    if mark is not None and mark.kind == "failed" and (running_since is None or of_this_run):
        return PartStatus(part, "failed", told=mark.told, log=named)
    if mark is not None and mark.kind == "started" and of_this_run:
        took = (datetime.now(UTC) - mark.when).total_seconds()
        return PartStatus(part, "running", max(0.0, took), job_log.last_line(log), mark.host, named)
    if mark is not None and mark.kind == "started":
        return PartStatus(part, "interrupted", log=named)
    ready = all(is_complete(folder / need) for need in part.needs)
    return PartStatus(part, "ready" if ready else "waiting", log=named)


def _left(parts: Sequence[PartStatus]) -> float:
    """Estimate the seconds of one core that are left, by how what is done has kept to its expected cost."""
    done = [each for each in parts if each.state == "done"]
    expected = sum(each.part.cost for each in done)
    pace = sum(each.seconds or 0.0 for each in done) / expected if expected else 1.0
    left = 0.0
    for each in parts:
        if each.state != "done":
            taken = (each.seconds or 0.0) if each.state == "running" else 0.0
            left += max(0.0, pace * each.part.cost - taken)
    return left
