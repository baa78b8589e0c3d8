"""A clock that jumps, and a machine that sleeps: no result depends on the time of day."""

import time
from typing import Any

from children import in_child, unexpected
from finishing import SPEAKS, STAGES, TRUE, stage_work, true_success
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import workshop

SAME = "the same bytes whatever the time"
_FAR = 86400.0 * 365 * 30


def inputs() -> st.SearchStrategy[Any]:
    """Draw a stage, seconds by which the clock jumps at every look, and seconds that the machine sleeps then."""
    jumps = st.sampled_from([-_FAR, -3600.0, -1.0, 3600.0, _FAR])
    return st.tuples(st.sampled_from(STAGES), jumps, st.sampled_from([0.0, 0.5, 3600.0]))


def attempt(value: tuple[str, float, float]) -> Checked:
    """Run a stage in which each look at a clock finds that it has jumped."""
    stage, jump, sleep = value

    def before() -> None:
        now, monotonic, counter = time.time, time.monotonic, time.perf_counter
        looks = {"time": 0, "monotonic": 0}

        def jumping() -> float:
            looks["time"] += 1
            return max(0.0, now() + jump * looks["time"])

        def sleeping() -> float:
            looks["monotonic"] += 1
            return monotonic() + sleep * looks["monotonic"]

        time.time = jumping
        time.monotonic = sleeping
        time.perf_counter = lambda: counter() + sleep * looks["monotonic"]

    with workshop().scratch() as out:
        ended = in_child(stage_work(stage, out, before), seconds=60)
        wrong = unexpected(ended) or ("it does not end" if ended.timed_out else None)
        if wrong is None and ended.code:
            wrong = f"it ends with code {ended.code}: {ended.last}"
        true = true_success(stage, out, ended)
        return {SPEAKS: wrong, TRUE: None if true and true.startswith("another") else true, SAME: true}


KINDS = (Kind("clock", inputs, attempt, 0.5, lambda value: "", batch=10),)
