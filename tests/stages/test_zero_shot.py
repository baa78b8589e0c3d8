"""Zero-shot transfer: one table of episodes for all agents, whole or resumed; no agent has seen a target."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from short_rooms import hasty_agent, hasty_encoder, room, short_task

from darla.common import Artefact, InputError
from darla.envs import Domain, leak_level, make, tasks
from darla.evaluation.episode_records import read_episodes
from darla.evaluation.evaluated_agents import _check_unlabeled
from darla.evaluation.film_strips import paired_contexts
from darla.evaluation.jobs import EvaluationWorker, evaluation_domains
from darla.evaluation.score_types import TransferScores
from darla.reports.data import collect_artefacts
from darla.zero_shot import TransferConfig, transfer

CONFIG = TransferConfig(episodes=5, n_envs=2, snapshot_eval_episodes=3, strip_frames=3, resamples=100)


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("agents")
    return [("pixels", hasty_agent(folder / f"agent-{seed}", seed).folder) for seed in (0, 1)]


@pytest.fixture(scope="module")
def whole(agents: list[tuple[str, Path]], tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return transfer(short_task(), agents, tmp_path_factory.mktemp("whole") / "transfer", CONFIG)


def test_all_agents_and_the_random_one_are_measured_on_the_same_episodes(whole):
    rows = read_episodes(whole.folder / "episodes.csv")
    assert {(row.method, row.seed) for row in rows} == {("random", 0), ("pixels", 0), ("pixels", 1)}
    assert {row.domain: row.split for row in rows} == {
        "source": "source",
        "validation": "validation",
        "shown": "target",
        "new": "target",
    }
    for domain in ("source", "shown"):
        played = {
            method: [row.episode.seed for row in rows if (row.method, row.seed, row.domain) == (*method, domain)]
            for method in {(row.method, row.seed) for row in rows}
        }
        assert len({tuple(seeds) for seeds in played.values()}) == 1
        assert [len(seeds) for seeds in played.values()] == [5, 5, 5]


def test_leak_levels_are_those_of_the_task(whole):
    rows = read_episodes(whole.folder / "episodes.csv")
    assert {row.domain: row.leak for row in rows if row.split == "target"} == {
        name: leak_level(short_task(), name) for name in short_task().targets
    }
    assert {row.leak for row in rows if row.split != "target"} == {""}


def test_scores_follow_from_the_rows_alone(whole):
    rows = read_episodes(whole.folder / "episodes.csv")
    scores = TransferScores.load(whole.folder)
    for method in scores.methods:
        for name, domain in method.domains.items():
            returns = [row.episode.return_ for row in rows if (row.method, row.domain) == (method.method, name)]
            assert domain.return_.value == pytest.approx(np.mean(returns))
    assert scores.anchors.baseline == scores.settings.baseline == "pixels"
    assert list(scores.episode_seeds["new"]) == [row.episode.seed for row in rows if row.domain == "new"][:5]


def test_curves_run_over_the_snapshots_and_end_in_the_final_policy(whole):
    rows = read_episodes(whole.folder / "episodes.csv")
    with (whole.folder / "curves.csv").open() as file:
        curves = list(csv.DictReader(file))
    assert {row["domain"] for row in curves} == {"source", "shown", "new"}
    for seed in (0, 1):
        points = [row for row in curves if row["domain"] == "shown" and row["seed"] == str(seed)]
        assert [int(row["env_steps"]) for row in points] == [64, 128]
        first = [
            row.episode.return_ for row in rows if (row.method, row.seed, row.domain) == ("pixels", seed, "shown")
        ][:3]
        assert float(points[-1]["mean_return"]) == pytest.approx(np.mean(first))


def test_there_is_a_film_strip_for_each_method_and_target(whole):
    strips = TransferScores.load(whole.folder).strips
    assert [(strip.method, strip.target) for strip in strips] == [
        ("pixels", "shown"),
        ("pixels", "new"),
    ]
    for strip in strips:
        with Image.open(whole.folder / "strips" / strip.file) as image:
            assert image.mode == "RGBA"
        assert strip.source_episode.length == strip.target_episode.length == 12


def test_worker_processes_give_the_same_bytes(whole, agents, tmp_path):
    assert transfer(short_task(), agents, tmp_path / "two", CONFIG, workers=2).digest == whole.digest


@pytest.mark.slow
def test_agents_on_latents_are_evaluated_with_their_encoder(agents, tmp_path):
    encoder = hasty_encoder(tmp_path)
    seeing = [("DARLA", hasty_agent(tmp_path / f"agent-{seed}", seed, encoder=encoder).folder) for seed in (0, 1)]
    alone = transfer(short_task(), [*agents, *seeing], tmp_path / "one", CONFIG)
    assert transfer(short_task(), [*agents, *seeing], tmp_path / "two", CONFIG, workers=2).digest == alone.digest
    scores = TransferScores.load(alone.folder)
    assert {method.method: method.encoders for method in scores.methods} == {
        "random": None,
        "pixels": None,
        "DARLA": 1,
    }
    assert {entry.method for entry in scores.comparisons} == {"DARLA"}
    made = collect_artefacts([alone.folder])
    assert [each.digest for each in made.encoders] == [encoder.digest]
    assert len(made.agents) == 4
    assert len(made.frames) == 1


def test_an_interrupted_evaluation_goes_on_to_the_same_bytes(whole, agents, tmp_path, monkeypatch):
    play, played = EvaluationWorker.run, []

    def stop_after(limit: int):
        def until(self, job, progress=None):
            if len(played) == limit:
                raise KeyboardInterrupt
            played.append(job)
            play(self, job, progress)

        return until

    for limit in (3, 7):
        monkeypatch.setattr(EvaluationWorker, "run", stop_after(limit))
        with pytest.raises(KeyboardInterrupt):
            transfer(short_task(), agents, tmp_path / "out", CONFIG)
        assert not (tmp_path / "out" / "card.json").exists()
    monkeypatch.setattr(EvaluationWorker, "run", stop_after(1_000))
    resumed = transfer(short_task(), agents, tmp_path / "out", CONFIG)
    assert resumed.digest == whole.digest
    assert len(played) == len(set(played)) == 12 + 2
    assert not (resumed.folder / "checkpoint").exists()


def test_a_finished_evaluation_is_not_played_again(whole, agents, monkeypatch):
    monkeypatch.setattr(EvaluationWorker, "run", None)
    assert transfer(short_task(), agents, whole.folder, CONFIG).digest == whole.digest


def test_episodes_that_are_kept_are_played_once_for_all_who_ask_the_same(whole, agents, tmp_path, monkeypatch):
    """Whoever shares the agent, the domain and the plan; a task with one target more plays that target alone."""
    episodes, played = EvaluationWorker._episodes, []

    def counted(self, job, progress):
        played.append((job.agent, self._evaluation.domains[job.domain].name))
        return episodes(self, job, progress)

    monkeypatch.setattr(EvaluationWorker, "_episodes", counted)
    keep = tmp_path / "played"
    name = next(iter(short_task().targets))
    fewer = replace(
        short_task(), targets={other: domain for other, domain in short_task().targets.items() if other != name}
    )
    transfer(fewer, agents, tmp_path / "fewer", CONFIG, episode_cache=keep)
    assert len(played) == 3 * 3
    played.clear()
    shared = transfer(short_task(), agents, tmp_path / "all", CONFIG, episode_cache=keep)
    assert sorted(played) == [(number, name) for number in range(3)]
    assert shared.digest == whole.digest
    played.clear()
    transfer(short_task(), agents, tmp_path / "longer", replace(CONFIG, episodes=6), episode_cache=keep)
    assert len(played) == 3 * 4, "another plan is another question"


def test_agents_may_lie_elsewhere_when_the_evaluation_goes_on(whole, agents, tmp_path):
    moved = []
    for name, folder in agents:
        (tmp_path / folder.name).symlink_to(folder)
        moved.append((name, tmp_path / folder.name))
    assert transfer(short_task(), moved, whole.folder, CONFIG).digest == whole.digest


def test_contexts_for_choosing_encoders_are_played_apart_from_the_targets(tmp_path):
    task = replace(short_task(), selection=room("selection", 0.6))
    config = replace(CONFIG, splits=("source", "selection"), snapshot_eval_episodes=0, strip_frames=0, episodes=2)
    agent = hasty_agent(tmp_path / "agent", 4)
    result = transfer(task, [agent], tmp_path / "out", config)
    scores = TransferScores.load(result.folder)
    assert [domain.name for domain in scores.domains] == ["source", "selection"]
    assert scores.comparisons == ()
    assert {row.domain for row in read_episodes(result.folder / "episodes.csv")} == {"source", "selection"}


def test_an_agent_that_has_acted_in_a_target_is_refused(tmp_path):
    agent = hasty_agent(tmp_path / "agent", 0, room("source", 0.1, 0.3, 0.8))
    with pytest.raises(InputError, match="trained in the target 'new'"):
        transfer(short_task(), [agent], tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()


def test_an_agent_of_another_source_is_refused(tmp_path):
    agent = hasty_agent(tmp_path / "agent", 0, room("source", 0.1))
    with pytest.raises(InputError, match="not in the source of task 'short'"):
        transfer(short_task(), [agent], tmp_path / "out", CONFIG)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"baseline": "pixel"}, "did you mean 'pixels'"),
        ({"splits": ("target",)}, "must hold 'source'"),
        ({"splits": ("source", "selection")}, "has no selection contexts"),
        ({"splits": ("source", "tagret")}, "'tagret'"),
        ({"snapshot_eval_episodes": 6}, "must not exceed the 5 episodes"),
        ({"strip_frames": -1}, "must not be negative"),
        ({"confidence": 95.0}, "between 0 and 0.999999"),
        ({"confidence": 0.9999999999999999}, "between 0 and 0.999999"),
        ({"resamples": 10**7}, "between 1 and 1000000"),
    ],
)
def test_settings_that_mean_nothing_are_refused(change, sentence, agents, tmp_path):
    with pytest.raises(InputError, match=sentence):
        transfer(short_task(), agents, tmp_path / "out", replace(CONFIG, **change))
    assert not (tmp_path / "out").exists()


def test_few_episodes_need_no_other_setting(agents, tmp_path):
    config = TransferConfig(episodes=2, n_envs=2, splits=("source", "target"), strip_frames=0, resamples=50)
    few = transfer(short_task(), agents[:1], tmp_path / "out", config)
    assert TransferScores.load(few.folder).settings.snapshot_eval_episodes == 2
    with (few.folder / "curves.csv").open() as file:
        assert {row["episodes"] for row in csv.DictReader(file)} == {"2"}


def test_snapshots_have_eight_episodes_unless_there_are_fewer():
    default = TransferConfig()
    assert [replace(default, episodes=count).episodes_per_snapshot for count in (1, 8, 100)] == [1, 8, 8]
    assert TransferConfig(episodes=100, snapshot_eval_episodes=0).episodes_per_snapshot == 0


def test_agents_that_cannot_be_told_apart_are_refused(agents, tmp_path):
    with pytest.raises(InputError, match="two agents are called 'pixels' and have the seed 0"):
        transfer(short_task(), [agents[0], agents[0]], tmp_path / "out", CONFIG)
    with pytest.raises(InputError, match="reserved for the random agent"):
        transfer(short_task(), [("random", agents[0][1])], tmp_path / "out", CONFIG)
    with pytest.raises(InputError, match="no agent"):
        transfer(short_task(), [], tmp_path / "out", CONFIG)


def test_what_is_no_agent_is_refused(whole, tmp_path):
    with pytest.raises(InputError, match="'agent'"):
        transfer(short_task(), [whole.folder], tmp_path / "out", CONFIG)
    with pytest.raises(InputError, match="an 'agent' artefact is needed"):
        transfer(short_task(), [whole], tmp_path / "out", CONFIG)


def test_a_target_named_like_another_part_is_refused():
    task = replace(short_task(), targets={"validation": room("validation", 0.9)})
    with pytest.raises(InputError, match="another split"):
        evaluation_domains(task, ("source", "validation", "target"))


@pytest.fixture
def rooms() -> Iterator[list]:
    made: list = []
    yield made
    for env in made:
        env.close()


@pytest.mark.parametrize("name", ["conjunction", "recolor"])
def test_film_strips_show_the_same_start_in_both_domains(name, rooms):
    task = tasks.get(name)
    for target, domain in task.targets.items():
        here, there = paired_contexts(task.source, domain, 2017, target)
        assert here["object_set"] == there["object_set"]
        assert here != there
        starts = []
        # Both in the source's environment: the layout is drawn after the context, from the same generator.
        for look in (here, there):
            env = make(task.source)
            rooms.append(env)
            _, info = env.reset(seed=5, options={"context": look})
            starts.append(json.dumps(info["state"]))
        assert starts[0] == starts[1]


def test_selection_contexts_of_the_builtin_tasks_can_be_played():
    names = [domain.name for domain in evaluation_domains(tasks.get("conjunction"), ("source", "selection", "target"))]
    assert names[:2] == ["source", "selection"]
    assert isinstance(tasks.get("conjunction").selection, Domain)


def test_an_encoder_that_has_seen_another_unlabeled_domain_is_refused(tmp_path):
    """The leak level is computed from the task's D_U, so the encoder must have seen that one and no other."""
    task = tasks.get("unseen")
    looks = task.unlabeled.with_looks(3, np.random.default_rng(0))
    for seen, fits in ((task.unlabeled, True), (looks, True), (tasks.get("sim2sim").unlabeled, False)):
        encoder = Artefact(tmp_path, "encoder", {}, {"extra": {"domain": seen.to_dict()}})
        if fits:
            _check_unlabeled(task, tmp_path / "agent", encoder)
        else:
            with pytest.raises(InputError, match="another unlabeled domain than that of task 'unseen'"):
                _check_unlabeled(task, tmp_path / "agent", encoder)
