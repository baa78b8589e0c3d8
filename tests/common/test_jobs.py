"""Jobs: run in any order that respects what they need, never twice; a failure blocks only the jobs that need it."""

import os
import sys
from pathlib import Path

import cell_work
import pytest

from darla.common import InputError, is_complete
from darla.common.errors import WorkerDiedError
from darla.common.jobs.locks import only_one
from darla.common.jobs.scheduler import Job, run_jobs


def job(folder: Path, name: str, *needs: str, work: object = cell_work.make, cost: float = 1.0) -> Job:
    paths = tuple(folder / need for need in needs)
    arguments: dict[str, object] = {"out": folder / name}
    if work in (cell_work.make, cell_work.make_slowly):
        arguments |= {"text": name, "needs": paths}
    return Job(name, folder / name, work, arguments, paths, cost)  # type: ignore[arg-type]


def diary(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "diary").read_text().splitlines()]


def test_jobs_wait_for_what_they_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [
        job(tmp_path, "d", "b", "c"),
        job(tmp_path, "b", "a", work=cell_work.make_slowly),
        job(tmp_path, "c", "a"),
        job(tmp_path, "a"),
    ]
    run_jobs(jobs, 2, tmp_path / "logs")
    assert (tmp_path / "d" / "text").read_text() == "dbaca"
    ended = [name for event, name, _ in diary(tmp_path) if event == "ends"]
    assert ended[0] == "a"
    assert ended[-1] == "d"
    output = capsys.readouterr().err
    assert "[4/4] d:" in output
    # What a job prints goes to its log; a status line may repeat the last of it, on a machine that is slow.
    assert not [line for line in output.splitlines() if line.startswith("made")]
    assert "made a" in (tmp_path / "logs" / f"{tmp_path.name}-a.log").read_text().splitlines()


def test_the_longest_chain_goes_first(tmp_path: Path) -> None:
    jobs = [
        job(tmp_path, "short", cost=5.0),
        job(tmp_path, "long", cost=1.0),
        job(tmp_path, "after", "long", cost=100.0),
    ]
    run_jobs(jobs, 1, tmp_path / "logs")
    assert [name for event, name, _ in diary(tmp_path) if event == "begins"] == ["long", "after", "short"]


def test_finished_jobs_are_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_jobs([job(tmp_path, "a")], 1, tmp_path / "logs")
    run_jobs([job(tmp_path, "a"), job(tmp_path, "b", "a")], 1, tmp_path / "logs")
    assert [name for event, name, _ in diary(tmp_path) if event == "begins"] == ["a", "b"]
    assert "1 of 2 jobs are done already" in capsys.readouterr().err
    run_jobs([job(tmp_path, "a"), job(tmp_path, "b", "a")], 1, tmp_path / "logs")
    assert len(diary(tmp_path)) == 4


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (cell_work.refuse, "bad cannot be made of this"),
        (cell_work.break_down, "ZeroDivisionError: division by zero"),
        (cell_work.forget, "it did not write"),
    ],
)
def test_a_failure_holds_up_only_what_needs_it(work: object, reason: str, tmp_path: Path) -> None:
    jobs = [
        job(tmp_path, "bad", work=work, cost=9.0),
        job(tmp_path, "needy", "bad"),
        job(tmp_path, "other"),
    ]
    with pytest.raises(InputError, match=f"bad failed: .*{reason}.*log: .*bad.log"):
        run_jobs(jobs, 1, tmp_path / "logs")
    assert is_complete(tmp_path / "other")
    assert not is_complete(tmp_path / "needy")


def test_a_fault_is_traced_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run_jobs([job(tmp_path, "bad", work=cell_work.break_down)], 1, tmp_path / "logs")
    assert "Traceback" in (tmp_path / "logs" / f"{tmp_path.name}-bad.log").read_text()


@pytest.mark.parametrize(
    ("work", "sentence", "report"),
    [
        (cell_work.die, r"a kill \(SIGKILL\): usually by the system, for lack of memory", None),
        (cell_work.crash, r"a segmentation fault \(SIGSEGV\): usually two native", "Segmentation fault"),
        (cell_work.abort, r"an abort \(SIGABRT\): a native library gave up", "Aborted"),
    ],
)
def test_a_dead_worker_is_named_with_its_job_and_reported_in_its_log(
    work: object, sentence: str, report: str | None, tmp_path: Path
) -> None:
    jobs = [job(tmp_path, "other", work=cell_work.wait_for_bad, cost=9.0), job(tmp_path, "bad", work=work)]
    expected = f"^bad: the worker process died of {sentence}.*; log: .*bad.log; the same command resumes"
    with pytest.raises(WorkerDiedError, match=expected) as caught:
        run_jobs(jobs, 2, tmp_path / "logs")
    assert "other" not in str(caught.value)
    log = (tmp_path / "logs" / f"{tmp_path.name}-bad.log").read_text()
    if report is None:
        assert "Fatal" not in log
    else:
        assert f"Fatal Python error: {report}" in log
        assert "cell_work.py" in log


def test_a_plan_with_holes_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="which no job makes"):
        run_jobs([job(tmp_path, "b", "a")], 1, tmp_path / "logs")
    with pytest.raises(ValueError, match="same folder"):
        run_jobs([job(tmp_path, "a"), job(tmp_path, "a")], 1, tmp_path / "logs")


def test_one_process_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with (
        only_one(tmp_path / "runs"),
        pytest.raises(InputError, match="another darla process"),
        only_one(tmp_path / "runs"),
    ):
        pass
    with only_one(tmp_path / "runs"):
        pass


def test_cells_run_on_a_ray_cluster_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is an extra: pip install 'darla[ray]'")
    # Workers of Ray are started with this process's environment, not with its import path.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*filter(None, sys.path)]))
    jobs = [
        job(tmp_path, "c", "a", "b"),
        job(tmp_path, "a"),
        job(tmp_path, "b"),
        job(tmp_path, "d", work=cell_work.die),
    ]
    with pytest.raises(InputError, match="d failed: its process was lost"):
        run_jobs(jobs, 2, tmp_path / "logs", ray="local")
    assert (tmp_path / "c" / "text").read_text() == "cab"
    assert "made a" in (tmp_path / "logs" / f"{tmp_path.name}-a.log").read_text().splitlines()


def test_ray_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'darla\[ray\]'"):
        run_jobs([job(tmp_path, "a")], 1, tmp_path / "logs", ray="local")
