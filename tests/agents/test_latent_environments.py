"""Codes in place of images: one batch a step, last images of episodes included."""

import numpy as np
import pytest
from gymnasium import spaces
from toy_images import ENV_ID, SIZE
from toy_training import BatchNormalized

from darla.agents import FrozenEncoder, LatentVecEnv, make_vec
from darla.common import InputError
from darla.envs import EnvDomain


@pytest.mark.parametrize("ends", ["truncated", "terminated"])
def test_the_last_image_of_an_episode_is_encoded(ends):
    domain = EnvDomain("columns", ENV_ID, ({"ends": ends, "length": 5},))
    encoder = FrozenEncoder(BatchNormalized())
    plain, latent = make_vec(domain, 3, seed=4), LatentVecEnv(make_vec(domain, 3, seed=4), encoder)
    np.testing.assert_allclose(latent.reset(), encoder.encode(plain.reset()), atol=1e-5)
    ended = 0
    for _ in range(11):
        actions = np.array([0, 1, 2])
        images, rewards, dones, infos = plain.step(actions)
        codes, same_rewards, same_dones, latent_infos = latent.step(actions)
        np.testing.assert_allclose(codes, encoder.encode(images), atol=1e-5)
        np.testing.assert_array_equal(rewards, same_rewards)
        np.testing.assert_array_equal(dones, same_dones)
        for index in np.flatnonzero(dones):
            ended += 1
            last = infos[index]["terminal_observation"]
            code = latent_infos[index]["terminal_observation"]
            np.testing.assert_allclose(code, encoder.encode(last[None])[0], atol=1e-5)
            assert not np.allclose(code, codes[index])
            assert latent_infos[index]["TimeLimit.truncated"] == (ends == "truncated")
    assert ended == 6


def test_a_step_is_one_batch_with_the_last_images_in_it():
    domain = EnvDomain("columns", ENV_ID, ({"length": 2},))
    encoder = FrozenEncoder(BatchNormalized())
    env = LatentVecEnv(make_vec(domain, 3, seed=0), encoder)
    env.reset()
    encoder.model.batches.clear()
    env.step(np.zeros(3, np.int64))
    env.step(np.zeros(3, np.int64))
    assert encoder.model.batches == [3, 6]


def test_the_observation_space_is_that_of_the_codes(columns):
    env = LatentVecEnv(make_vec(columns, 2, seed=0), FrozenEncoder(BatchNormalized()))
    assert env.observation_space == spaces.Box(-np.inf, np.inf, (6,), np.float32)
    codes = env.reset()
    assert codes.shape == (2, 6)
    assert codes.dtype == np.float32


def test_an_environment_of_another_resolution_is_refused_naming_both():
    larger = EnvDomain("columns", ENV_ID, ({"size": 64},))
    with pytest.raises(InputError, match=rf"\({SIZE}, {SIZE}, 3\).*\(64, 64, 3\)"):
        LatentVecEnv(make_vec(larger, 2, seed=0), FrozenEncoder(BatchNormalized()))
