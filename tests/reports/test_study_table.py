"""The table of a study: a row for each method, the source and every target, intervals where there are seeds."""

from dataclasses import replace
from pathlib import Path

from darla.common import Artefact
from darla.common.files import write_json
from darla.common.json_records import to_json
from darla.evaluation.score_types import (
    AgentRecord,
    Anchors,
    DomainScores,
    Estimate,
    MethodScores,
    ReturnAggregates,
    ScoredDomain,
    TargetScores,
    TransferScores,
)
from darla.evaluation.transfer_config import TransferConfig
from darla.reports.tables.study import study_table


def estimate(value: float, seeds: int) -> Estimate:
    return Estimate(value, value - 1 if seeds > 1 else None, value + 1 if seeds > 1 else None)


def in_domain(value: float, seeds: int, success: float | None) -> DomainScores:
    return DomainScores(
        return_=estimate(value, seeds),
        return_by_seed={},
        length=1.0,
        truncated=0.0,
        collected_good=0.0,
        collected_bad=0.0,
        success=None if success is None else estimate(success, 1),
        success_within_policy=None,
        normalized=None,
        gap=None,
        retention=None,
    )


def transfer(folder: Path, targets: list[str], seeds: int, success: float | None = None) -> Artefact:
    domains = [
        ScoredDomain("source", "source", ""),
        ScoredDomain("validation", "validation", ""),
        *(ScoredDomain(name, "target", "visual") for name in targets),
    ]
    shares = None if success is None else estimate(success, 1)
    over = TargetScores(ReturnAggregates(estimate(12.5, seeds), estimate(1.0, seeds)), shares, None, None, None)
    darla = MethodScores(
        "DARLA",
        tuple(range(seeds)),
        None,
        few_seeds=seeds < 10,
        domains={domain.name: in_domain(10.0 + n, seeds, success) for n, domain in enumerate(domains)},
        over_targets=replace(over, retention=estimate(1.25, seeds)),
    )
    random = replace(darla, method="random", over_targets=over)
    anchors = Anchors(None, None, dict.fromkeys(domain.name for domain in domains))
    agents = tuple(AgentRecord("DARLA", seed, f"DARLA {seed}") for seed in range(seeds))
    scores = TransferScores(tuple(domains), anchors, (random, darla), (), "t", TransferConfig(), agents, {}, ())
    write_json(folder / "scores.json", to_json(scores))
    return Artefact(folder, "transfer", {}, {})


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    table = study_table({"conjunction": transfer(tmp_path, ["A in room 2"], 1)})
    assert "### conjunction" in table
    (row,) = [line for line in table.splitlines() if line.startswith("| DARLA")]
    assert [cell.strip() for cell in row.strip("|").split("|")] == ["DARLA", "10.00", "12.00", "1.25"]
    assert "A in room 2 (leak: visual)" in table
    assert "validation" not in table
    assert "mean of targets" not in table
    assert "one policy seed" in table


def test_several_seeds_and_targets(tmp_path: Path) -> None:
    table = study_table({"recolor": transfer(tmp_path, ["red", "blue"], 3)})
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
    assert "3 policy seeds, 95% intervals from resampling them (preliminary: too narrow with so few)." in table


def test_ten_seeds_are_not_preliminary(tmp_path: Path) -> None:
    table = study_table({"recolor": transfer(tmp_path, ["red"], 10)})
    assert table.endswith("10 policy seeds, 95% intervals from resampling them.")


def test_success_stands_beside_return(tmp_path: Path) -> None:
    table = study_table({"recolor": transfer(tmp_path, ["red", "blue"], 1, success=0.4)})
    (row,) = [line for line in table.splitlines() if line.startswith("| DARLA")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:5] == ["10.00, 40 %", "12.00, 40 %", "13.00, 40 %", "12.50, 40 %"]
    assert "share of successful episodes" in table
