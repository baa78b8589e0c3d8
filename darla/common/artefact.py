"""An artefact is a folder that one stage wrote and any later stage can trust.

It holds `config.json` (what was asked), the results, and `card.json` (what made it, and the SHA-256 of every file).
The card is written last: where it is, the artefact is complete. What a stage needs only to resume lies in the working
folders, which no hash covers. Nothing in an artefact is ever unpickled.
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

from darla.common.errors import InputError
from darla.common.files import load_tensors, read_json, sha256, write_json
from darla.common.threads import available_cores

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
CHECKPOINT = "checkpoint"
"""Working folder of a stage; removed when the stage is finished."""
TENSORBOARD = "tensorboard"
"""Event files; kept, but not hashed, since they hold wall-clock times."""
WATCHED = "watched"
"""What somebody asked to follow of a training; kept, but not hashed, since it is the same training without."""
_UNHASHED = {CHECKPOINT, TENSORBOARD, WATCHED}
_LONGEST_SAID = 120
"""Characters of a value that an error repeats."""
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
    """Where it lies."""
    kind: str
    """What it is: `frames`, `dae`, `encoder`, `agent`, `transfer`, ..."""
    config: dict[str, Any]
    """What was asked of the stage."""
    card: dict[str, Any]
    """Versions, commit, command, seed, input digests, hardware, wall time, file hashes."""

    @property
    def digest(self) -> str:
        """SHA-256 over the names and hashes of all files: the same for the same content, however it was made."""
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
            InputError: there is no artefact, it is unfinished, of another kind, or a file is missing or altered.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(f"no artefact at {folder}: there is no such folder")
        if not is_complete(folder):
            raise InputError(
                f"{folder} is not a finished artefact (it has no card.json); run its stage to the end first"
            )
        card = read_json(folder / "card.json")
        if not isinstance(card, dict) or not {"kind", "format", "files"} <= card.keys():
            raise InputError(f"{folder / 'card.json'} is damaged: it must name kind, format and files")
        if card["format"] != FORMAT:
            raise InputError(f"{folder} has artefact format {card['format']!r}; this version of darla reads {FORMAT}")
        if kind is not None and card["kind"] != kind:
            raise InputError(f"{folder} holds {_a(card['kind'])}, but {_a(kind)} is needed here")
        for name, expected in card["files"].items():
            path = folder / name
            if not path.is_file():
                raise InputError(f"{folder} is damaged: {name} is missing")
            if sha256(path) != expected:
                raise InputError(f"{folder} is damaged: {name} is not the file that the card describes (hash differs)")
        return cls(folder, card["kind"], read_json(folder / "config.json")["config"], card)


def is_complete(folder: Path | str) -> bool:
    """Tell whether a stage has finished writing `folder`."""
    return (Path(folder) / "card.json").is_file()


def start_artefact(folder: Path | str, kind: str, config: Mapping[str, Any]) -> Path:
    """Open a folder for a stage to write to: a new one, or the same stage's own unfinished one.

    Raises:
        InputError: the folder holds something else, or the same kind with another configuration.
    """
    folder = Path(folder)
    record = folder / "config.json"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cannot write to {folder}: it is a file, not a folder")
    asked = _plain(config)
    if record.is_file():
        found = read_json(record)
        if not isinstance(found, dict) or found.get("kind") != kind:
            raise InputError(
                f"{folder} already holds {_a(str(found.get('kind')))}; choose another folder for {_a(kind)}"
            )
        if found["config"] != asked:
            raise InputError(
                f"{folder} was begun with another configuration: {_first_difference(found['config'], asked)}"
            )
    elif folder.is_dir() and any(entry.name not in _UNHASHED for entry in folder.iterdir()):
        raise InputError(f"{folder} is not empty and is not a darla artefact; choose another folder")
    else:
        write_json(record, {"kind": kind, "config": asked})
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
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def hardware() -> dict[str, Any]:
    """Return the facts about this machine that a reader of a timing wants to know."""
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"machine": platform.machine(), "cores": available_cores(), "gpus": gpus}


@cache
def _commit() -> str | None:
    """Return the commit of the source checkout that darla runs from, None for an installed package."""
    here = Path(__file__).resolve().parent
    ask = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


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
    """Return the configuration as JSON gives it back (tuples become lists), so that the two can be compared."""
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
    """Return a value as a sentence can hold it; of a long list, as of digests, its length."""
    said = repr(value)
    if len(said) <= _LONGEST_SAID:
        return said
    return f"a list of {len(value)}" if isinstance(value, list) else f"{said[:_LONGEST_SAID]}..."
