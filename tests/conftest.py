"""What holds for every test."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _python_handles_ctrl_c():
    """Have Ctrl-C raise KeyboardInterrupt, as in a terminal: a shell's background jobs start with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
