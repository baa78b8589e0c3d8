"""Sealed records: JSON files of unfinished work that say whether they, and the files they stand for, are as written.

A finished artefact is covered by its card. What an interrupted stage resumes from is covered by records like these, so
that damage is noticed before it ends up under a valid hash.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darla.common.errors import ArtefactError, InputError
from darla.common.files import json_sha256, read_json, sha256, write_json


def write_sealed(path: Path, content: Any, files: Sequence[Path] = ()) -> None:
    """Write a record, with its own hash and those of files that it stands for.

    Its name is part of its hash, so that one record is not taken for another.

    Args:
        path: of the record; written in one step.
        content: anything that JSON can hold.
        files: complete files, in the record's folder or below the parent of that folder.
    """
    hashes = {_relative(file, path): sha256(file) for file in files}
    write_json(path, {"content": content, "files": hashes, "sha256": json_sha256([path.name, content, hashes])})


def read_sealed(path: Path) -> Any:
    """Return the content of a record.

    Raises:
        ArtefactError: the record or a file that it stands for is missing, damaged or altered; names it.
    """
    try:
        record = read_json(path)
    except InputError as error:
        raise ArtefactError(str(error)) from error
    if not isinstance(record, Mapping) or record.keys() != {"content", "files", "sha256"}:
        raise ArtefactError(f"{path} is damaged: it is not a record of unfinished work")
    content, files = record["content"], record["files"]
    if record["sha256"] != json_sha256([path.name, content, files]) or not isinstance(files, Mapping):
        raise ArtefactError(f"{path} is damaged: it is not as it was written (its sha256 differs)")
    for name, expected in files.items():
        file = path.parent / name
        if not file.is_file():
            raise ArtefactError(f"{file} is missing, and {path.name} needs it")
        if sha256(file) != expected:
            raise ArtefactError(f"{file} is damaged: it is not as it was written (its hash differs)")
    return content


def read_if_sound(path: Path, otherwise: str) -> Any:
    """Return the content of a record; None where there is none, or one that is damaged.

    Args:
        path: of the record.
        otherwise: what is done where it is damaged; printed to the standard error with the reason.
    """
    if not path.is_file():
        return None
    try:
        return read_sealed(path)
    except ArtefactError as error:
        print(f"{otherwise}: {error}", file=sys.stderr, flush=True)
        return None


def _relative(file: Path, record: Path) -> str:
    if file.parent == record.parent:
        return file.name
    return "../" + file.relative_to(record.parent.parent).as_posix()
