"""Ctrl-C and SIGTERM wait for the point from which work can resume; a second one does not."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pool_work
import pytest

from darla.common.jobs.interrupts import delayed_interrupts
from darla.common.jobs.processes import worker_pool


def test_ctrl_c_waits_for_the_work_to_save(capsys: pytest.CaptureFixture[str]) -> None:
    steps = []

    def work() -> None:
        with delayed_interrupts(announcement="stopping soon") as interrupts:
            for step in range(5):
                if step == 2:
                    signal.raise_signal(signal.SIGINT)
                steps.append(step)
                if interrupts.requested:
                    interrupts.stop()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == [0, 1, 2]
    assert capsys.readouterr().err.strip() == "stopping soon"
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait() -> None:
    reached = []

    def work() -> None:
        with delayed_interrupts():
            signal.raise_signal(signal.SIGINT)
            reached.append(1)
            signal.raise_signal(signal.SIGINT)
            reached.append(2)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [1]


def test_a_signal_that_nobody_looked_at_is_not_lost() -> None:
    with pytest.raises(KeyboardInterrupt), delayed_interrupts():
        signal.raise_signal(signal.SIGINT)


def test_handlers_of_others_and_threads_are_left_alone() -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with delayed_interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert heard == [1]
            assert not interrupts.requested
    finally:
        signal.signal(signal.SIGINT, before)

    def work() -> None:
        with delayed_interrupts():
            heard.append(2)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [1, 2]


def test_a_request_to_end_ends_the_process_by_that_signal_once_it_has_saved(tmp_path: Path) -> None:
    script = f"import pool_work; pool_work.save_when_asked({str(tmp_path / 'saved')!r})"
    folder = Path(pool_work.__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}"}
    process = subprocess.Popen([sys.executable, "-c", script], env=environment)
    while not (tmp_path / "saved.begun").exists():
        time.sleep(0.02)
    process.terminate()
    assert process.wait(timeout=60) == -signal.SIGTERM
    assert (tmp_path / "saved").exists()


def test_workers_save_when_the_pool_is_stopped_by_ctrl_c(tmp_path: Path) -> None:
    def work() -> None:
        with worker_pool(1) as pool:
            pool.submit(pool_work.save_when_asked, str(tmp_path / "saved"))
            while not (tmp_path / "saved.begun").exists():
                time.sleep(0.02)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert (tmp_path / "saved").exists()


def test_a_signal_during_a_print_is_announced_all_the_same(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Busy:
        def write(self, text: str) -> int:
            raise RuntimeError("reentrant call inside <_io.BufferedWriter name=2>")

        def flush(self) -> None:
            pass

    def work() -> None:
        with delayed_interrupts(announcement="stopping soon"):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "stderr", Busy())
    with pytest.raises(KeyboardInterrupt):
        work()
    assert "stopping soon" in capfd.readouterr().err
