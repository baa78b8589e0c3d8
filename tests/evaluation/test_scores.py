"""Scores: what follows from a table of episodes, and what cannot be said."""

from dataclasses import replace

import numpy as np
import pytest

from darla.common import InputError
from darla.evaluation.episode_records import Episode, EpisodeRecord, mean_returns, read_episodes, write_episodes
from darla.evaluation.scores import score
from darla.evaluation.transfer_config import Resampling

FEW = Resampling(resamples=500)
DOMAINS = {"source": ("source", ""), "one": ("target", "visual"), "two": ("target", "none")}


def rows(returns: dict[str, dict[int, tuple[float, ...]]], success: bool | None = None) -> list[EpisodeRecord]:
    """Two episodes in each domain, half a point above and below the mean return that is given."""
    return [
        EpisodeRecord(
            method=method,
            seed=seed,
            agent=f"{method} {seed}",
            domain=domain,
            split=split,
            leak=leak,
            episode=Episode(
                number=number,
                seed=number,
                return_=mean + sign,
                length=10,
                success=success,
                truncated=True,
                collected_good=1,
                collected_bad=0,
            ),
        )
        for method, seeds in returns.items()
        for seed, means in seeds.items()
        for (domain, (split, leak)), mean in zip(DOMAINS.items(), means, strict=True)
        for number, sign in enumerate((-0.5, 0.5))
    ]


RETURNS = {
    "random": {0: (0.0, 1.0, 0.0)},
    "pixels": {0: (10.0, 2.0, 4.0), 1: (12.0, 1.0, 3.0)},
    "DARLA": {0: (10.0, 8.0, 9.0), 1: (10.0, 7.0, 10.0)},
}
ENCODERS = {"DARLA 0": "e0", "DARLA 1": "e1"}


def scored(returns=RETURNS, encoders=ENCODERS, baseline="pixels", **more):
    return score(rows(returns, **more), encoders, baseline=baseline, resampling=FEW)


def method(scores, name):
    return next(entry for entry in scores.methods if entry.method == name)


def test_return_gap_and_retention_are_measured_against_the_own_source():
    one = method(scored(), "DARLA").domains["one"]
    assert one.return_.value == 7.5
    assert one.return_by_seed == {"0": 8.0, "1": 7.0}
    assert one.gap.value == 2.5
    assert one.retention.value == 0.75
    over = method(scored(), "pixels").over_targets
    assert over.return_.mean.value == 2.5
    assert over.return_.worst.value == 1.5
    assert over.retention.value == pytest.approx(2.5 / 11)


def test_normalized_score_is_0_for_the_random_agent_there_and_1_for_the_baseline_in_the_source():
    scores = scored()
    assert scores.anchors.reference_return == 11.0
    assert method(scores, "random").domains["one"].normalized.value == 0.0
    assert method(scores, "pixels").domains["source"].normalized.value == 1.0
    assert method(scores, "DARLA").domains["one"].normalized.value == pytest.approx(6.5 / 10)
    assert method(scores, "DARLA").over_targets.normalized.optimality_gap.value == pytest.approx(
        1 - np.mean([7 / 10, 6 / 10, 9 / 11, 10 / 11])
    )


def test_methods_are_compared_with_the_baseline_in_each_target_and_over_all():
    scores = scored()
    assert [entry.domain for entry in scores.comparisons] == ["one", "two", "all targets"]
    together = scores.comparisons[-1]
    assert together.difference.value == 6.0
    assert together.ratio.value == pytest.approx(8.5 / 2.5)
    assert together.improvement.value == 1.0
    assert together.paired
    assert {entry.method for entry in scores.comparisons} == {"DARLA"}


def test_methods_with_other_seeds_are_not_paired():
    returns = {**RETURNS, "DARLA": {5: (10.0, 8.0, 9.0), 6: (10.0, 7.0, 10.0)}}
    scores = scored(returns, {"DARLA 5": "e0", "DARLA 6": "e1"})
    assert not any(entry.paired for entry in scores.comparisons)


def test_policies_on_one_encoder_count_as_one_sample_of_encoders():
    shared = method(scored(encoders={"DARLA 0": "e", "DARLA 1": "e"}), "DARLA")
    assert (shared.encoders, shared.seeds) == (1, (0, 1))
    entries = scored(encoders={"DARLA 0": "e", "DARLA 1": "e"}).comparisons
    assert {entry.independent for entry in entries} == {1}
    assert {entry.independent for entry in scored().comparisons} == {2}
    assert method(scored(), "pixels").encoders is None


def test_a_baseline_that_did_not_learn_normalizes_nothing():
    returns = {**RETURNS, "pixels": {0: (0.0, 2.0, 4.0), 1: (0.0, 1.0, 3.0)}}
    scores = scored(returns)
    assert method(scores, "DARLA").domains["source"].normalized is None
    assert method(scores, "DARLA").over_targets.normalized is None
    assert method(scores, "pixels").domains["one"].retention is None
    assert method(scores, "DARLA").domains["one"].retention.value == 0.75


def test_without_a_baseline_nothing_is_compared():
    scores = scored(baseline=None)
    assert scores.comparisons == ()
    assert method(scores, "DARLA").domains["one"].normalized is None


def test_success_is_said_only_where_the_environment_says_it():
    assert method(scored(), "DARLA").domains["one"].success is None
    scores = method(scored(success=True), "DARLA")
    one = scores.domains["one"]
    assert one.success.value == scores.over_targets.success.value == 1.0
    assert one.success_within_policy["0"].scope == "within-policy"
    assert one.success_within_policy["0"].low < 0.9


def test_a_table_with_a_hole_is_refused():
    table = rows(RETURNS)
    with pytest.raises(InputError, match="DARLA, seed 1, has 1 of 2 episodes in 'two'"):
        mean_returns(table[:-1], {})
    with pytest.raises(InputError, match="exactly one source"):
        score([row for row in table if row.split == "target"], {}, baseline=None)
    with pytest.raises(InputError, match="'oracle' was not evaluated"):
        score(table, {}, baseline="oracle")


@pytest.mark.parametrize("success", [True, False, None])
def test_rows_are_read_as_they_were_written(success, tmp_path):
    table = [replace(row, method='"DARLA", β = 4') for row in rows(RETURNS, success=success)]
    write_episodes(tmp_path / "episodes.csv", table)
    assert read_episodes(tmp_path / "episodes.csv") == table


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "method,seed\nDARLA,zero\n"])
def test_another_table_is_refused(text, tmp_path):
    path = tmp_path / "episodes.csv"
    path.write_text(text)
    if text:
        with pytest.raises(InputError, match=r"episodes\.csv is damaged"):
            read_episodes(path)
    with pytest.raises(InputError, match="could not read"):
        read_episodes(tmp_path / "nowhere.csv")
