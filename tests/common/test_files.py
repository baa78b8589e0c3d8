"""Files are complete or absent, and an error says what to do."""

import errno

import pytest
import safetensors

from darla.common import InputError
from darla.common.files import write_aside, write_bytes


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; free some space"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system; choose a folder"),
        (safetensors.SafetensorError("Error while serializing: I/O error: x (os error 28)"), "device; free some space"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error$"),
    ],
)
def test_a_file_that_cannot_be_written_says_what_to_do_and_leaves_the_old_one(tmp_path, error, words):
    path = tmp_path / "a"
    write_bytes(path, b"old")

    def write(aside):
        aside.write_bytes(b"half")
        raise error

    with pytest.raises(InputError, match=words):
        write_aside(path, write)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
