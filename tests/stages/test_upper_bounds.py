"""Agents that have acted elsewhere than in the source: they take part, and their own leak levels stand beside them."""

from dataclasses import replace

import pytest
from short_rooms import hasty_agent, short_task

from darla.agents import ActConfig, PPOSettings
from darla.common import InputError
from darla.envs import leak_level
from darla.evaluation.episode_records import read_episodes
from darla.evaluation.evaluated_agents import load_agents
from darla.evaluation.score_types import TransferScores
from darla.learn_to_act import act
from darla.reports.tables.study import study_table
from darla.reports.tables.transfer import leak_notes
from darla.zero_shot import TransferConfig, transfer

CONFIG = TransferConfig(episodes=2, n_envs=2, snapshot_eval_episodes=0, strip_frames=0, resamples=50)
HASTY = ActConfig(
    env_steps=128,
    snapshots=1,
    checkpoint_interval=64,
    settings=PPOSettings(n_envs=2, n_steps=32, batch_size=32, n_epochs=1),
)
ELSEWHERE = {"randomized": "unlabeled", "on the targets": "targets"}


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    made = {
        name: act(short_task(), folder / where, replace(HASTY, train_domain=where)) for name, where in ELSEWHERE.items()
    }
    return {**made, "end to end": act(short_task(), folder / "plain", HASTY)}


@pytest.fixture(scope="module")
def played(agents, tmp_path_factory):
    return transfer(short_task(), list(agents.items()), tmp_path_factory.mktemp("played") / "transfer", CONFIG)


def test_agents_act_where_their_configuration_says(agents):
    task = short_task()
    for name, where in ELSEWHERE.items():
        assert agents[name].config["source"] == task.training_domain(where).to_dict()
    assert agents["end to end"].config["source"] == task.source.to_dict()
    assert agents["end to end"].config["act"]["train_domain"] == "source"


def test_every_row_has_the_leak_level_of_its_own_agent(played):
    task = short_task()
    for row in read_episodes(played.folder / "episodes.csv"):
        expected = leak_level(task, row.domain, ELSEWHERE.get(row.method, "source")) if row.split == "target" else ""
        assert row.leak == expected
    leaks = {(row.method, row.domain): row.leak for row in read_episodes(played.folder / "episodes.csv")}
    assert leaks["end to end", "shown"] == "visual"
    assert leaks["randomized", "shown"] == leaks["on the targets", "shown"] == leaks["on the targets", "new"] == "full"
    assert leaks["randomized", "new"] == "none"


def test_scores_and_tables_say_which_methods_have_met_more_than_the_others(played):
    scores = TransferScores.load(played.folder)
    assert [domain.leak for domain in scores.domains if domain.split == "target"] == ["visual", "none"]
    own = {method.method: method.leaks for method in scores.methods if method.leaks}
    assert own == {"randomized": {"shown": "full"}, "on the targets": {"shown": "full", "new": "full"}}
    notes = leak_notes(scores)
    assert "randomized was trained in the unlabeled domain D_U; its leak level is *full* in shown." in notes
    assert all(note in study_table({"short": played}) for note in notes)


def test_the_baseline_is_the_method_that_was_told_nothing_more(played):
    assert played.config["transfer"]["baseline"] == "end to end"


def test_an_agent_that_acted_in_the_targets_of_another_task_is_refused(agents):
    task = short_task()
    fewer = replace(task, targets={"new": task.targets["new"]})
    with pytest.raises(InputError, match="trained in the targets of another task"):
        load_agents(fewer, [agents["on the targets"]])
    other = replace(task, unlabeled=task.source)
    with pytest.raises(InputError, match="trained in the unlabeled domain of another task"):
        load_agents(other, [agents["randomized"]])


def test_acting_in_a_target_by_another_name_is_refused_as_before(tmp_path):
    sneaky = hasty_agent(tmp_path / "agent", 0, domain=short_task().targets["new"])
    with pytest.raises(InputError, match="trained in the target 'new'"):
        load_agents(short_task(), [sneaky])


def test_agents_of_one_method_were_told_the_same(agents, tmp_path):
    other = act(short_task(), tmp_path / "agent", HASTY, seed=1)
    with pytest.raises(InputError, match="agents called 'one' differ in train_domain: 'source' and 'targets'"):
        load_agents(short_task(), [("one", other), ("one", agents["on the targets"])])


def test_the_validation_split_chooses_no_policy_that_did_not_learn_in_the_source():
    with pytest.raises(InputError, match="this policy trains in 'targets'"):
        ActConfig(train_domain="targets", selection="validation")
