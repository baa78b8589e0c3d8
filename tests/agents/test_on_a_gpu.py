"""Encoders and policies on a pretended GPU: nothing is left on the CPU."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from pretended_gpu import PretendedGPU
from stable_baselines3.common.vec_env import DummyVecEnv

from darla.agents.algorithms.a2c import A2CSettings
from darla.agents.algorithms.build import build
from darla.agents.algorithms.dqn import DQNSettings
from darla.agents.algorithms.ppo import PPOSettings
from darla.agents.vec_env.augmentation import BY_NAME
from darla.agents.vec_env.latents import FrozenEncoder
from darla.common import InputError
from darla.vision import SeeConfig
from darla.vision.encoders.load import build_model

SHORT: dict[str, Any] = {
    "ppo": PPOSettings(n_envs=2, n_steps=8, batch_size=8),
    "a2c": A2CSettings(n_envs=2, n_steps=4),
    "dqn": DQNSettings(n_envs=2, train_freq=4, batch_size=4, buffer_size=40, learning_starts=8),
}


class Noise(gymnasium.Env[Any, Any]):
    """Random observations of a shape, in episodes of five steps."""

    action_space = spaces.Discrete(3)

    def __init__(self, shape: tuple[int, ...]) -> None:
        image = len(shape) == 3
        self.observation_space = spaces.Box(0, 255, shape, np.uint8) if image else spaces.Box(-9, 9, shape, np.float32)

    def reset(self, **_: Any) -> Any:
        self.left = 5
        return self.observation_space.sample(), {}

    def step(self, _: Any) -> Any:
        self.left -= 1
        return self.observation_space.sample(), 1.0, self.left == 0, False, {}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_frozen_encoder_gives_arrays(precision):
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    with PretendedGPU() as gpu:
        model = build_model(SeeConfig().change(model="beta_vae", latent_dim=4), (16, 16, 3))
        encoder = FrozenEncoder(model, precision=precision, device="cuda")
        assert all(gpu.has(each) for each in encoder.model.parameters())
        assert encoder.encode(images).dtype == np.float32
        assert encoder.fingerprint() == FrozenEncoder(model.cpu()).fingerprint()


@pytest.mark.parametrize("name", sorted(SHORT))
@pytest.mark.parametrize("shape", [(4,), (36, 36, 3)], ids=["codes", "pixels"])
def test_policies_learn(name, shape):
    with PretendedGPU() as gpu:
        model = build(name, SHORT[name], DummyVecEnv([lambda: Noise(shape)] * 2), 0, "cuda")
        model.learn(32)
        assert all(gpu.has(each) for each in model.policy.parameters())


def test_a_policy_on_pixels_learns_in_bfloat16():
    with PretendedGPU() as gpu:
        env = DummyVecEnv([lambda: Noise((36, 36, 3))] * 2)
        model = build("ppo", SHORT["ppo"], env, 0, "cuda", precision="bfloat16")
        model.learn(32)
        assert all(gpu.has(each) for each in model.policy.parameters())
        assert all(gpu.has(each.observations) for each in model.rollout_buffer.get(8))


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_augmentations_stay_where_the_images_are(name):
    images = torch.rand(4, 6, 16, 16, generator=torch.Generator().manual_seed(0))
    here = BY_NAME[name](images, torch.Generator().manual_seed(1))
    with PretendedGPU() as gpu:
        there = BY_NAME[name](images.cuda(), torch.Generator("cuda").manual_seed(1))
        assert gpu.has(there)
        torch.testing.assert_close(there.cpu(), here)


def test_an_agent_is_not_loaded_to_a_device_that_is_not_there():
    from darla.agents import Agent

    with pytest.raises(InputError, match="unknown device 'gpu'"):
        Agent.load(Path("anywhere"), device="gpu")
