"""Seconds add up over interrupted parts."""

import json
import time
from pathlib import Path

import pytest

from darla.common.jobs.stopwatch import Stopwatch


def test_seconds_add_up_over_parts_and_stand_still_after_each(tmp_path: Path) -> None:
    file = tmp_path / "seconds.json"

    def interrupted() -> None:
        with first:
            time.sleep(0.02)
            raise RuntimeError

    first = Stopwatch(file)
    with pytest.raises(RuntimeError):
        interrupted()
    after = first.seconds
    assert 0.02 <= after == json.loads(file.read_text()) == first.seconds
    with Stopwatch(file) as second:
        assert second.seconds >= after
        time.sleep(0.02)
        second.save()
        assert after + 0.02 <= json.loads(file.read_text()) <= second.seconds
    assert second.seconds >= after + 0.02


def test_nothing_is_written_where_the_folder_is_missing(tmp_path: Path) -> None:
    with Stopwatch(tmp_path / "missing" / "seconds.json") as stopwatch:
        stopwatch.save()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["null", '"x"', "[1]", "-3", "Infinity", "NaN", "{", ""])
def test_seconds_that_cannot_be_read_count_from_zero(content: str, tmp_path: Path) -> None:
    (tmp_path / "seconds.json").write_text(content)
    with Stopwatch(tmp_path / "seconds.json") as stopwatch:
        assert 0 <= stopwatch.seconds < 1
    assert 0 <= json.loads((tmp_path / "seconds.json").read_text()) < 1
