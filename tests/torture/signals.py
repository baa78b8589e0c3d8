"""Ctrl-C and SIGTERM, at any change to the folder: the process ends soon, in a sentence, and can be resumed."""

import os
import signal
from typing import Any

from children import at_moments, in_child
from finishing import FINISHES, SPEAKS, STAGES, TRUE, finished, moments, stage_work, true_success
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import workshop

NAMES = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
ENDS = {"SIGINT": (0, 130, -signal.SIGINT), "SIGTERM": (0, -signal.SIGTERM)}
"""Exit codes; 0 where it came when there was nothing left to do."""


def inputs() -> st.SearchStrategy[Any]:
    """Draw a stage, a signal, and the numbers of one or two changes at which it comes."""
    return st.sampled_from(STAGES).flatmap(
        lambda stage: st.tuples(
            st.just(stage),
            st.sampled_from(sorted(NAMES)),
            st.lists(st.integers(1, moments(stage)), min_size=1, max_size=2, unique=True).map(tuple),
        )
    )


def attempt(value: tuple[str, str, tuple[int, ...]]) -> Checked:
    """Send the signal, and finish what was begun."""
    stage, name, numbers = value
    with workshop().scratch() as out:

        def send(count: int, *_: str) -> None:
            if count in numbers:
                os.kill(os.getpid(), NAMES[name])

        ended = in_child(stage_work(stage, out, lambda: at_moments(out, send)))
        wrong = None
        if "Traceback" in ended.stderr or "bug in darla" in ended.stderr:
            wrong = f"a traceback: {ended.stderr.strip()[-500:]}"
        elif ended.code not in ENDS[name]:
            wrong = f"exit code {ended.code}: {ended.last}"
        elif ended.code == 130 and "resumes where it stopped" not in ended.last:
            wrong = f"it does not say how to resume: {ended.last}"
        return {SPEAKS: wrong, TRUE: true_success(stage, out, ended), FINISHES: finished(stage, out)}


KINDS = (Kind("signal", inputs, attempt, 1.0, lambda value: value[1], batch=10),)
