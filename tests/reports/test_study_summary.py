"""The sentence above a study's table: it says which methods keep their score in the targets, or nothing."""

import pytest

from darla.reports.tables.study_summary import MethodSummary, summary_sentence


def summarize(*methods: tuple[str, float, float, float | None]) -> str | None:
    return summary_sentence("new_room", [MethodSummary(*method) for method in methods])


def test_the_sentence_says_who_keeps_the_score_and_who_does_not() -> None:
    sentence = summarize(("end to end", 10.34, 1.72, 0.97), ("β-VAE", 8.0, 5.0, 0.9), ("DARLA", 10.4, 10.0, 0.98))
    assert sentence == (
        "In `new_room`, DARLA (10.4 and 10.0) keeps the source score in the targets, while end to end falls from 10.3 "
        "to 1.7."
    )


def test_several_methods_are_listed() -> None:
    sentence = summarize(("a", 10.0, 1.0, 1.0), ("b", 9.0, 2.0, 1.0), ("c", 8.0, 8.0, 1.0), ("d", 7.0, 7.5, 1.0))
    assert sentence == (
        "In `new_room`, c (8.0 and 8.0) and d (7.0 and 7.5) keep the source scores in the targets, while a falls from "
        "10.0 to 1.0 and b falls from 9.0 to 2.0."
    )


@pytest.mark.parametrize(
    "methods",
    [
        [("end to end", 10.0, 9.0, 1.0), ("DARLA", 10.0, 9.5, 1.0)],  # nobody falls
        [("end to end", 10.0, 2.0, 1.0), ("DARLA", 10.0, 6.0, 1.0)],  # nobody keeps it
        [("end to end", 0.2, -0.1, 0.0), ("DARLA", 0.1, 0.3, 0.0)],  # nothing was learnt
        [("end to end", 10.0, 1.0, 1.0), ("DARLA", 0.1, 0.3, 0.1)],  # the one that keeps its score has none
        [("end to end", 10.0, 1.0, None), ("DARLA", 10.0, 10.0, None)],  # success is not defined
        [],
    ],
)
def test_there_is_no_sentence_without_the_effect(methods: list[tuple[str, float, float, float | None]]) -> None:
    assert summarize(*methods) is None
