"""Artefacts altered: noticed where they are opened, or another digest, which everything downstream records."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from altering import OUTSIDE, alter, alterations, copied, files_of
from children import darla, explained, in_child, unexpected
from finishing import SPEAKS, STAGES, differing, killed_at, made_by, moments, stage_work
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import ARTEFACTS, study_work, workshop

from darla.agents.agent import Agent
from darla.common import Artefact
from darla.common.artefact import card_checksum
from darla.common.files import sha256
from darla.envs.frames.frame_set import FrameSet
from darla.vision import load
from darla.zero_shot import TransferResult

NOTICED = "an alteration is noticed"
CHAIN = "with hashes renewed: refused, or another digest"
USES = "what uses it ends in success or in a sentence"
NO_DAMAGE = "no damage of unfinished work ends under a valid hash"
"""A file that somebody adds to an unfinished artefact becomes part of it; its digest says so."""
USERS = {
    "frames": "see {it} --preset beta-1 --vae.latent-dim 2 --training.steps 1 --training.batch-size 8 --out {out}",
    "encoder": "metrics {it} --names mig --out {out}",
    "encoder-with-dae": (
        "act {work}/task.json --encoder {it} --env-steps 16 --settings.n-envs 2 --settings.n-steps 8 "
        "--settings.batch-size 8 --settings.n-epochs 1 --out {out}"
    ),
    "scores": "report {it} --out {out}",
    "agent": "transfer {work}/task.json x={it} --episodes 1 --resamples 20 --out {out}",
    "agent-dqn": "transfer {work}/task.json x={it} --episodes 1 --resamples 20 --out {out}",
    "transfer": "report {it} --out {out}",
    "report": "report {work}/transfer --out {it}",
    "sprites": "see {it} --preset beta-1 --vae.latent-dim 2 --training.steps 1 --training.batch-size 8 --out {out}",
    "sprites-encoder": "metrics {it} --names mig --data sprites --rows 50 --out {out}",
    "concepts": "concepts imagine {it} shape=0 --count 2 --out {out}.png",
    "judge": "concepts measure {work}/concepts --judge {it} --images 2 --concepts 1 --out {out}",
    "concept-scores": "report {it} --out {out}",
}
"""A command that reads each artefact, {it}."""
UNFINISHED = tuple(stage for stage in STAGES if stage not in ("report", "collect sprites", "see sprites"))
"""Stages that leave something to resume from."""


def _open(name: str, folder: Path) -> None:
    """Open an artefact as Python's users do, read all of it, and print its digest."""
    if name in ("frames", "sprites"):
        frames = FrameSet.open(folder)
        artefact = frames.artefact
        assert len(frames[:]) == len(frames)
    elif name.endswith("encoder") or name.startswith("encoder"):
        load(folder)
        artefact = Artefact.load(folder, "encoder")
    elif name.startswith("agent"):
        Agent.load(folder)
        artefact = Artefact.load(folder, "agent")
    elif name == "transfer":
        artefact = TransferResult.open(folder)
        artefact.rows()
        repr(artefact)
    else:
        artefact = Artefact.load(folder)
    print(artefact.digest)


def of_finished() -> st.SearchStrategy[Any]:
    """Draw an artefact, an alteration, and whether the hashes are renewed."""
    return st.sampled_from(sorted(ARTEFACTS)).flatmap(
        lambda name: st.tuples(st.just(name), alterations(workshop().folder / name), st.booleans())
    )


def renewed(folder: Path) -> bool:
    """Write the hashes in a card anew, as somebody who wants to deceive would; returns whether there is such a card."""
    card = folder / "card.json"
    try:
        content = json.loads(card.read_text())
        files = content["files"]
        for path in folder.rglob("*"):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and path.name != "card.json" and not name.startswith(("tensorboard", "watched")):
                files[name] = sha256(path)
        content["files"] = {name: value for name, value in files.items() if (folder / name).is_file()}
        content["sha256"] = card_checksum(content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    card.write_text(json.dumps(content))
    return True


def _is_as_it_was(folder: Path, source: Path) -> bool:
    names = files_of(source)
    return files_of(folder) == names and all(
        _json_of(folder / name) == _json_of(source / name)
        if name.endswith("card.json")
        else (folder / name).read_bytes() == (source / name).read_bytes()
        for name in names
    )


def _changed_keys(folder: Path, source: Path) -> set[str]:
    """Return which keys of a card are different."""
    one, other = _json_of(folder / "card.json"), _json_of(source / "card.json")
    if not isinstance(one, dict):
        return {""}
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)} - {"files"}


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return "no JSON"


def try_finished(value: tuple[str, Any, bool]) -> Checked:
    """Alter an artefact, open it, and use it."""
    name, alteration, renew = value
    bench = workshop()
    with bench.scratch() as out:
        folder = copied(bench.folder / name, out.parent / "work")
        if not alter(folder, alteration):
            return {}
        renew = renew and renewed(folder)
        if _is_as_it_was(folder, bench.folder / name):
            return {}  # a card with other spaces, or the hash that was altered
        opened = in_child(explained(lambda: _open(name, folder)), seconds=20, memory=12)
        checked = {SPEAKS: unexpected(opened)}
        accepted = opened.code == 0 and not opened.timed_out
        same = opened.stdout.strip().splitlines()[-1:] == [bench.digest(name)]
        outside = alteration[1] == "card.json" and _changed_keys(folder, bench.folder / name) <= OUTSIDE
        if renew:
            checked[CHAIN] = "accepted, with the same digest" if accepted and same and not outside else None
        else:
            checked[NOTICED] = "accepted" if accepted else None
        if accepted or renew:
            line = USERS[name].replace("{it}", str(folder)).replace("{work}", str(out.parent / "work"))
            used = in_child(darla(bench.words(line, out)), seconds=60, memory=12)
            checked[USES] = unexpected(used)
            if not renew and used.code == 0 and not used.timed_out:
                checked[NOTICED] = f"`{line.split()[0]}` accepted it"
        return checked


def of_unfinished() -> st.SearchStrategy[Any]:
    """Draw a stage, how far it got, and an alteration of what it left."""
    return st.tuples(st.sampled_from(UNFINISHED), st.sampled_from([0.4, 0.6, 0.8, 0.95])).flatmap(
        lambda stopped: st.tuples(st.just(stopped), alterations(_stopped(*stopped)))
    )


@cache
def _stopped(stage: str, part: float) -> Path:
    """Return the folder of a stage that was killed at a part of its changes."""
    number = max(1, int(part * moments(stage)))
    folder = workshop().folder.parent / "stopped" / f"{stage.replace(' ', '-')}-{part}" / "out"
    folder.parent.mkdir(parents=True)
    killed_at(stage, folder, number)
    return folder


def try_unfinished(value: tuple[tuple[str, float], Any]) -> Checked:
    """Alter what a killed stage left, and give the command again."""
    (stage, part), alteration = value
    with workshop().scratch() as out:
        folder = copied(_stopped(stage, part), out.parent / "work")
        if not alter(folder, alteration):
            return {}
        ended = in_child(stage_work(stage, folder), seconds=60)
        damaged = None
        if ended.code == 0:
            try:
                artefact = Artefact.load(folder)
                same = artefact.digest == workshop().digest(made_by(stage)) or alteration[0] == "add"
                damaged = None if same else f"another result: {differing(artefact, stage)}"
            except Exception as error:
                damaged = f"not whole: {error}"
        return {SPEAKS: unexpected(ended), NO_DAMAGE: damaged}


@cache
def _study() -> Path:
    folder = workshop().folder.parent / "study" / "out"
    folder.parent.mkdir()
    ended = in_child(study_work(folder), seconds=200)
    assert ended.code == 0, ended.stderr
    return folder


def of_study() -> st.SearchStrategy[Any]:
    """Draw an alteration of a finished study."""
    return st.tuples(st.just("study"), alterations(_study()))


def try_study(value: tuple[str, Any]) -> Checked:
    """Alter a finished study, look at its progress, run it again, and report on it."""
    _, alteration = value
    with workshop().scratch() as out:
        folder = copied(_study(), out.parent / "work")
        if not alter(folder, alteration):
            return {}
        ended = [
            in_child(darla(["study", "status", str(folder)]), seconds=20),
            in_child(darla(["study", "watch", str(folder)]), seconds=20),
            in_child(study_work(folder), seconds=60),
            in_child(darla(["report", str(folder), "--out", str(out)]), seconds=60),
        ]
        checked: dict[str, str | None] = {
            SPEAKS: next((wrong for each in ended if (wrong := unexpected(each))), None),
            NO_DAMAGE: None,
        }
        if ended[2].code == 0:
            checked[NO_DAMAGE] = _differs(folder, alteration)
        return checked


def _differs(folder: Path, alteration: Any) -> str | None:
    """Return which table or artefact of a study that says that it is done is not as in a quiet run."""
    quiet = _study()
    for path in [quiet / "table.md", quiet / "paper-table.md", quiet / "scores.csv"]:
        if (folder / path.name).read_bytes() != path.read_bytes():
            return f"{path.name} differs after it was run again"
    for card in sorted(quiet.rglob("card.json")):
        name = card.parent.relative_to(quiet)
        try:
            if Artefact.load(folder / name).digest != Artefact.load(card.parent).digest:
                return f"{name} differs"
        except Exception as error:
            return f"{name} is not whole: {error}"
    return None


KINDS = (
    Kind("altered", of_finished, try_finished, 18.0, lambda value: value[0]),
    Kind("altered, unfinished", of_unfinished, try_unfinished, 3.0, lambda value: value[0][0]),
    Kind("altered study", of_study, try_study, 1.5, lambda value: value[0]),
)
