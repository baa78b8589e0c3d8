"""An artefact is a folder that one stage wrote and any later stage can trust.

It holds `config.json` (the stage's configuration), the results, and `card.json` (versions, command, seed, and the
SHA-256 of every file and of the card's own content). The card is written last: an artefact with a card is complete.
What a stage needs only to resume is in the working folders, which are not hashed. Nothing in an artefact is ever
unpickled.
"""

import contextlib
import json
import math
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, wraps
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from darla.common.artefact_forms import CARD as CARD_FORM
from darla.common.artefact_forms import CONFIGS, INPUTS, first_of_another_form
from darla.common.checked_config import checked_arguments
from darla.common.errors import ArtefactError, InputError, is_out_of_memory
from darla.common.files import json_bytes, json_sha256, load_tensors, read_json, sha256, write_json
from darla.common.jobs.locks import LOCK, only_one
from darla.common.jobs.stopwatch import SECONDS
from darla.common.sharing.hub import local_folder
from darla.common.threads import available_cores

if TYPE_CHECKING:
    from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

FORMAT = 3
"""Of the card; raised when a reader of an older one could not use a newer one, or the reverse."""
CHECKPOINT = "checkpoint"
"""Working folder of a stage; removed when the stage is complete."""
TENSORBOARD = "tensorboard"
"""Event files; kept, but not hashed, since they hold wall-clock times."""
WATCHED = "watched"
"""Optional monitoring output; kept, but not hashed, since it does not affect training."""
_UNHASHED = {CHECKPOINT, TENSORBOARD, WATCHED}
CARD, CONFIG = "card.json", "config.json"
"""The two files that every artefact has."""
_DIGESTED = ("kind", "seed", "inputs", "extra", "files")
"""Keys of the card that its digest covers, with every key that no card has. Not covered are the others (versions,
hardware, command, times, `paths` and `tracked`), which differ between two runs with one result; the card's own checksum
covers them."""
_CHECKSUM = "sha256"
"""Key of the card with the SHA-256 of the card's other keys."""
NOT_INSTALLED = "not installed"
"""The version of a package that is not, as darla itself where it runs from a checkout on `PYTHONPATH`."""
_PACKAGES_NOTE = "packages-"
"""How the names of the notes of `note_packages` begin."""
_LONGEST_VALUE = 120
"""Characters of a value that an error message prints."""
ENCODER_PATH = "encoder_path"
"""Entry of a card's `paths`: folder of the encoder that an artefact was made with, relative to the artefact's."""
_PACKAGES = (
    "darla",
    "torch",
    "numpy",
    "gymnasium",
    "miniworld",
    "pyglet",
    "pillow",
    "stable-baselines3",
    "safetensors",
    "scikit-learn",
)


@dataclass(frozen=True)
class Artefact:
    """A complete artefact on disk."""

    folder: Path
    """Its place on disk."""
    kind: str
    """What it is: `frames`, `dae`, `encoder`, `agent`, `transfer`, ..."""
    config: dict[str, Any]
    """The configuration that the stage was given."""
    card: dict[str, Any]
    """Versions, commit, command, seed, input digests, hardware, wall time, file hashes."""

    @property
    def digest(self) -> str:
        """SHA-256 over the names and hashes of all files and over the card's kind, seed, inputs and facts (`extra`).

        It is equal for equal content, whenever and wherever it was made. As `inputs` are the digests of what a stage
        read, it covers them as well, all the way back to the frames.
        """
        foreign = {key: value for key, value in self.card.items() if key not in CARD_FORM and key != _CHECKSUM}
        return json_sha256({**{key: self.card.get(key) for key in _DIGESTED}, **foreign})

    def place_of(self, name: str) -> Path | None:
        """Return where an artefact that this one was made from lay, by its name in the card's `paths`.

        None where the card names no place. The artefact may have been moved since.
        """
        place = self.card["paths"].get(name)
        return None if place is None else self.folder / str(place)

    def tensors(self, name: str = "model.safetensors") -> "dict[str, Tensor]":
        """Read one of the artefact's safetensors files."""
        return load_tensors(self.folder / name)

    @classmethod
    @checked_arguments
    def load(cls, folder: Path | str, kind: str | None = None) -> "Artefact":
        """Open an artefact and check every file against its hash.

        Args:
            folder: the artefact; `hf://USER/REPO` for one on the Hugging Face hub.
            kind: the kind that is needed; any if None.

        Raises:
            InputError: it is on the hub, which cannot be reached, or the extra `hub` is not installed.
            ArtefactError: there is no artefact, it is incomplete or of another kind, its card or that of an artefact
                inside it is altered, or a file is missing, altered or added.
        """
        folder = local_folder(folder, kind)
        if not folder.is_dir():
            raise ArtefactError(f"no artefact at {folder}: there is no such folder")
        if not is_complete(folder):
            raise ArtefactError(
                f"{folder} is not a finished artefact (it has no card.json); give the command that writes it again"
            )
        card = _read_record(folder / CARD)
        _check_card(folder, card)
        _require_kind(folder, card["kind"], kind)
        _check_files(folder, card["files"])
        _check_inner(folder, card["files"], card["inputs"])
        return cls(folder, card["kind"], _config_of(folder, card["kind"]), card)


def open_artefact(artefact: Artefact | Path | str, kind: str | None = None) -> Artefact:
    """Return an artefact that may already be open, so that its files are read and hashed only once.

    Args:
        artefact: an open artefact, which is returned as it is, or its folder.
        kind: the kind that is needed; any if None.

    Raises:
        ArtefactError: see `Artefact.load`.
    """
    if not isinstance(artefact, Artefact):
        return Artefact.load(artefact, kind)
    _require_kind(artefact.folder, artefact.kind, kind)
    return artefact


def _check_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Check that a card is whole and as it was written.

    Raises:
        ArtefactError: it is not.
    """
    path = folder / CARD
    if not isinstance(card.get("format"), int):
        raise ArtefactError(f"{path} is damaged: format is {_brief(card.get('format'))}")
    if card["format"] != FORMAT:
        raise ArtefactError(
            f"{folder} has artefact format {card['format']!r}, but this version of darla reads format {FORMAT}"
        )
    wrong = first_of_another_form(dict(card), CARD_FORM)
    wrong = wrong or first_of_another_form(card["inputs"], INPUTS.get(card["kind"], {}), "inputs")
    if wrong is not None:
        raise ArtefactError(f"{path} is damaged: {wrong[0]} is {_brief(wrong[1])}")
    if card.get(_CHECKSUM) != card_checksum(card):
        raise ArtefactError(f"{path} is damaged: it is not as it was written (its {_CHECKSUM} differs)")


def _check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Check every file of an artefact against its hash, and that there are no others.

    Raises:
        ArtefactError: a file is missing, altered or added.
    """
    if CONFIG not in files:
        raise ArtefactError(f"{folder / CARD} is damaged: it does not name {CONFIG}")
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise ArtefactError(f"{folder} is damaged: {name} is missing")
        if sha256(path) != expected:
            raise ArtefactError(f"{folder} is damaged: {name} is not the file in card.json (hash differs)")
    if added := sorted(_names(folder) - files.keys()):
        raise ArtefactError(f"{folder} is damaged: {added[0]} is not among the files in card.json; move it elsewhere")


def _check_inner(folder: Path, files: Iterable[str], inputs: Mapping[str, str]) -> None:
    """Check the cards of artefacts inside an artefact, whose files are among its own: they are what it was made from.

    Raises:
        ArtefactError: one is damaged, or not one of the artefact's inputs.
    """
    for name in sorted(name for name in files if Path(name).name == CONFIG and name != CONFIG):
        inner = (folder / name).parent
        card = _read_record(inner / CARD)
        _check_card(inner, card)
        if Artefact(inner, card["kind"], {}, card).digest not in inputs.values():
            raise ArtefactError(f"{folder} is damaged: {inner.name} is not what it was made from (its digest differs)")


def card_checksum(card: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a card's content, its own checksum left out."""
    return json_sha256({**card, _CHECKSUM: None})


def _config_of(folder: Path, kind: str) -> dict[str, Any]:
    """Return the configuration of a finished artefact.

    Raises:
        ArtefactError: its file has another form, or is that of another kind.
    """
    record = _read_record(folder / CONFIG)
    if record.keys() != {"kind", "config"} or record["kind"] != kind or not isinstance(record["config"], dict):
        raise ArtefactError(f"{folder / CONFIG} is damaged: it is not the configuration of {_a(kind)}")
    config: dict[str, Any] = record["config"]
    if (wrong := first_of_another_form(config, CONFIGS.get(kind, {}))) is not None:
        raise ArtefactError(f"{folder / CONFIG} is damaged: {wrong[0]} is {_brief(wrong[1])}")
    return config


def _require_kind(folder: Path, kind: str, needed: str | None) -> None:
    if needed is not None and kind != needed:
        raise ArtefactError(f"{folder} holds {_a(kind)}, but {_a(needed)} is needed here")


def _read_record(path: Path) -> dict[str, Any]:
    """Read one of the two JSON files that every artefact has."""
    try:
        record = read_json(path)
    except InputError as error:
        raise ArtefactError(str(error)) from error
    if not isinstance(record, dict):
        raise ArtefactError(f"{path} is damaged: it must hold an object")
    return record


def is_complete(folder: Path | str) -> bool:
    """Return whether a stage has finished writing `folder`."""
    return (Path(folder) / CARD).is_file()


@dataclass
class _RunningStage:
    """What a stage in this process is writing."""

    begun: list[tuple[Path, Path, Mapping[str, Any]]] = field(default_factory=list)
    """Folders that it has begun, each with the first of its parents that was not there, and what its `CONFIG` holds."""
    locks: ExitStack = field(default_factory=ExitStack)
    locked: set[Path] = field(default_factory=set)
    """Folders that are locked until it ends."""


_running: ContextVar[_RunningStage | None] = ContextVar("_running", default=None)


def writes_nothing_if_refused(stage: Callable[P, R]) -> Callable[P, R]:
    """Decorate a stage: if it refuses its input before it has written any result, the folder that it began is removed.

    A stage can check some of its input only when it has begun, such as whether a network fits the images. Without this,
    the corrected command would be refused because the folder was begun with another configuration.

    Folders that the stage begins are locked until it ends: a second process that would write one is refused.
    """

    @wraps(stage)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        running = _RunningStage()
        token = _running.set(running)
        try:
            with running.locks:
                try:
                    return stage(*args, **kwargs)
                except Exception as error:
                    if isinstance(error, InputError) or is_out_of_memory(error):  # where the input asks for too much
                        for folder, topmost, _ in reversed(running.begun):
                            _remove_if_only_begun(folder, topmost)
                    raise
                finally:
                    for folder, _, record in running.begun:
                        if folder.is_dir() and any(folder.iterdir()):
                            with contextlib.suppress(InputError):
                                _restore_record(folder, record)
        finally:
            _running.reset(token)

    return run


def _restore_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `CONFIG` anew in a folder that was removed while a stage ran, and that is there again.

    What was written into it since is the stage's own, so the same command is to go on there.
    """
    if folder.is_dir() and not (folder / CONFIG).exists():
        write_json(folder / CONFIG, record)


def _remove_if_only_begun(folder: Path, topmost: Path) -> None:
    """Remove a folder in which nothing was made, and those of its parents that were made for it."""
    if not _is_only_begun(folder):
        return
    for path in [path for path in folder.rglob("*") if not path.is_dir()]:
        path.unlink(missing_ok=True)
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        path.rmdir()
    while folder.is_relative_to(topmost) and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _is_only_begun(folder: Path) -> bool:
    """Return whether a stage that was stopped has made nothing that it would resume from."""
    return all(
        path in (folder / CONFIG, folder / CHECKPOINT / SECONDS)
        or path.name == LOCK
        or (path.parent == folder / CHECKPOINT and path.name.startswith(_PACKAGES_NOTE))
        or _is_partial(path.name)
        or folder / TENSORBOARD in path.parents
        for path in folder.rglob("*")
        if not path.is_dir()
    )


def _first_new(folder: Path) -> Path:
    """Return the topmost of a folder and its parents that does not exist; if the folder exists, a path below it."""
    if folder.exists():
        return folder / "-"
    while not folder.parent.exists():
        folder = folder.parent
    return folder


def start_artefact(folder: Path | str, kind: str, config: Mapping[str, Any]) -> Path:
    """Prepare a folder that a stage is about to write: a new one, or one that the same stage left incomplete.

    Raises:
        ArtefactError: the folder holds an artefact of another kind.
        InputError: it holds something else, or something that was made with another configuration (a folder in which
            nothing was made yet is begun anew); or a number of the configuration is not finite; or another process is
            writing it.
    """
    folder = Path(folder)
    record = folder / CONFIG
    topmost = _first_new(folder.absolute())
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cannot write to {folder}: it is a file, not a folder")
    if (wrong := first_not_finite(config)) is not None:
        raise InputError(f"{wrong[0]} is {wrong[1]}, but must be finite")
    config = _plain(config)
    wanted = {"kind": kind, "config": config}
    # The record is looked for again: another process may begin the folder while its entries are read.
    if not record.is_file() and folder.is_dir() and any(map(_is_foreign, folder.iterdir())) and not record.is_file():
        raise InputError(f"{folder} is not empty and is not a darla artefact; choose another folder")
    if not record.is_file():
        write_json(record, wanted)
    elif _read_record(record) != wanted:
        if not _is_only_begun(folder):
            raise _begun_otherwise(folder, _read_record(record), kind, config)
        # Nothing is lost by beginning anew, unless another process is at it.
        _lock(folder)
        shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)
        for left_over in (folder / CHECKPOINT).glob("*.json"):
            left_over.unlink(missing_ok=True)
        write_json(record, wanted)
    elif not is_complete(folder) and record.read_bytes() != json_bytes(wanted):
        write_json(record, wanted)  # damage that JSON does not notice, such as a line break that is gone
    if (running := _running.get()) is not None and not is_complete(folder):
        _lock(folder)
        running.begun.append((folder.absolute(), topmost, wanted))
    return folder


def _begun_otherwise(folder: Path, previous: Mapping[str, Any], kind: str, config: Mapping[str, Any]) -> InputError:
    """Return the error for a folder that holds the results, or the beginning, of another request."""
    if previous.get("kind") != kind:
        return ArtefactError(
            f"{folder} already holds {_a(str(previous.get('kind')))}; choose another folder for {_a(kind)}"
        )
    done = "was made" if is_complete(folder) else "was begun"
    resume = "" if is_complete(folder) else "use the same options to resume, "
    return InputError(
        f"{folder} {done} with another configuration: {_first_difference(previous.get('config'), config)}; "
        f"{resume}choose another folder, or delete {folder} to begin anew"
    )


def _lock(folder: Path) -> None:
    """Lock a folder until the stage that is running in this process ends.

    Raises:
        InputError: another process has locked it.
    """
    running = _running.get()
    if running is not None and folder.absolute() not in running.locked:
        running.locks.enter_context(only_one(folder / CHECKPOINT, folder))
        running.locked.add(folder.absolute())


def _is_foreign(entry: Path) -> bool:
    """Return whether something in a folder without a configuration is not what an early interruption leaves there."""
    return entry.name not in _UNHASHED and not _is_partial(entry.name)


def remove_partial(folder: Path) -> None:
    """Remove what killed processes were writing in a folder in which this process works alone."""
    for path in [path for path in folder.rglob(".*.partial") if path.is_file()]:
        path.unlink(missing_ok=True)


def _is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(".partial")


def complete_artefact(
    folder: Path,
    kind: str,
    config: Mapping[str, Any],
    *,
    seed: int,
    inputs: Mapping[str, str],
    wall_seconds: float,
    extra: Mapping[str, Any] | None = None,
    paths: Mapping[str, Any] | None = None,
) -> Artefact:
    """Hash what a stage has written and write the card that makes it an artefact.

    Args:
        folder: what `start_artefact` returned.
        kind: as given to `start_artefact`.
        config: as given to `start_artefact`.
        seed: the stage's master seed.
        inputs: the digests of the artefacts that the stage read, by name.
        wall_seconds: the time the stage took, all resumed parts together.
        extra: further facts for the card.
        paths: where the artefacts that it read lie, relative to the folder; they may be moved.

    Raises:
        ArtefactError: the folder was removed or altered while the stage ran.
    """
    written, record = folder / CONFIG, {"kind": kind, "config": _plain(config)}
    if not written.is_file() or _read_record(written) != record:
        raise _was_removed(folder, record)
    packages = _noted_packages(folder)
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    remove_partial(folder)
    card: dict[str, Any] = {
        "kind": kind,
        "format": FORMAT,
        "seed": seed,
        "inputs": dict(inputs),
        "wall_seconds": round(wall_seconds, 1),
        "command": _command(),
        "versions": {**versions(), **packages},
        "commit": _commit(),
        "hardware": hardware(),
        "extra": dict(extra or {}),
        "paths": dict(paths or {}),
        "tracked": _tracked(folder),
        "files": _hashes(folder),
    }
    card = _plain(card)  # as it is read back
    card[_CHECKSUM] = card_checksum(card)
    write_json(folder / CARD, card)
    if CONFIG not in card["files"] or _names(folder) != card["files"].keys():  # removed since the files were hashed
        (folder / CARD).unlink(missing_ok=True)
        raise _was_removed(folder, record)
    return Artefact(folder, kind, _plain(config), card)


def _was_removed(folder: Path, record: Mapping[str, Any]) -> ArtefactError:
    """Return the error for a folder that was removed or altered while it was written; its `CONFIG` is there again."""
    _restore_record(folder, record)
    return ArtefactError(
        f"{folder} was removed or altered while it was being written ({CONFIG} or another file is missing or another); "
        "give the command again"
    )


def note_packages(folder: Path, packages: Mapping[str, str]) -> None:
    """Note which packages a process of a stage used, for the card of an unfinished artefact.

    Args:
        folder: of the artefact.
        packages: versions by name.
    """
    if packages:
        write_json(folder / CHECKPOINT / f"{_PACKAGES_NOTE}{os.getpid()}.json", dict(packages))


def _noted_packages(folder: Path) -> dict[str, str]:
    """Return what all processes noted; a damaged note is left out."""
    packages: dict[str, str] = {}
    for note in sorted((folder / CHECKPOINT).glob(f"{_PACKAGES_NOTE}*.json")):
        with contextlib.suppress(InputError):
            noted = read_json(note)
            if isinstance(noted, dict):
                packages |= {str(name): str(version) for name, version in noted.items()}
    return dict(sorted(packages.items()))


def _tracked(folder: Path) -> dict[str, Any]:
    """Return where a tracker of experiments has the run, by the tracker's name; see `darla.common.tracking`."""
    tracked = {}
    for note in sorted((folder / TENSORBOARD).glob("*.json")):
        with contextlib.suppress(InputError):
            tracked[note.stem] = read_json(note)
    return tracked


def package_name(name: str) -> str:
    """Return the one way to write a package's name: `stable_baselines3` and `stable-baselines3` are one (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose release can change a result."""
    by_package = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            by_package[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            by_package[package] = NOT_INSTALLED
    return by_package


@cache
def hardware() -> dict[str, Any]:
    """Return what a reader of wall-clock times needs to know about this machine."""
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"machine": platform.machine(), "cores": available_cores(), "gpus": gpus}


def _command() -> str:
    """Return the command of this process, as it can be given to a shell again."""
    program = Path(sys.argv[0])
    begin = ["python", "-m", program.parent.name] if program.name == "__main__.py" else [program.name]
    return shlex.join([*begin, *sys.argv[1:]])


@cache
def _commit() -> str | None:
    """Return the commit of the source checkout that darla runs from, None for an installed package."""
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return completed.stdout.strip() or None


def _names(folder: Path) -> set[str]:
    """Return the files of an artefact below its folder: all but cards, unhashed folders and hidden files.

    An artefact inside this one (the DAE below its encoder) has a card of its own, with times in it.
    """
    names = set()
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _UNHASHED and not name.startswith(".")]
        names |= {(Path(root) / name).relative_to(folder).as_posix() for name in files if not name.startswith(".")}
    return {name for name in names if Path(name).name != CARD}


def _hashes(folder: Path) -> dict[str, str]:
    return {name: sha256(folder / name) for name in sorted(_names(folder))}


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration as JSON gives it back (tuples become lists), so that two can be compared."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(config), sort_keys=True))
    return plain


def first_not_finite(value: Any, path: str = "") -> tuple[str, float] | None:
    """Return where a configuration holds NaN or an infinity, which no setting can be, and the number."""
    if isinstance(value, float) and not math.isfinite(value):
        return path, value
    members: list[tuple[str, Any]] = []
    if isinstance(value, Mapping):
        members = [(f"{path}.{key}" if path else str(key), member) for key, member in value.items()]
    elif isinstance(value, list | tuple):
        members = [(f"{path}[{number}]", member) for number, member in enumerate(value)]
    return next((wrong for name, member in members if (wrong := first_not_finite(member, name)) is not None), None)


def _a(kind: str) -> str:
    return ("an " if kind[:1] in "aeiou" else "a ") + repr(kind) + " artefact"


def _first_difference(old: Any, new: Any, path: str = "") -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    return f"{path or 'config'} was {_brief(old)} and is now {_brief(new)}"


def _brief(value: Any) -> str:
    """Return a value as short as an error message needs it; of a long list, such as digests, its length."""
    text = repr(value)
    if len(text) <= _LONGEST_VALUE:
        return text
    return f"a list of {len(value)}" if isinstance(value, list) else f"{text[:_LONGEST_VALUE]}..."
