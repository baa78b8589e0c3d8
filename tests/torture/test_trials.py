"""The machinery counts what fails, and finds a small input of it."""

import json
import time

from hypothesis import strategies as st
from trials import Kind, Tally, run, run_batch, signature_of, write


def numbers(attempt, **more) -> Kind:
    return Kind("numbers", lambda: st.integers(0, 10_000), attempt, **more)


def test_tries_and_failures_are_counted_and_the_smallest_input_is_kept(tmp_path) -> None:
    tally = Tally()
    kind = numbers(lambda value: {"small": f"{value} is large" if value > 99 else None, "whole": None})
    for number in range(3):
        run_batch(kind, tally, number, examples=100)
    row = tally.rows["numbers", "", "small"]
    assert row.tries == tally.rows["numbers", "", "whole"].tries == tally.inputs["numbers", ""] >= 200
    (failure,) = row.failures.values()
    assert 100 <= int(failure.smallest) < 1000
    assert failure.count == row.failed == tally.failed > 10
    assert tally.rows["numbers", "", "whole"].failed == 0
    write(tally, tmp_path, {"command": "make torture"})
    assert (
        json.loads((tmp_path / "torture.json").read_text())["promises"][0]["failures"][0]["smallest"]
        == failure.smallest
    )
    assert f"{failure.smallest} is large" in (tmp_path / "torture.md").read_text()


def test_a_failure_that_is_known_does_not_hide_another() -> None:
    tally = Tally()

    def attempt(value: int):
        return {"fits": "odd numbers" if value % 2 else "even ones" if value % 3 == 0 and value else None}

    for number in range(6):
        run_batch(numbers(attempt), tally, number, examples=40)
    smallest = {failure.message: failure.smallest for failure in tally.rows["numbers", "", "fits"].failures.values()}
    assert smallest.keys() == {"odd numbers", "even ones"}
    assert len(smallest["odd numbers"]) == 1


def test_equal_messages_of_other_names_and_numbers_are_one_failure() -> None:
    assert signature_of("/tmp/a/b.json is 3, not 'x'") == signature_of("/var/c.json is 41.5, not 'other'")
    assert signature_of("it left a file") != signature_of("it raised an error")


def test_time_is_divided_by_shares_and_a_kind_that_is_done_gives_its_time_away() -> None:
    def slowly(value: int):
        time.sleep(0.002)
        return {"kept": None}

    kinds = [
        Kind("much", lambda: st.integers(), slowly, share=3.0, shrinks=False, batch=5),
        Kind("little", lambda: st.integers(), slowly, share=1.0, shrinks=False, batch=5),
        Kind("few", lambda: st.integers(), slowly, share=9.0, shrinks=False, batch=5),
    ]
    tally = Tally()
    for _ in run(kinds, tally, seconds=1.5, master=0, most={"few": 10}):
        pass
    count = {name: number for (name, _), number in tally.inputs.items()}
    assert count["few"] == 10
    assert 2 * count["little"] < count["much"] < 5 * count["little"]
