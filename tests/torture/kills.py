"""Kills (SIGKILL): before any change to the folder, by its number, and at any time."""

from typing import Any

from children import in_child
from finishing import ALONE, FINISHES, STAGES, finished, killed_at, moments, stage_work
from hypothesis import strategies as st
from trials import Checked, Kind
from workshop import workshop


def at_a_moment() -> st.SearchStrategy[Any]:
    """Draw a stage and the number of a change, and sometimes a second one, in the run that should finish it."""
    return st.sampled_from(STAGES).flatmap(
        lambda stage: st.tuples(
            st.just(stage), st.lists(st.integers(1, moments(stage)), min_size=1, max_size=3).map(tuple)
        )
    )


def try_moments(value: tuple[str, tuple[int, ...]]) -> Checked:
    """Kill a stage at each of these changes in turn, and finish it."""
    stage, numbers = value
    with workshop().scratch() as out:
        for number in numbers:
            killed_at(stage, out, number)
        return {FINISHES: finished(stage, out)}


def at_any_time() -> st.SearchStrategy[Any]:
    """Draw a stage and times in seconds."""
    times = st.lists(st.floats(0.0, 0.6), min_size=1, max_size=2).map(tuple)
    return st.tuples(st.sampled_from(STAGES), times)


def of_the_study(where: str = "study", longest: float = 20.0) -> st.SearchStrategy[Any]:
    """Draw a time in seconds; the study takes about ten, and twenty with a cluster that has to be started."""
    return st.tuples(st.just(where), st.lists(st.floats(0.0, longest), min_size=1, max_size=1).map(tuple))


def on_ray() -> st.SearchStrategy[Any]:
    """Draw a time in seconds for the study on a cluster."""
    return of_the_study("study on Ray", 30.0)


def try_times(value: tuple[str, tuple[float, ...]]) -> Checked:
    """Kill a stage at each of these times in turn, and finish it."""
    stage, times = value
    left = 0
    with workshop().scratch() as out:
        for time in times:
            left += in_child(stage_work(stage, out), kill_after=time).orphans
        stays = f"{left} groups of processes were left behind" if left else None
        return {FINISHES: finished(stage, out), ALONE: stays}


def _stage(value: tuple[str, tuple[float, ...]]) -> str:
    return value[0]


def _kills(value: tuple[str, tuple[float, ...]]) -> int:
    return len(value[1])


KINDS = (
    Kind("kill at a moment", at_a_moment, try_moments, 3.5, _stage, batch=10, events=_kills),
    Kind("kill at any time", at_any_time, try_times, 2.5, _stage, shrinks=False, batch=10, events=_kills),
    Kind("kill of a study", of_the_study, try_times, 0.7, _stage, shrinks=False, batch=1, events=_kills),
)
RAY = (Kind("kill of a study on Ray", on_ray, try_times, 0.7, _stage, shrinks=False, batch=1, events=_kills),)
"""Where Ray is installed."""
