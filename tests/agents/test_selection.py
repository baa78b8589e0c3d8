"""Which snapshot becomes the policy: the last, or the best on the source validation split."""

import csv

import pytest
from toy_images import ENV_ID, SIZE
from toy_training import short

from darla.agents import Agent, make_vec, train_agent
from darla.agents.training.snapshot_selection import SnapshotScore, best, returns_of
from darla.common import InputError
from darla.envs import EnvDomain


@pytest.fixture
def validation():
    return EnvDomain("validation", ENV_ID, ({"size": SIZE},))


def test_the_best_snapshot_on_the_validation_split_becomes_the_policy(columns, validation, encoder_folder, tmp_path):
    config = short(selection="validation", validation_episodes=5)
    train_agent(config, columns, encoder_folder, tmp_path / "agent", seed=1, validation=validation)
    with (tmp_path / "agent/validation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["episodes"]) for row in rows] == [5] * len(rows)
    chosen = max(rows, key=lambda row: (float(row["mean_return"]), int(row["env_steps"])))
    snapshot = tmp_path / f"agent/snapshots/{int(chosen['snapshot']):02d}.safetensors"
    assert (tmp_path / "agent/policy.safetensors").read_bytes() == snapshot.read_bytes()
    assert Agent.load(tmp_path / "agent").description.env_steps == int(chosen["env_steps"])


def test_of_equal_snapshots_the_one_trained_longest_is_chosen():
    scores = [SnapshotScore(1, 10, 2.0, 5), SnapshotScore(2, 20, 3.0, 5), SnapshotScore(3, 30, 3.0, 5)]
    assert best(scores).snapshot == 3


def test_selection_without_its_split_and_a_split_without_selection_are_refused(columns, validation, tmp_path):
    with pytest.raises(InputError, match="needs the source validation split"):
        train_agent(short(selection="validation"), columns, None, tmp_path / "agent", seed=1)
    with pytest.raises(InputError, match="would be ignored"):
        train_agent(short(), columns, None, tmp_path / "agent", seed=1, validation=validation)


def test_every_episode_has_its_own_seed_and_each_is_played_once(columns):
    class Seer:
        """Names the bright column, by looking."""

        n_actions = 3

        def reset(self, n):
            self.batches = [*getattr(self, "batches", []), n]

        def restart(self, indices):
            pass

        def act(self, observations, deterministic, rng, infos=None):
            return observations[:, 0, 8::16].sum(axis=-1).argmax(axis=1)

    seer = Seer()
    returns = returns_of(seer, make_vec(columns, 8), seeds=list(range(11)), seed=0)
    assert returns == [12.0] * 11
    assert seer.batches == [8, 8]
