"""The table of a study: a row for each method, the source and every target, intervals where there are seeds."""

from pathlib import Path
from typing import Any

from darla.common import Artefact
from darla.common.files import write_json
from darla.reports.tables.study import study_table


def estimate(value: float, seeds: int) -> dict[str, Any]:
    return {"value": value, "low": value - 1 if seeds > 1 else None, "high": value + 1 if seeds > 1 else None}


def transfer(folder: Path, targets: list[str], seeds: int) -> Artefact:
    domains = [
        {"name": "source", "split": "source", "leak": ""},
        {"name": "validation", "split": "validation", "leak": ""},
    ]
    domains += [{"name": name, "split": "target", "leak": "visual"} for name in targets]
    method = {
        "method": "DARLA",
        "seeds": list(range(seeds)),
        "domains": {domain["name"]: {"return": estimate(10.0 + n, seeds)} for n, domain in enumerate(domains)},
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
