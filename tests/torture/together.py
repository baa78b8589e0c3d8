"""Two and five processes that give the same command for the same folder at once."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from children import Ended, in_child, unexpected
from finishing import FINISHES, SPEAKS, STAGES, TRUE, finished, stage_work, true_success
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import workshop


def inputs() -> st.SearchStrategy[Any]:
    """Draw a stage, how many processes, and the seconds between two of them."""
    return st.tuples(st.sampled_from(STAGES), st.sampled_from([2, 5]), st.sampled_from([0.0, 0.05, 0.2]))


def attempt(value: tuple[str, int, float]) -> Checked:
    """Start them, wait for all, and look at what there is."""
    stage, count, pause = value
    with workshop().scratch() as out:
        ended = _all(stage, out, count, pause)
        speaks = next((wrong for each in ended if (wrong := unexpected(each))), None)
        if speaks is None and all(each.code for each in ended):
            speaks = f"none of them did the work: {ended[0].last}"
        if speaks is None:
            refused = [each.last for each in ended if each.code]
            speaks = next((f"refused: {last}" for last in refused if "another darla process" not in last), None)
        true = next((wrong for each in ended if (wrong := true_success(stage, out, each))), None)
        return {SPEAKS: speaks, TRUE: true, FINISHES: finished(stage, out)}


def _all(stage: str, out: Any, count: int, pause: float) -> list[Ended]:
    """Fork from this thread only: each child waits for its turn, so that all but work side by side."""

    def one(number: int) -> Ended:
        def work() -> int:
            import time

            time.sleep(number * pause)
            return stage_work(stage, out)()

        return in_child(work, seconds=120)

    assert os.cpu_count()
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


KINDS = (Kind("at once", inputs, attempt, 1.0, lambda value: f"{value[1]} processes", shrinks=False, batch=4),)
