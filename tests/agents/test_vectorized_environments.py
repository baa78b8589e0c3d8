"""Environments side by side: the same results for any number of workers, and errors a person can read."""

import os
import signal

import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from toy_images import ENV_ID, SIZE

from darla.agents import make_vec
from darla.common import InputError
from darla.common.errors import UserCodeError, WorkerDiedError
from darla.envs import EnvDomain


def trace(env, steps=30):
    """Return everything that a policy would see."""
    rng = np.random.default_rng(0)
    seen = [env.reset()]
    for _ in range(steps):
        images, rewards, dones, infos = env.step(rng.integers(3, size=env.num_envs))
        seen += [
            images,
            rewards,
            dones,
            *(info["terminal_observation"] for info, over in zip(infos, dones, strict=True) if over),
        ]
        seen += [np.array([info["episode"]["r"], info["episode"]["l"]]) for info in infos if "episode" in info]
    env.seed(99)
    seen.append(env.reset())
    env.close()
    return seen


def test_the_number_of_workers_does_not_change_results(columns):
    alone, shared = trace(make_vec(columns, 4, seed=7)), trace(make_vec(columns, 4, seed=7, workers=3))
    assert len(alone) == len(shared)
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one, other)


def test_environments_differ_and_seeds_decide(columns):
    first, again, other = (make_vec(columns, 3, seed=seed).reset() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_an_environment_keeps_its_episodes_when_others_are_added(columns):
    few, many = make_vec(columns, 2, seed=5), make_vec(columns, 5, seed=5)
    np.testing.assert_array_equal(few.reset(), many.reset()[:2])


def test_workers_answer_for_single_environments(columns):
    env = make_vec(columns, 4, seed=0, workers=2)
    try:
        assert env.env_is_wrapped(Monitor) == [True] * 4
        assert env.get_attr("render_mode", [3, 0]) == [None, None]
        env.set_attr("mark", 5, indices=3)
        assert env.get_attr("mark", 3) == [5]
        with pytest.raises(RuntimeError, match="has no attribute 'mark'"):
            env.get_attr("mark", 0)
    finally:
        env.close()
        env.close()


@pytest.mark.parametrize(
    ("variant", "workers", "message"),
    [
        ({"channels_first": True}, 1, "channels first"),
        ({"continuous": True, "bound": float("inf")}, 1, "finite bounds"),
        ({"continuous": True, "bound": float("inf")}, 2, "finite bounds"),
    ],
)
def test_an_environment_of_another_kind_is_refused_in_one_sentence(variant, workers, message):
    domain = EnvDomain("odd", ENV_ID, (variant,))
    with pytest.raises(InputError, match=message) as caught:
        make_vec(domain, 2, seed=0, workers=workers)
    assert "'odd'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_that_are_not_positive_are_refused(columns):
    with pytest.raises(InputError, match="at least 1"):
        make_vec(columns, 0, seed=0)
    with pytest.raises(InputError, match="at least 1"):
        make_vec(columns, 2, seed=0, workers=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_of_the_environment_is_named_as_that_with_its_line(workers):
    env = make_vec(EnvDomain("broken", ENV_ID, ({"crashes": True},)), 2, seed=0, workers=workers)
    env.reset()
    sentence = (
        r"^environment '.*Columns-v0' failed at step: ZeroDivisionError: the toy broke \(.*toy_images.py, line \d+"
    )
    with pytest.raises(UserCodeError, match=sentence) as caught:
        env.step(np.zeros(2, np.int64))
    env.close()
    assert "the toy broke" in str(caught.value.__cause__)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (signal.SIGSEGV, r"a segmentation fault \(SIGSEGV\): usually two native libraries"),
        (signal.SIGKILL, r"a kill \(SIGKILL\): usually by the system, for lack of memory"),
        (signal.SIGABRT, r"an abort \(SIGABRT\): a native library gave up"),
    ],
)
def test_the_death_of_a_worker_is_told(columns, number, sentence):
    env = make_vec(columns, 2, seed=0, workers=2)
    env.reset()
    os.kill(env._processes[1].pid, number)
    env._processes[1].join()
    with pytest.raises(WorkerDiedError, match=f"^environment worker 1 died of {sentence}"):
        env.step(np.zeros(2, np.int64))
    env.close()
    assert not any(process.is_alive() for process in env._processes)


def test_images_are_handed_out_as_copies(columns):
    env = make_vec(columns, 2, seed=0)
    first = env.reset()
    kept = first.copy()
    env.step(np.zeros(2, np.int64))
    np.testing.assert_array_equal(first, kept)
    assert first.shape == (2, SIZE, SIZE, 3)
