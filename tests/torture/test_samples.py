"""A sample of each kind of the torture suite; `make torture` runs more of it, for as long as it is given."""

import os

import every_kind
import pytest
from trials import Tally, run_batch

SAMPLES = {
    "options": 40,
    "task files": 12,
    "arguments": 30,
    "configurations": 200,
    "altered": 20,
    "altered, unfinished": 3,
    "altered study": 0,  # a study takes ten seconds
    "kill at a moment": 4,
    "kill at any time": 3,
    "kill of a study": 0,
    "kill of a study on Ray": 0,
    "signal": 3,
    "disk": 4,
    "at once": 2,
    "clock": 2,
    "disk of its own": 2,
    "disk of its own, read-only": 1,
}
"""Inputs of each kind in the default suite."""


def kept(name: str, number: int, examples: int) -> None:
    """Try some inputs of a kind, and fail with the table if a promise is not kept."""
    kind = next((kind for kind in every_kind.kinds() if kind.name == name), None)
    if kind is None:
        pytest.skip("needs Ray, or a file system of its own, which only root may mount")
    tally = Tally()
    run_batch(kind, tally, number, examples=examples)
    assert sum(tally.inputs.values()) >= min(examples, 2)
    assert not tally.failed, tally.markdown()


@pytest.fixture(autouse=True)
def _modules_for_worker_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have worker processes find the environment of the task."""
    helpers = os.path.join(os.path.dirname(os.path.dirname(__file__)), "helpers")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([helpers, os.environ.get("PYTHONPATH", "")]))


def test_every_kind_has_a_sample() -> None:
    assert {kind.name for kind in every_kind.kinds()} <= SAMPLES.keys()


@pytest.mark.parametrize("name", [name for name, examples in SAMPLES.items() if examples])
def test_a_sample(name: str) -> None:
    kept(name, 1, SAMPLES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_more_of_it(name: str) -> None:
    kept(name, 2, max(4, 8 * SAMPLES[name]))
