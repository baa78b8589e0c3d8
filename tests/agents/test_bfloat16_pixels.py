"""PPO end to end in bfloat16: SB3's network, samples and results, up to the rounding of its arithmetic."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.torch_layers import NatureCNN
from toy_training import frames, short

from darla.agents import Agent, train_agent
from darla.agents.pixels.policy import BfloatCnnPolicy, BfloatNatureCNN
from darla.agents.pixels.rollout_buffer import ImageRolloutBuffer
from darla.agents.vec_env.latents import fastest_precision
from darla.common import InputError

SHAPES = [(3, 64, 64), (9, 84, 84), (1, 36, 50)]


def space(shape):
    return spaces.Box(0, 255, shape, np.uint8)


def both(shape, actions=4, **arguments):
    """Return SB3's policy and the one in bfloat16, built with the same seed."""
    policies = []
    for kind in (ActorCriticCnnPolicy, BfloatCnnPolicy):
        torch.manual_seed(0)
        policies.append(kind(space(shape), spaces.Discrete(actions), lambda _: 1e-3, net_arch=[], **arguments))
    return policies


def images(shape, count=16):
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_network_of_sb3_up_to_rounding(shape):
    results = []
    shown, actions = images(shape), torch.arange(16) % 4
    plain, reduced = both(shape)
    for name, parameter in plain.state_dict().items():
        assert torch.equal(reduced.state_dict()[name], parameter)
    for policy in (plain, reduced):
        values, log_prob, entropy = policy.evaluate_actions(shown, actions)
        (values.square().sum() + log_prob.sum() + entropy.sum()).backward()
        gradients = [parameter.grad for parameter in policy.parameters()]
        features = policy.extract_features(shown)
        results.append([each.detach() for each in (features, values, log_prob, *gradients)])
    for exact, rounded in zip(*results, strict=True):
        assert rounded.dtype == torch.float32
        assert (exact - rounded).norm() < 0.06 * exact.norm()


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_left_out_of_an_image_has_no_influence_in_sb3_either(shape):
    torch.manual_seed(0)
    plain = NatureCNN(space(shape))
    shown = (images(shape) / 255.0).requires_grad_()
    plain(shown).sum().backward()
    reached = shown.grad.abs().sum((0, 1)) > 0
    height, width = BfloatNatureCNN(space(shape))._used
    assert reached[:height, :width].all()
    assert not reached[height:].any()
    assert not reached[:, width:].any()


def test_memory_order_and_type_of_images_do_not_change_the_features():
    network = both((3, 64, 64))[1].features_extractor
    shown = images((3, 64, 64))
    expected = network(shown)
    for same in (shown.float(), shown.contiguous(memory_format=torch.channels_last)):
        assert torch.equal(network(same), expected)


def test_weights_that_are_kept_for_a_rollout_follow_the_parameters():
    policy = both((3, 64, 64))[1]
    shown, seen = images((3, 64, 64)), []
    other = both((3, 64, 64))[1]
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.5)
    for _ in range(2):
        policy.set_training_mode(False)
        with torch.no_grad():
            seen.append(policy.extract_features(shown))
        policy.set_training_mode(True)
        policy.evaluate_actions(shown, torch.zeros(16))[0].sum().backward()
        policy.optimizer.step()
    policy.set_training_mode(False)
    with torch.no_grad():
        seen.append(policy.extract_features(shown))
        policy.load_state_dict(other.state_dict())
        seen.append(policy.extract_features(shown))
    assert all(not torch.equal(before, after) for before, after in pairwise(seen))
    torch.testing.assert_close(seen[-1], other.extract_features(shown), atol=0.05, rtol=0.05)


def test_actions_are_drawn_as_sb3_draws_them():
    policy = both((3, 64, 64))[1]
    with torch.no_grad():
        policy.action_net.weight.mul_(300.0)  # so that actions have different probabilities
        shown = images((3, 64, 64), 200)
        torch.manual_seed(3)
        actions, values, log_prob = policy(shown)
        torch.manual_seed(3)
        expected = ActorCriticCnnPolicy.forward(policy, shown)
        assert torch.equal(actions, expected[0])
        torch.testing.assert_close((values, log_prob), expected[1:])
        assert len(actions.unique()) == 4
        best = policy.get_distribution(shown).distribution.probs.argmax(1)
        assert torch.equal(policy(shown, deterministic=True)[0], best)


def test_the_buffer_has_the_samples_of_sb3_in_the_same_order():
    shape, rng, samples = (3, 8, 10), np.random.default_rng(0), []
    buffers = [
        kind(6, space(shape), spaces.Discrete(3), "cpu", n_envs=4) for kind in (RolloutBuffer, ImageRolloutBuffer)
    ]
    for _ in range(2):  # the second rollout overwrites the first
        steps = [
            (
                rng.integers(0, 256, (4, 8, 10, 3), dtype=np.uint8).transpose(0, 3, 1, 2),
                rng.integers(0, 3, (4, 1)),
                rng.normal(size=4),
                rng.random(4) < 0.3,
                torch.from_numpy(rng.normal(size=(4, 1)).astype(np.float32)),
                torch.from_numpy(rng.normal(size=4).astype(np.float32)),
            )
            for _ in range(6)
        ]
        for buffer in buffers:
            buffer.reset()
            for step in steps:
                buffer.add(*step)
            buffer.compute_returns_and_advantage(torch.zeros(4), np.zeros(4, bool))
            np.random.seed(5)
            samples.append([*buffer.get(8), *buffer.get(8)])
    for expected, got in zip(samples[::2], samples[1::2], strict=True):
        assert len(got) == 6
        for one, other in zip(expected, got, strict=True):
            assert all(torch.equal(mine, its) for mine, its in zip(one, other, strict=True))


def test_workers_change_nothing_and_the_arithmetic_is_recorded(columns, tmp_path):
    config = short(precision="bfloat16", env_steps=200, snapshots=1)
    agents = [train_agent(config, columns, None, tmp_path / f"{n}", seed=3, workers=n) for n in (1, 2)]
    weights = [(agent.folder / "policy.safetensors").read_bytes() for agent in agents]
    assert weights[0] == weights[1]
    assert json.loads((agents[0].folder / "policy.json").read_text())["precision"] == "bfloat16"
    assert agents[0].config["act"]["precision"] == "bfloat16"
    assert isinstance(Agent.load(agents[0].folder).policy, BfloatCnnPolicy)


def test_in_float32_it_is_sb3s_own_policy(columns, tmp_path):
    folder = train_agent(short(precision="float32", env_steps=64), columns, None, tmp_path / "agent", seed=3).folder
    agent = Agent.load(folder)
    assert type(agent.policy) is ActorCriticCnnPolicy
    assert agent.description.precision is None


def test_fastest_is_what_the_hardware_has_and_the_algorithm_can(columns, tmp_path):
    record = train_agent(short(precision="fastest", env_steps=64), columns, None, tmp_path / "ppo", seed=3).config
    assert record["act"]["precision"] == ("bfloat16" if fastest_precision() == "bfloat16" else None)
    dqn = train_agent(short("dqn", env_steps=64, precision="fastest"), columns, None, tmp_path / "dqn", seed=3)
    assert dqn.config["act"]["precision"] is None


def test_an_algorithm_without_it_refuses_it_and_computes_in_float32(columns, tmp_path):
    for precision in ("bfloat16", "float32"):
        with pytest.raises(InputError, match=f"precision '{precision}' would be ignored: a policy of 'dqn' on pixels"):
            train_agent(short("dqn", precision=precision), columns, None, tmp_path / "agent", seed=0)
    assert not (tmp_path / "agent").exists()


def test_it_is_exported_in_float32(columns, tmp_path):
    from stable_baselines3 import PPO

    import darla

    config = short(precision="bfloat16", env_steps=128, snapshots=1)
    agent = Agent.load(train_agent(config, columns, None, tmp_path / "agent", seed=0))
    darla.export(tmp_path / "agent", tmp_path / "agent.zip")
    exported = PPO.load(tmp_path / "agent.zip", device="cpu").policy
    assert type(exported) is ActorCriticCnnPolicy
    shown, _ = exported.obs_to_tensor(frames(20))
    with torch.no_grad():
        expected, got = (each.get_distribution(shown).distribution.logits for each in (exported, agent.policy))
    torch.testing.assert_close(got, expected, atol=0.02, rtol=0.02)
