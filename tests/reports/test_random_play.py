"""A report does not praise what does not beat random play, and its tables say the same."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from made_up_run import METHODS, make_transfer, usual_level

from darla.analysis.encoder_correlation import CorrelationResult, EncoderRecord
from darla.analysis.study_scores import study_rows
from darla.common import InputError
from darla.envs import tasks
from darla.evaluation.score_types import ALL_TARGETS, TransferScores
from darla.reports.data import ReportData, TransferData
from darla.reports.sections.transfer_causes import who_learned
from darla.reports.tables.paper import return_table
from darla.reports.tables.study import study_table
from darla.reports.tables.transfer import aggregate_table, comparison_table, score_table
from darla.write_report import report
from darla.zero_shot import TransferResult

PIXELS, BETA = METHODS[1], METHODS[2]


def at_random(method: str, split: str) -> float:
    return 5.0


def one_at_random(method: str, split: str) -> float:
    return -2.0 if method == BETA else usual_level(method, split)


def numbers(text: str) -> list[str]:
    return [line for line in text.splitlines() if "×" in line or "times the return" in line]


@pytest.mark.parametrize("seeds", [1, 3])
def test_where_nothing_beats_random_play_the_report_says_so_and_praises_nothing(seeds: int, tmp_path: Path) -> None:
    made = make_transfer(tmp_path / "transfer", "recolor", {}, seeds, lambda method, split: 4.0 + (method == "random"))
    page = report(made, tmp_path / "report")
    text = (page.folder / "report.md").read_text()
    assert "No agent beats random play in the source" in text
    assert numbers(text) == []
    assert "of its return in the source" not in text
    scores = TransferScores.load(made.folder)
    assert {row[-1].text for row in score_table(scores).rows} == {"–"}
    assert "No agent beats random play" in study_table({"recolor": made})
    assert aggregate_table(scores) is None  # by the return of a baseline that learned nothing


def test_a_method_that_does_not_beat_random_play_is_named_and_has_no_retention(tmp_path: Path) -> None:
    made = make_transfer(tmp_path / "transfer", "recolor", {}, 3, one_at_random)
    scores = TransferScores.load(made.folder)
    retention = {row[0].text: row[-1].text for row in score_table(scores).rows}
    assert retention[BETA] == "–"
    assert retention[PIXELS] != "–"
    table = comparison_table(scores)
    assert table is not None
    ratios = {row[0].text: row[3].text for row in table.rows if row[0].text}
    assert ratios[BETA] == "–"
    assert "×" in ratios[METHODS[3]]
    text = (report(made, tmp_path / "report").folder / "report.md").read_text()
    assert f"{BETA}: no better than random play in the source" in text
    [finding] = [line for line in text.splitlines() if line.startswith(f"- **{BETA}** returns")]
    assert "no more than random play there" in finding


def test_an_agent_that_beats_random_play_by_chance_only_does_not_count(tmp_path: Path) -> None:
    made = make_transfer(tmp_path / "transfer", "recolor", {}, 3, at_random)
    scores = TransferScores.load(made.folder)
    for method in scores.methods[1:]:
        returns = method.domains["source"].return_
        above = returns.low is not None and returns.low > scores.anchors.random_return["source"]
        assert scores.beats_random(method) == above


def test_a_method_that_one_seed_of_three_learned_is_said_to_keep_nothing(tmp_path: Path) -> None:
    domains = 1 + len(tasks.get("recolor").targets)
    levels = cycle([level for level in (0.6, 7.6, 5.1) for _ in range(domains)])  # one seed after the other

    def by_seed(method: str, split: str) -> float:
        return next(levels) if method == BETA else usual_level(method, split)

    made = make_transfer(tmp_path / "transfer", "recolor", {}, 3, by_seed)
    text = (report(made, tmp_path / "report").folder / "report.md").read_text()
    assert f"**{BETA}** by no more than chance" in text
    [finding] = [line for line in text.splitlines() if line.startswith(f"- **{BETA}** returns")]
    assert "of its return in the source" not in finding
    assert "times the return" not in finding


def test_bold_is_for_what_beats_random_play(tmp_path: Path) -> None:
    good = make_transfer(tmp_path / "good", "recolor", {})
    weak = make_transfer(tmp_path / "weak", "recolor", {}, 3, lambda method, split: 4.0 + (method == "random"))
    assert "**" in str(return_table(study_rows({"recolor": good})).rows)
    assert "**" not in str(return_table(study_rows({"recolor": weak})).rows)


@pytest.mark.parametrize(
    ("level", "says"),
    [
        (usual_level, ""),
        (at_random, "**No policy on these encoders beats random play in the source"),
        (one_at_random, "On 1 of the 2 encoders no policy beats random play in the source"),
    ],
)
def test_ranks_of_encoders_whose_policies_learned_nothing_are_said_to_mean_nothing(
    level: Callable[[str, str], float], says: str, tmp_path: Path
) -> None:
    digests = {"beta-4": "0" * 64, "dae": "1" * 64}
    made = make_transfer(tmp_path / "transfer", "recolor", digests, 7, level)
    assert {agent.encoder for agent in TransferScores.load(made.folder).agents} == {None, *digests.values()}
    encoders = tuple(EncoderRecord(name, 0, digest, 7, {}, {}) for name, digest in digests.items())
    result = CorrelationResult(0.95, "ppo", encoders, ())
    said = who_learned(result, ReportData(transfers=[TransferData(made)]))
    assert said.startswith(says) if says else not said
    assert not who_learned(result, ReportData())  # nothing is known of their policies


def test_two_tables_give_one_p_value_for_one_comparison(tmp_path: Path) -> None:
    made = make_transfer(tmp_path / "transfer", "conjunction", {}, 7)
    rows = {row.method: row for row in study_rows({"conjunction": made}) if row.split == "targets"}
    over_all = [entry for entry in TransferScores.load(made.folder).comparisons if entry.domain == ALL_TARGETS]
    single = [entry for entry in TransferScores.load(made.folder).comparisons if entry.domain != ALL_TARGETS]
    for entry in over_all or single:
        assert entry.p_value_holm == pytest.approx(rows[entry.method].p_value_holm)
        assert entry.p_value == pytest.approx(rows[entry.method].p_value)


def test_the_introduction_speaks_of_encoders_only_where_there_are_any(tmp_path: Path) -> None:
    without = make_transfer(tmp_path / "without", "recolor", {})
    text = (report(without, tmp_path / "report").folder / "report.md").read_text()
    assert "They were trained in the source alone." in text
    assert "Encoders were trained" not in text


def test_a_transfer_shows_its_table_and_gives_its_rows(tmp_path: Path) -> None:
    made = TransferResult.open(make_transfer(tmp_path / "transfer", "recolor", {}, 3, one_at_random).folder)
    shown = repr(made)
    assert shown.endswith(str(made.folder))
    for method in METHODS:
        assert method in shown
    assert "no better than random play" in shown
    rows = made.rows()
    assert [row["method"] for row in rows if row["domain"] == "source"] == list(METHODS)
    by_place = {(row["method"], row["split"]): row for row in rows}
    assert by_place[BETA, "target"]["retention"] is None
    assert by_place[PIXELS, "target"]["retention"] == pytest.approx(
        by_place[PIXELS, "target"]["return"] / by_place[PIXELS, "source"]["return"]
    )
    assert by_place["random", "source"]["return_low"] is None


def test_a_transfer_is_a_data_frame_where_pandas_is_installed(tmp_path: Path) -> None:
    made = TransferResult.open(make_transfer(tmp_path / "transfer", "recolor", {}).folder)
    pandas = pytest.importorskip("pandas")
    frame = made.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == len(made.rows())


def test_without_pandas_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = TransferResult.open(make_transfer(tmp_path / "transfer", "recolor", {}).folder)
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        made.to_pandas()
