"""What every accident must leave behind: a folder that the same command finishes, with the result of a quiet run."""

import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

from children import Ended, at_moments, count_moments, in_child, unexpected
from workshop import ARTEFACTS, CALLS, COMMANDS, study_work, workshop

from darla.common import Artefact, DarlaError

STAGES = (*COMMANDS, *CALLS)
STUDIES = {"study": None, "study on Ray": "local"}
"""Where the jobs of a study run: in processes of this machine, or on a cluster."""
FINISHES, SPEAKS = "the same command finishes it, with the same bytes", "a sentence, never a traceback"
TRUE = "exit code 0 means a whole artefact"
ALONE = "no process stays behind"


def made_by(stage: str) -> str:
    """Return the folder of the workshop that a stage made."""
    return next(name for name, of in ARTEFACTS.items() if of == stage)


def stage_work(stage: str, out: Path, before: Callable[[], None] | None = None) -> Callable[[], int]:
    """Return the work of a stage, or of the study, that writes `out`."""
    if stage not in STUDIES:
        return workshop().work(stage, out, before)

    def work() -> int:
        if before is not None:
            before()
        return study_work(out, ray=STUDIES[stage])()

    return work


def killed_at(stage: str, out: Path, number: int) -> None:
    """Kill a stage (SIGKILL) before a change to its folder, by the number of the change."""

    def kill(count: int, *_: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(stage_work(stage, out, lambda: at_moments(out, kill)))


@cache
def moments(stage: str) -> int:
    """Return how often a stage changes its folder."""
    with workshop().scratch() as out:
        return count_moments(lambda before: workshop().work(stage, out, before), out)


def finished(stage: str, out: Path) -> str | None:
    """Give the command again, and return what is wrong with its result."""
    ended = in_child(stage_work(stage, out), seconds=600 if stage in STUDIES else 120)
    if wrong := unexpected(ended):
        return f"given again: {wrong}"
    if ended.code != 0:
        return f"given again, it ends with code {ended.code}: {ended.last}"
    if left := [str(path.relative_to(out)) for path in out.rglob("*.partial")]:
        return f"left behind: {left}"
    return whole(stage, out)


def whole(stage: str, out: Path) -> str | None:
    """Return what is wrong with a folder that should hold the result of a quiet run."""
    folders = [out] if stage not in STUDIES else [card.parent for card in sorted(out.rglob("card.json"))]
    if stage in STUDIES:
        for name in ("study.json", "table.md", "paper-table.md", "scores.csv"):
            if not (out / name).is_file():
                return f"{name} is missing"
        if len(folders) < 5:
            return f"only {len(folders)} artefacts"
    for folder in folders:
        try:
            artefact = Artefact.load(folder)
        except DarlaError as error:
            return f"not whole: {error}"
        except Exception as error:
            return f"not whole: {type(error).__name__}: {error}"
        if stage not in STUDIES and artefact.digest != workshop().digest(made_by(stage)):
            return f"another result: {differing(artefact, stage)}"
    return None


def differing(artefact: Artefact, stage: str) -> list[str]:
    """Return in which files an artefact differs from the one of a quiet run."""
    quiet = Artefact.load(workshop().folder / made_by(stage)).card
    names = artefact.card["files"].keys() | quiet["files"].keys()
    files = [name for name in sorted(names) if artefact.card["files"].get(name) != quiet["files"].get(name)]
    return files or [key for key in ("kind", "seed", "inputs", "extra") if artefact.card[key] != quiet[key]]


def true_success(stage: str, out: Path, ended: Ended) -> str | None:
    """Return what is wrong with a command that says that it is done."""
    return whole(stage, out) if ended.code == 0 else None
