"""Two processes never write one folder: the second waits a little, then says who is at work."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from darla.common import Artefact, InputError, complete_artefact, is_complete, start_artefact, writes_nothing_if_refused
from darla.common.jobs.locks import is_held, only_one

STAGE = """
import sys, time
from pathlib import Path
import torch  # what completing imports, so that it takes no time after the sleep
from darla.common import complete_artefact, start_artefact, writes_nothing_if_refused

@writes_nothing_if_refused
def stage(folder, seconds):
    start_artefact(folder, "album", {"width": 1})
    print("begun", flush=True)
    time.sleep(seconds)
    return complete_artefact(folder, "album", {"width": 1}, seed=0, inputs={}, wall_seconds=1.0)

stage(Path(sys.argv[1]), float(sys.argv[2]))
"""


@writes_nothing_if_refused
def stage(folder: Path) -> Artefact:
    start_artefact(folder, "album", {"width": 1})
    start_artefact(folder, "album", {"width": 1})  # a stage may ask twice
    if is_complete(folder):
        return Artefact.load(folder)
    return complete_artefact(folder, "album", {"width": 1}, seed=0, inputs={}, wall_seconds=1.0)


def start(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", STAGE, folder, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def test_a_folder_that_another_process_begins_in_between_is_not_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = Path.iterdir

    def after_another(folder: Path) -> Iterator[Path]:
        monkeypatch.setattr(Path, "iterdir", entries)
        (tmp_path / "a" / "notes").touch()  # a file that no artefact has before its record
        start_artefact(tmp_path / "b", "album", {"width": 1})
        (tmp_path / "b" / "config.json").rename(tmp_path / "a" / "config.json")
        return entries(folder)

    (tmp_path / "a").mkdir()
    monkeypatch.setattr(Path, "iterdir", after_another)
    assert start_artefact(tmp_path / "a", "album", {"width": 1}) == tmp_path / "a"


def test_the_second_process_is_told_who_is_at_work_and_changes_nothing(tmp_path: Path) -> None:
    first = start(tmp_path / "a", 60)
    before = sorted(path.name for path in (tmp_path / "a").rglob("*"))
    with pytest.raises(InputError, match=rf"another darla process \({first.pid} on .*\) is working in .*a; wait"):
        stage(tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").rglob("*")) == before
    first.send_signal(signal.SIGKILL)
    first.wait()
    stage(tmp_path / "a")  # a killed process holds nothing
    assert not (tmp_path / "a" / "checkpoint").exists()


def test_the_second_process_waits_for_one_that_is_about_to_finish(tmp_path: Path) -> None:
    first = start(tmp_path / "a", 1.0)
    started = time.monotonic()
    stage(tmp_path / "a")
    assert first.wait() == 0
    assert time.monotonic() - started > 0.5
    assert is_complete(tmp_path / "a")


def test_a_finished_artefact_can_be_opened_by_many(tmp_path: Path) -> None:
    made = stage(tmp_path / "a")
    os.chmod(tmp_path / "a", 0o555)  # and in a folder that cannot be written
    try:
        assert stage(tmp_path / "a").digest == made.digest
    finally:
        os.chmod(tmp_path / "a", 0o755)


def test_a_lock_is_given_back(tmp_path: Path) -> None:
    with only_one(tmp_path / "a"):
        assert is_held(tmp_path / "a")
    assert not is_held(tmp_path / "a")
    assert not is_held(tmp_path / "nowhere")
    with only_one(tmp_path / "a"):
        pass


def test_a_folder_that_cannot_be_locked_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"could not make the folder .*file"):
        start_and_wait(tmp_path / "file")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"\.lock: Read-only .*; choose a folder that you may write to"):
        start_and_wait(tmp_path)


def start_and_wait(folder: Path) -> None:
    with only_one(folder):
        pass
