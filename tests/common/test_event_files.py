"""A disk that is full while TensorBoard writes is one error where events are added, and no traceback beside it."""

import subprocess
import sys
from pathlib import Path

import pytest

from darla.common import InputError
from darla.common.tracking.event_files import open_event_writer

PROGRAM = """
import resource, sys
from pathlib import Path
from darla.common.tracking.event_files import open_event_writer

writer = open_event_writer(Path(sys.argv[1]), None)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # no file may be larger
try:
    for step in range(10_000):
        writer.add_scalar("a", step, step)
        if step % 100 == 0:
            writer.flush()
except OSError as error:
    print("raised", error.errno)
"""


def test_an_error_of_the_writing_thread_is_raised_where_events_are_added(tmp_path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("raised"), done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_a_folder_of_events_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in its place")
    with pytest.raises(InputError, match=r"could not make the folder .*tensorboard"):
        open_event_writer(tmp_path / "tensorboard", None)
