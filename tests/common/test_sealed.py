"""A sealed record says whether it, and the files that it stands for, are as they were written."""

import json
from pathlib import Path

import pytest

from darla.common import ArtefactError
from darla.common.files import write_bytes
from darla.common.jobs.sealed import read_sealed, write_sealed

CONTENT = {"step": 3, "history": [[1.5, 2]]}


@pytest.fixture
def record(tmp_path: Path) -> Path:
    for name in ("checkpoint/weights", "snapshots/1"):
        write_bytes(tmp_path / name, b"0123456789")
    path = tmp_path / "checkpoint" / "state.json"
    write_sealed(path, CONTENT, [tmp_path / "checkpoint/weights", tmp_path / "snapshots/1"])
    return path


def test_what_was_sealed_is_read_back(record: Path) -> None:
    assert read_sealed(record) == CONTENT


@pytest.mark.parametrize("name", ["checkpoint/weights", "snapshots/1", "checkpoint/state.json"])
def test_any_changed_byte_is_noticed(record: Path, name: str) -> None:
    path = record.parent.parent / name
    whole = path.read_bytes()
    for place in range(len(whole)):
        if whole[place : place + 1].isspace():
            continue  # JSON does not mind white space
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(ArtefactError):
            read_sealed(record)


@pytest.mark.parametrize("name", ["checkpoint/weights", "snapshots/1", "checkpoint/state.json"])
def test_a_missing_file_is_named(record: Path, name: str) -> None:
    (record.parent.parent / name).unlink()
    with pytest.raises(ArtefactError, match=Path(name).name):
        read_sealed(record)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        json.dumps({"content": 1, "files": {}, "sha256": ""}),
        json.dumps({"content": 1, "files": None, "sha256": ""}),
        "[" * 100_000,
    ],
)
def test_what_is_no_record_is_damage_and_no_traceback(record: Path, text: str) -> None:
    record.write_text(text)
    with pytest.raises(ArtefactError, match="damaged"):
        read_sealed(record)


def test_a_record_is_not_taken_for_another(record: Path) -> None:
    other = record.with_name("other.json")
    write_sealed(other, CONTENT, [record.parent / "weights"])
    first, second = record.read_bytes(), other.read_bytes()
    record.write_bytes(second)
    other.write_bytes(first)
    for path in (record, other):
        with pytest.raises(ArtefactError, match="it is not as it was written"):
            read_sealed(path)
