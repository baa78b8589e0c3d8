"""What holds for every test."""

import os
import signal

import pytest

from darla.common.speeds.records import VARIABLE


@pytest.fixture(scope="session", autouse=True)
def _python_handles_ctrl_c():
    """Have Ctrl-C raise KeyboardInterrupt, as in a terminal: a shell's background jobs start with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _speeds_of_tests(tmp_path_factory: pytest.TempPathFactory):
    """Keep measured speeds, those of child processes too, out of the cache of whoever runs the tests."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(tmp_path_factory.mktemp("speeds"))
    yield
    if before is None:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = before
