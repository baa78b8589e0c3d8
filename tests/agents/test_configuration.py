"""Configurations: presets, overrides, and errors for those that mean nothing."""

import dataclasses
import json
import subprocess
import sys

import pytest

from darla.agents import ALGORITHMS, A2CSettings, ActConfig, DQNSettings, PPOSettings
from darla.common import InputError
from darla.envs import Domain, EnvDomain
from darla.envs.domains.world import WORLDS


@pytest.mark.parametrize("observation", ["latents", "pixels"])
@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn"])
def test_every_algorithm_has_a_preset_for_latents_and_for_pixels(algorithm, observation):
    preset = ALGORITHMS[algorithm].preset(observation)
    assert isinstance(preset, ALGORITHMS[algorithm].settings)
    assert (preset.net_arch == ()) == (observation == "pixels")
    assert ActConfig(algorithm).resolve(observation) is preset


def test_a_configuration_as_plain_values_names_every_number():
    record = json.loads(json.dumps(ActConfig().to_dict("latents")))
    assert record["settings"]["learning_rate"] == ALGORITHMS["ppo"].preset("latents").learning_rate
    assert None not in record["settings"].values()


def test_a_frame_stack_that_is_not_given_is_what_the_world_needs():
    moving = dataclasses.replace(WORLDS["grid_world"], name="moving", frame_stack=3)
    still, moved = Domain("still", ({},), world=WORLDS["grid_world"]), Domain("moving", ({},), world=moving)
    assert ActConfig().for_domain(still).frame_stack == 1
    assert ActConfig().for_domain(EnvDomain("own", "CartPole-v1")).frame_stack == 1
    assert ActConfig().for_domain(moved).frame_stack == 3
    assert ActConfig(frame_stack=2).for_domain(moved).frame_stack == 2
    assert ActConfig(observation="state").for_domain(moved).frame_stack == 1  # the state has velocities


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"algorithm": "poo"}, "unknown algorithm 'poo'; did you mean 'ppo'"),
        ({"algorithm": "dqn", "settings": PPOSettings()}, "takes DQNSettings, not PPOSettings"),
        ({"env_steps": 0}, "env_steps must be at least 1"),
        ({"frame_stack": 0}, "frame_stack must be at least 1"),
        ({"selection": "target"}, "'last' or 'validation'"),
        ({"validation_episodes": 5}, "would be ignored"),
        ({"selection": "validation", "validation_episodes": 0}, "at least 1"),
        ({"precision": "float16"}, "unknown precision 'float16'"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        ActConfig(**wrong)


@pytest.mark.parametrize(
    ("settings", "wrong", "message"),
    [
        (PPOSettings, {"batch_size": 300}, "must be at least 2 and divide its rollout of .* = 1024"),
        (PPOSettings, {"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        (PPOSettings, {"learning_rate": float("nan")}, "learning_rate must be positive"),
        (PPOSettings, {"gamma": 1.5}, "gamma must be between 0 and 1"),
        (A2CSettings, {"net_arch": (64, 0)}, "net_arch must hold positive numbers"),
        (DQNSettings, {"train_freq": 0}, "train_freq must be positive, not 0"),
        (DQNSettings, {"buffer_size": 10}, "buffer_size 10 must hold a batch"),
    ],
)
def test_settings_that_no_algorithm_can_use_are_refused(settings, wrong, message):
    with pytest.raises(InputError, match=message):
        settings(**wrong)


def test_configurations_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ActConfig().env_steps = 5


def test_importing_the_package_does_not_load_sb3():
    program = "import sys, darla.agents; darla.agents.ActConfig(); assert 'stable_baselines3' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
