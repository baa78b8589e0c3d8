"""An artefact is a folder that one stage wrote and any later stage can trust.

It holds `config.json` (the stage's configuration), the results, and `card.json` (versions, command, seed, and the
SHA-256 of every file). The card is written last: an artefact with a card is complete. What a stage needs only to resume
is in the working folders, which are not hashed. Nothing in an artefact is ever unpickled.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darla.common.errors import ArtefactError, InputError
from darla.common.files import load_tensors, read_json, sha256, write_json
from darla.common.threads import available_cores

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
CHECKPOINT = "checkpoint"
"""Working folder of a stage; removed when the stage is complete."""
TENSORBOARD = "tensorboard"
"""Event files; kept, but not hashed, since they hold wall-clock times."""
WATCHED = "watched"
"""Optional monitoring output; kept, but not hashed, since it does not affect training."""
_UNHASHED = {CHECKPOINT, TENSORBOARD, WATCHED}
_LONGEST_VALUE = 120
"""Characters of a value that an error message prints."""
_PACKAGES = (
    "darla",
    "torch",
    "numpy",
    "gymnasium",
    "miniworld",
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
        """SHA-256 over the names and hashes of all files: equal for equal content."""
        return _digest(self.card["files"])

    def tensors(self, name: str = "model.safetensors") -> "dict[str, Tensor]":
        """Read one of the artefact's safetensors files."""
        return load_tensors(self.folder / name)

    @classmethod
    def load(cls, folder: Path | str, kind: str | None = None) -> "Artefact":
        """Open an artefact and check every file against its hash.

        Args:
            folder: the artefact.
            kind: the kind that is needed; any if None.

        Raises:
            ArtefactError: there is no artefact, it is incomplete or of another kind, or a file is missing or altered.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ArtefactError(f"no artefact at {folder}: there is no such folder")
        if not is_complete(folder):
            raise ArtefactError(
                f"{folder} is not a finished artefact (it has no card.json); give the command that writes it again"
            )
        card = _read_record(folder / "card.json")
        if not {"kind", "format", "files"} <= card.keys():
            raise ArtefactError(f"{folder / 'card.json'} is damaged: it must name kind, format and files")
        if card["format"] != FORMAT:
            raise ArtefactError(
                f"{folder} has artefact format {card['format']!r}, but this version of darla reads format {FORMAT}"
            )
        _require_kind(folder, card["kind"], kind)
        for name, expected in card["files"].items():
            path = folder / name
            if not path.is_file():
                raise ArtefactError(f"{folder} is damaged: {name} is missing")
            if sha256(path) != expected:
                raise ArtefactError(f"{folder} is damaged: {name} is not the file in card.json (hash differs)")
        return cls(folder, card["kind"], _read_record(folder / "config.json")["config"], card)


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
    return (Path(folder) / "card.json").is_file()


def start_artefact(folder: Path | str, kind: str, config: Mapping[str, Any]) -> Path:
    """Prepare a folder that a stage is about to write: a new one, or one that the same stage left incomplete.

    Raises:
        ArtefactError: the folder holds an artefact of another kind.
        InputError: it holds something else, or an artefact that was started with another configuration.
    """
    folder = Path(folder)
    record = folder / "config.json"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cannot write to {folder}: it is a file, not a folder")
    config = _plain(config)
    if record.is_file():
        previous = _read_record(record)
        if previous.get("kind") != kind:
            raise ArtefactError(
                f"{folder} already holds {_a(str(previous.get('kind')))}; choose another folder for {_a(kind)}"
            )
        if previous.get("config") != config:
            raise InputError(
                f"{folder} was begun with another configuration: {_first_difference(previous['config'], config)}; "
                "use the same options to resume, or choose another folder"
            )
    elif folder.is_dir() and any(entry.name not in _UNHASHED for entry in folder.iterdir()):
        raise InputError(f"{folder} is not empty and is not a darla artefact; choose another folder")
    else:
        write_json(record, {"kind": kind, "config": config})
    return folder


def complete_artefact(
    folder: Path,
    kind: str,
    config: Mapping[str, Any],
    *,
    seed: int,
    inputs: Mapping[str, str],
    wall_seconds: float,
    extra: Mapping[str, Any] | None = None,
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
    """
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    card = {
        "kind": kind,
        "format": FORMAT,
        "seed": seed,
        "inputs": dict(inputs),
        "wall_seconds": round(wall_seconds, 1),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "versions": versions(),
        "commit": _commit(),
        "hardware": hardware(),
        "extra": dict(extra or {}),
        "files": _hashes(folder),
    }
    write_json(folder / "card.json", card)
    return Artefact(folder, kind, _plain(config), card)


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose release can change a result."""
    by_package = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            by_package[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            by_package[package] = "not installed"
    return by_package


@cache
def hardware() -> dict[str, Any]:
    """Return what a reader of wall-clock times needs to know about this machine."""
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"machine": platform.machine(), "cores": available_cores(), "gpus": gpus}


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


def _hashes(folder: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _UNHASHED)
        for name in sorted(names):
            path = Path(root) / name
            if path != folder / "card.json" and not name.endswith(".partial"):
                # An artefact inside this one (the DAE below its encoder) has a card of its own, with times in it.
                if name == "card.json":
                    continue
                files[path.relative_to(folder).as_posix()] = sha256(path)
    return files


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration as JSON gives it back (tuples become lists), so that two can be compared."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(config), sort_keys=True))
    return plain


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
