"""The screen of a running study: progress, speed, curves and time left, from the lines of its logs."""

import io
from pathlib import Path

import cell_work
import pytest
from command_line import darla

from darla.common import InputError, Progress
from darla.common.jobs import log as job_log
from darla.common.jobs.locks import only_one
from darla.experiments.status import LOGS, StudyPart, study_status, write_study
from darla.experiments.watch import job_progress, screen, sparkline, watch


def make_study(folder: Path) -> None:
    """Write a study of three jobs: one is done, one runs, one waits."""
    (folder / "agents").mkdir(parents=True)
    parts = [StudyPart(name, f"agents/{name}", ("agents/a",) if name == "c" else (), 100.0) for name in "abc"]
    write_study(folder, "toy", parts, 1)
    cell_work.make(folder / "agents" / "a", "a")
    (folder / LOGS).mkdir()
    lines = [f"learn to act: {step}/1000 steps, 50/s, 10 s left, return {step / 100:g}" for step in (100, 500, 900)]
    done = "\n".join(
        [job_log.started(), *lines, "learn to act: 1000/1000 steps, 50/s, return 10", job_log.done("20 s")]
    )
    (folder / LOGS / "agents-a.log").write_text(done + "\n")
    earlier = [job_log.started(), "learn to act: 990/1000 steps, 1/s, 10 s left, return -5"]
    now = [job_log.started(), "learn to see: 70/70 steps, 9/s, loss 3", *lines[:2], "a warning: 3/4 of it"]
    (folder / LOGS / "agents-b.log").write_text("\n".join([*earlier, *now]) + "\n")


def test_the_lines_of_a_progress_are_read_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Progress(40, "learn to see", "step") as progress:
        progress.update(40, loss=618.0)
    line = capfd.readouterr().err
    (tmp_path / "job.log").write_text(f"{job_log.started()}\n{line}")
    read = job_progress(tmp_path / "job.log")
    assert read is not None
    assert (read.task, read.done, read.total, read.unit, read.left) == ("learn to see", 40, 40, "steps", "")
    assert (read.number, read.curve) == ("loss", (618.0,))
    assert read.rate > 0


def test_only_what_was_logged_since_the_last_start_counts(tmp_path: Path) -> None:
    make_study(tmp_path)
    read = job_progress(tmp_path / LOGS / "agents-b.log")
    assert read is not None
    assert (read.task, read.done, read.total, read.rate, read.left) == ("learn to act", 500, 1000, 50.0, "10 s")
    assert read.curve == (1.0, 5.0)
    assert job_progress(tmp_path / "nothing.log") is None


def test_the_screen_shows_jobs_speeds_curves_and_time_left(tmp_path: Path) -> None:
    make_study(tmp_path)
    with only_one(tmp_path):
        status = study_status(tmp_path)
        text = screen(status)
    assert text.startswith("toy: running, about ")
    assert "50%, 1 of 3 jobs: 1 done, 1 running, 1 ready" in text  # a, half of b, nothing of c
    assert "learn to act, 500 of 1,000 steps, 50/s, 10 s left" in text
    assert "▁█  return 5" in text
    assert "  a  ▁▄▇█  return 10" in text
    narrow = screen(status, width=30, height=4).splitlines()
    assert len(narrow) == 4
    assert max(map(len, narrow)) == 30


def test_without_a_terminal_it_is_shown_once(tmp_path: Path) -> None:
    make_study(tmp_path)
    output = io.StringIO()
    watch(tmp_path, output=output)
    assert output.getvalue().count("toy: not running") == 1
    assert "\x1b" not in output.getvalue()
    assert "toy: not running" in darla("study", "watch", str(tmp_path)).stdout
    with pytest.raises(InputError, match="no study has been started"):
        watch(tmp_path / "nowhere")


def test_on_a_terminal_it_is_drawn_until_the_study_is_done(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    make_study(tmp_path)
    for name in "bc":
        cell_work.make(tmp_path / "agents" / name, name)
    output = Terminal()
    assert watch(tmp_path, output=output).is_done
    assert output.getvalue().startswith("\x1b[?1049h")
    assert [line.split()[0] for line in output.getvalue().rstrip().splitlines()[-2:]] == ["a", "b"]
    assert "\x1b[?1049l" in output.getvalue()


def test_a_curve_is_as_long_as_it_may_be() -> None:
    assert sparkline([0.0, 7.0]) == "▁█"
    assert sparkline([3.0, 3.0, 3.0]) == "▁▁▁"
    assert sparkline([float(value) for value in range(1000)], width=8) == "▁▂▃▄▅▆▇█"
