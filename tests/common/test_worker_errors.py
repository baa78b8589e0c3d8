"""A worker that has died is told by what it died of."""

import pickle
import signal
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pool_work
import pytest

from darla.common import DarlaError
from darla.common.errors import WorkerDiedError
from darla.common.jobs.processes import worker_pool
from darla.common.jobs.worker_errors import cause_of_death

SENTENCES = {
    signal.SIGSEGV: r"died of a segmentation fault \(SIGSEGV\): usually two native libraries that clash",
    signal.SIGKILL: r"died of a kill \(SIGKILL\): usually by the system, for lack of memory",
    signal.SIGABRT: r"died of an abort \(SIGABRT\): a native library gave up",
    signal.SIGTERM: r"died of a request to end \(SIGTERM\)",
}


@pytest.mark.parametrize("number", SENTENCES)
def test_a_pool_says_of_what_its_worker_died(number: int, tmp_path: Path) -> None:
    def work() -> None:
        with worker_pool(2, who="a drawing process") as pool:
            pool.submit(pool_work.wait_long, tmp_path / "meeting")
            # The pool then ends the other one itself, which must not be taken for the cause.
            pool.submit(pool_work.die_of, number, tmp_path / "meeting").result()

    sentence = rf"^a drawing process {SENTENCES[number]}.*; the same command resumes"
    with pytest.raises(WorkerDiedError, match=sentence) as it:
        work()
    assert it.value.exit_code == -number
    assert isinstance(it.value, DarlaError)
    assert ("memory" in str(it.value)) == (number == signal.SIGKILL)
    assert "\n" not in str(it.value)


def test_a_worker_that_left_by_itself_is_told_apart() -> None:
    with pytest.raises(WorkerDiedError, match="ended by itself with exit code 3"), worker_pool(1) as pool:
        pool.submit(pool_work.leave, 3).result()


def test_an_answer_that_cannot_be_read_is_nobodys_death() -> None:
    with pytest.raises(BrokenProcessPool), worker_pool(1) as pool:
        pool.submit(pool_work.answer_badly).result()


def test_faults_are_reported_by_the_worker(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkerDiedError), worker_pool(1) as pool:
        pool.submit(pool_work.die_of, signal.SIGSEGV).result()
    report = capfd.readouterr().err
    assert "Fatal Python error: Segmentation fault" in report
    assert "in die_of" in report


def test_other_ends_are_told_too() -> None:
    assert cause_of_death(-signal.SIGBUS).startswith("died of a bus error (SIGBUS)")
    assert cause_of_death(-signal.SIGUSR1) == "died of SIGUSR1"
    assert cause_of_death(-200) == "died of signal 200"
    assert cause_of_death(None) == "ended for an unknown reason"


def test_the_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(WorkerDiedError("it died", 4711, -9)))
    assert (str(error), error.pid, error.exit_code) == ("it died", 4711, -9)


def test_a_worker_closes_what_it_opened_when_there_is_no_more_work(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    with worker_pool(1, pool_work.note_the_end, (path,)) as pool:
        pool.submit(pool_work.nothing).result()
        assert not path.exists()
    assert path.exists()
