"""The table of a study: a row for each method, the source and every target, intervals where there are seeds."""

import json
from pathlib import Path
from typing import Any

import pytest

from darla.common import Artefact
from darla.common.files import write_json
from darla.reports.tables.study import study_table
from darla.reports.tables.study_summary import MethodSummary, summary_sentence


def estimate(value: float, seeds: int) -> dict[str, Any]:
    return {"value": value, "low": value - 1 if seeds > 1 else None, "high": value + 1 if seeds > 1 else None}


def returns(value: float, seeds: int, success: float | None = None) -> dict[str, Any]:
    return {
        "return": estimate(value, seeds),
        "success": None if success is None else {**estimate(success, 1), "value": success},
    }


def transfer(folder: Path, targets: list[str], seeds: int) -> Artefact:
    domains = [
        {"name": "source", "split": "source", "leak": ""},
        {"name": "validation", "split": "validation", "leak": ""},
    ]
    domains += [{"name": name, "split": "target", "leak": "visual"} for name in targets]
    method = {
        "method": "DARLA",
        "seeds": list(range(seeds)),
        "domains": {domain["name"]: returns(10.0 + n, seeds) for n, domain in enumerate(domains)},
        "over_targets": {"return": {"mean": estimate(12.5, seeds)}, "retention": estimate(1.25, seeds)},
    }
    random = {**method, "method": "random", "over_targets": {"return": {"mean": estimate(0.0, 1)}}}
    write_json(folder / "scores.json", {"domains": domains, "methods": [random, method]})
    return Artefact(folder, "transfer", {"transfer": {"episodes": 100, "confidence": 0.95}}, {})


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    table = study_table({"conjunction": transfer(tmp_path, ["A in room 2"], 1)})
    assert "### conjunction" in table
    assert "| DARLA  | 10.00  | 12.00 " in table
    assert "A in room 2 (new to the policy)" in table
    assert "validation" not in table
    assert "mean of targets" not in table
    assert "one policy seed" in table


def test_several_seeds_and_targets(tmp_path: Path) -> None:
    table = study_table({"recolour": transfer(tmp_path, ["red", "blue"], 3)})
    (row,) = [line for line in table.splitlines() if line.startswith("| DARLA")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "DARLA",
        "10.00 [9.00, 11.00]",
        "12.00 [11.00, 13.00]",
        "13.00 [12.00, 14.00]",
        "12.50 [11.50, 13.50]",
        "1.25 [0.25, 2.25]",
    ]
    (random,) = [line for line in table.splitlines() if line.startswith("| random")]
    assert random.strip("| ").endswith("–")
    assert "mean of targets" in table
    assert "3 policy seeds, 95% intervals from resampling them (preliminary: optimistic with so few)." in table


def test_ten_seeds_are_not_preliminary(tmp_path: Path) -> None:
    table = study_table({"recolour": transfer(tmp_path, ["red"], 10)})
    assert table.endswith("10 policy seeds, 95% intervals from resampling them.")


def test_success_stands_beside_return(tmp_path: Path) -> None:
    artefact = transfer(tmp_path, ["red"], 1)
    scores = json.loads((tmp_path / "scores.json").read_text())
    scores["methods"][1]["domains"]["red"]["success"] = {"value": 0.875, "low": None, "high": None}
    write_json(tmp_path / "scores.json", scores)
    table = study_table({"recolour": artefact})
    assert "| 12.00 (88 %) " in table
    assert "in parentheses the share of successful ones" in table


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


def test_a_method_trained_in_the_targets_keeps_nothing(tmp_path: Path) -> None:
    artefact = transfer(tmp_path, ["red", "blue"], 1)
    scores = json.loads((tmp_path / "scores.json").read_text())
    kept = scores["methods"][1]
    kept["domains"]["source"] = returns(10.0, 1, 0.98)
    fallen = {**kept, "method": "end to end", "over_targets": {"return": {"mean": estimate(1.0, 1)}}}
    scores["methods"].append(fallen)
    write_json(tmp_path / "scores.json", scores)
    above, _, below = study_table({"recolour": artefact}).partition("| method")
    assert "DARLA (10.0 and 12.5) keeps the source score in the targets" in above
    assert "keeps" not in below
    kept["leaks"] = {"red": "full", "blue": "full"}
    write_json(tmp_path / "scores.json", scores)
    assert "keeps" not in study_table({"recolour": artefact})
