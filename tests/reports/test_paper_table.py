"""A study's table in the paper's layout: each learner against its own end-to-end agent, in every form."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darla.analysis.study_scores import baselines, study_rows
from darla.common import Artefact, complete_artefact, start_artefact
from darla.common.files import write_json
from darla.common.json_records import to_json
from darla.evaluation.aggregates import holm, iqm
from darla.evaluation.bootstrap import bootstrap, compare
from darla.evaluation.episode_records import Episode, EpisodeRecord, read_episodes, write_episodes
from darla.evaluation.performance_profiles import profiles
from darla.evaluation.score_types import AgentRecord, TransferScores
from darla.evaluation.scores import score
from darla.evaluation.transfer_config import Resampling, TransferConfig
from darla.reports.figures.profiles import profile_figure
from darla.reports.figures.style import PALETTE, styles
from darla.reports.tables.paper import difference_table, return_table, write_paper_table

LEVELS = {"random": 0.0, "end to end": 4.0, "DARLA": 8.0, "end to end (DQN)": 3.0, "DARLA (DQN)": 5.0, "ceiling": 9.0}
TARGETS = ("near", "far")
SEEDS = 7


def transfer(folder: Path, seeds: int = SEEDS, success=lambda level: None) -> Artefact:
    """Write a transfer whose returns are drawn around a level for each method; policies are good or bad as a whole."""
    rng = np.random.default_rng(2)
    agents, rows = [], []
    for method, level in LEVELS.items():
        algorithm = "random" if method == "random" else "dqn" if "DQN" in method else "ppo"
        encoder = "DARLA" in method
        for seed in range(1 if method == "random" else seeds):
            agents.append(
                AgentRecord(
                    method=method,
                    seed=seed,
                    digest=f"{method} {seed}",
                    encoder=f"encoder {seed // 2}" if encoder else None,
                    algorithm=algorithm,
                    train_domain="targets" if method == "ceiling" else "source",
                )
            )
            own = rng.normal(0, 1)
            for domain in ("source", *TARGETS):
                split = "source" if domain == "source" else "target"
                rows += [
                    EpisodeRecord(
                        method,
                        seed,
                        f"{method} {seed}",
                        domain,
                        split,
                        "" if split == "source" else "visual",
                        Episode(
                            number,
                            number,
                            level + own + (3 if split == "source" else 0) + rng.normal(0, 0.5),
                            150,
                            success(level),
                            True,
                            0,
                            0,
                        ),
                    )
                    for number in range(3)
                ]
    domain = {"name": "source"}
    record = {"task": {"name": "t", "source": domain, "unlabeled": domain, "targets": {}}, "transfer": {}}
    start_artefact(folder, "transfer", record)
    encoders = {agent.digest: agent.encoder for agent in agents}
    scores = score(rows, encoders, baseline="end to end", resampling=Resampling(200))
    settings = TransferConfig(resamples=500, evaluation_seed=3)
    content = TransferScores(
        **vars(scores), task="t", agents=tuple(agents), settings=settings, episode_seeds={}, strips=()
    )
    write_json(folder / "scores.json", to_json(content))
    write_episodes(folder / "episodes.csv", rows)
    return complete_artefact(folder, "transfer", record, seed=0, inputs={}, wall_seconds=1.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return transfer(tmp_path_factory.mktemp("transfer") / "t")


@pytest.fixture(scope="module")
def rows(made):
    return {(row.method, row.domain): row for row in study_rows({"t": made})}


def test_a_learner_is_compared_with_its_own_end_to_end_agent(made, rows):
    assert baselines(TransferScores.load(made.folder)) == {"ppo": "end to end", "dqn": "end to end (DQN)"}
    assert rows["DARLA (DQN)", "all targets"].baseline == "end to end (DQN)"
    assert rows["DARLA", "near"].baseline == "end to end"
    for method in ("random", "end to end", "end to end (DQN)"):
        assert rows[method, "all targets"].baseline is None
        assert rows[method, "all targets"].difference is None


def test_numbers_are_those_of_the_statistics(made, rows):
    episodes = read_episodes(made.folder / "episodes.csv")

    def returns(method):
        return np.array(
            [
                [
                    np.mean(
                        [e.episode.return_ for e in episodes if (e.method, e.seed, e.domain) == (method, seed, target)]
                    )
                    for target in TARGETS
                ]
                for seed in range(SEEDS)
            ]
        )

    encoders = [seed // 2 for seed in range(SEEDS)]
    row = rows["DARLA", "all targets"]
    known = bootstrap(returns("DARLA"), encoders=encoders, resamples=500, seed=3)
    assert (row.mean, row.mean_low, row.mean_high) == pytest.approx((known.value, known.low, known.high))
    assert row.iqm == pytest.approx(float(iqm(returns("DARLA"))))
    assert (row.seeds, row.encoders, row.preliminary) == (SEEDS, 4, True)
    pair = compare(
        returns("DARLA"), returns("end to end"), paired=True, encoders=(encoders, None), resamples=500, seed=3
    )
    assert (row.difference, row.difference_low, row.difference_high) == pytest.approx(
        (pair.difference.value, pair.difference.low, pair.difference.high)
    )
    assert row.p_value == pytest.approx(pair.p_value)
    assert row.paired


def test_p_values_are_adjusted_over_the_targets_and_methods_of_a_learner(rows):
    family = [rows[method, target] for method in ("DARLA", "ceiling") for target in TARGETS]
    assert [row.p_value_holm for row in family] == pytest.approx(list(holm([row.p_value for row in family])))
    alone = rows["DARLA (DQN)", "all targets"]
    assert alone.p_value_holm == alone.p_value


def test_the_table_has_the_papers_layout(rows):
    table = return_table(list(rows.values()))
    assert [cell.text for cell in table.header] == ["vision", "t, PPO", "t, DQN"]
    assert table.header[1].detail == "leak: visual"
    assert [row[0].text for row in table.rows] == ["random", "end to end", "DARLA", "ceiling"]
    assert table.rows[0][1] == table.rows[0][2]  # the random agent has no learner
    assert table.rows[3][2].text == "–"


def test_the_best_of_a_column_is_bold_and_no_bound_is(rows):
    table = return_table(list(rows.values()))
    bold = {(row[0].text, place) for row in table.rows for place, cell in enumerate(row) if cell.text.startswith("**")}
    assert bold == {("DARLA", 1), ("DARLA", 2)}
    assert any("upper bounds are never bold: ceiling" in note for note in table.notes)


def test_the_only_method_of_a_column_is_the_best_of_nothing_and_bold_is_not_spoken_of(rows):
    alone = [row for row in rows.values() if row.method in ("random", "DARLA")]
    table = return_table(alone)
    assert "**" not in str(table.rows)
    assert not any("Bold" in note for note in table.notes)


def test_who_beats_random_play_by_chance_only_is_the_best_of_nothing(rows):
    assert all(row.above_random for row in rows.values())
    lucky = [replace(row, above_random=row.method != "DARLA") for row in rows.values()]
    assert [row[0].text for row in return_table(lucky).rows if row[1].text.startswith("**")] == ["end to end"]


def test_what_did_not_learn_the_source_is_the_best_of_nothing(rows):
    assert all(row.learned for row in rows.values())
    unlearned = [replace(row, learned=row.method != "DARLA") for row in rows.values()]
    table = return_table(unlearned)
    assert [row[0].text for row in table.rows if row[1].text.startswith("**")] == ["end to end"]
    assert "beats random play there and in the source" in table.notes[1]


def test_success_stands_beside_return_where_there_is_any(rows, tmp_path):
    (random, *_, ceiling) = return_table(study_rows({"t": transfer(tmp_path / "t", 2, lambda level: level > 5)})).rows
    assert random[1].detail == "0 %"
    assert ceiling[1].detail.endswith("] 100 %") or ceiling[1].detail.endswith("]† 100 %")
    assert "%" not in return_table(list(rows.values())).markdown()


def test_few_seeds_are_called_preliminary_and_ten_are_not(rows):
    table = return_table(list(rows.values()))
    assert any(note.startswith("**Preliminary**") for note in table.notes)
    assert "†" in table.rows[2][1].detail
    enough = return_table([replace(row, preliminary=False) for row in rows.values()])
    assert not any("Preliminary" in note for note in enough.notes)
    assert "†" not in enough.markdown()


def test_differences_have_p_values_where_a_test_can_say_anything(rows, tmp_path):
    table = difference_table(list(rows.values()))
    assert "random" not in [row[0].text for row in table.rows]
    assert table.rows[1][1].text.startswith("+")
    assert " p " in table.rows[2][1].detail  # the ceiling has seven independent seeds
    few = difference_table(study_rows({"t": transfer(tmp_path / "few", seeds=3)}))
    assert " p " not in few.markdown()


def test_every_form_is_written(made, tmp_path):
    text = write_paper_table({"t": made, "u": made}, tmp_path)
    assert (tmp_path / "paper-table.md").read_text() == text
    assert "t, PPO" in text
    assert "u, DQN" in text
    latex = (tmp_path / "paper-table.tex").read_text()
    assert latex.count(r"\begin{tabular}{lrrrr}") == 2
    with (tmp_path / "scores.csv").open() as file:
        result = list(csv.DictReader(file))
    assert len(result) == 2 * len(LEVELS) * 4
    assert {row["learner"] for row in result} == {"random", "PPO", "DQN"}
    darla = next(row for row in result if (row["method"], row["domain"]) == ("DARLA", "all targets"))
    assert float(darla["mean_low"]) < float(darla["mean"]) < float(darla["mean_high"])


def test_profiles_fall_from_one_to_none_and_the_better_method_is_above(made):
    scores = TransferScores.load(made.folder)
    result = {profile.method: profile for profile in profiles(scores, read_episodes(made.folder / "episodes.csv"))}
    for profile in result.values():
        assert (profile.share[0], profile.share[-1]) == (1.0, 0.0)
        assert (np.diff(profile.share) <= 0).all()
    assert (result["DARLA"].share >= result["end to end (DQN)"].share).all()
    assert result["random"].low is None
    assert (result["DARLA"].low <= result["DARLA"].share).all()
    assert (result["DARLA"].share <= result["DARLA"].high).all()
    figure = profile_figure(list(result.values()), scores)
    assert len(figure.axes[0].lines) == len(LEVELS) - 1 + 2  # all but the random agent, and the levels 0 and 1


def test_many_methods_keep_looks_of_their_own():
    many = [f"method {number}" for number in range(36)]
    assert len(set(styles(many, None).values())) == len(many)
    assert styles(many[:2], None)["method 0"] == (PALETTE[2], "o")
