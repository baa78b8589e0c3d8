"""A policy comes back from disk as it was, from safetensors and JSON; anything else is refused."""

import json
import re
import shutil

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecFrameStack
from toy_training import SHORT, frames, short, write_encoder

from darla.agents import Agent, FrozenEncoder, LatentVecEnv, make_vec, train_agent
from darla.agents.algorithms.build import build
from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.policy_io import PolicyDescription, load_weights, save_weights
from darla.common import InputError


def describe(algorithm, encoder, frame_stack):
    return PolicyDescription(
        algorithm=algorithm,
        observation="latents" if encoder else "pixels",
        architecture=ALGORITHMS[algorithm].architecture(SHORT[algorithm]),
        image_shape=(48, 48, 3),
        n_actions=3,
        frame_stack=frame_stack,
        latent_dim=encoder.latent_dim if encoder else None,
        encoder=encoder.digest if encoder else None,
        precision=encoder.precision if encoder else None,
        exploration=0.1,
        env_steps=200,
        snapshot_steps=(200,),
        vision=None,
    )


@pytest.mark.parametrize("frame_stack", [1, 3])
@pytest.mark.parametrize("observation", ["latents", "pixels"])
@pytest.mark.parametrize("algorithm", ["ppo", "a2c", "dqn", "mfec"])
def test_a_loaded_policy_acts_as_the_trained_one(
    algorithm, observation, frame_stack, columns, encoder_folder, tmp_path
):
    encoder = FrozenEncoder.load(encoder_folder) if observation == "latents" else None
    images = make_vec(columns, 4, seed=0)
    env = images if encoder is None else LatentVecEnv(images, encoder)
    env = env if frame_stack == 1 else VecFrameStack(env, frame_stack)
    model = build(algorithm, SHORT[algorithm], env, seed=0)
    model.learn(200)
    save_weights(tmp_path / "policy.safetensors", model.policy)
    description = describe(algorithm, encoder, frame_stack)
    policy = description.build()
    load_weights(tmp_path / "policy.safetensors", policy)
    agent = Agent(description, policy, encoder)

    # The same episodes twice: once as SB3 sees them, once as the agent does.
    plain = make_vec(columns, 4, seed=3)
    env.seed(3)
    seen, shown = env.reset(), plain.reset()
    agent.reset(4)
    for _ in range(15):
        expected, _ = model.policy.predict(seen, deterministic=True)
        actions = agent.act(shown, True, np.random.default_rng(0))
        np.testing.assert_array_equal(actions, expected)
        seen, _, _, _ = env.step(actions)
        shown, _, dones, _ = plain.step(actions)
        agent.restart(list(np.flatnonzero(dones)))


@pytest.fixture(scope="module")
def trained(columns, encoder_folder, tmp_path_factory):
    """A finished agent on latents, not to be changed."""
    folder = tmp_path_factory.mktemp("trained") / "agent"
    train_agent(short(env_steps=300), columns, encoder_folder, folder, seed=1)
    return folder


@pytest.fixture
def agent_folder(trained, tmp_path):
    """A copy of a finished agent that a test may spoil."""
    return shutil.copytree(trained, tmp_path / "elsewhere" / "agent")


def test_an_artefact_holds_tensors_json_and_csv_alone(trained):
    suffixes = {path.suffix for path in trained.rglob("*") if path.is_file() and "tensorboard" not in path.parts}
    assert suffixes == {".json", ".csv", ".safetensors"}
    assert not (trained / "checkpoint").exists()


def test_an_agent_finds_its_encoder_where_it_lay(trained, encoder_folder):
    result, named = Agent.load(trained), Agent.load(trained, encoder_folder)
    shown = frames(20)
    np.testing.assert_array_equal(
        result.act(shown, False, np.random.default_rng(0)), named.act(shown, False, np.random.default_rng(0))
    )
    assert result.digest == named.digest


def test_a_moved_agent_asks_for_its_encoder(agent_folder):
    with pytest.raises(InputError, match="name its folder"):
        Agent.load(agent_folder)


def test_another_encoder_is_refused(agent_folder, tmp_path):
    other = write_encoder(tmp_path / "other", seed=5)
    with pytest.raises(InputError, match="not the one"):
        Agent.load(agent_folder, other)


def test_the_last_snapshot_is_the_policy_and_earlier_ones_can_be_loaded(trained, encoder_folder):
    count = len(Agent.load(trained).description.snapshot_steps)
    assert (trained / f"snapshots/{count:02d}.safetensors").read_bytes() == (
        trained / "policy.safetensors"
    ).read_bytes()
    early = Agent.load(trained, encoder_folder, snapshot=1)
    assert early.act(frames(4), True, np.random.default_rng(0)).shape == (4,)
    with pytest.raises(InputError, match="numbered 1 to"):
        Agent.load(trained, encoder_folder, snapshot=count + 1)


def spoil(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("policy.safetensors", lambda data: data[:-10]),
        ("policy.safetensors", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
        ("policy.json", lambda data: data.replace(b'"n_actions": 3', b'"n_actions": 4')),
        ("card.json", lambda data: data[: len(data) // 2]),
    ],
)
def test_a_file_that_was_cut_or_altered_is_refused(agent_folder, encoder_folder, name, change):
    spoil(agent_folder / name, change)
    with pytest.raises(InputError, match="damaged") as caught:
        Agent.load(agent_folder, encoder_folder)
    assert "\n" not in str(caught.value)


def rehash(folder, name):
    """Make the card agree with an altered file, as a careful stranger would."""
    from darla.common.artefact import card_checksum
    from darla.common.files import sha256

    card = json.loads((folder / "card.json").read_text())
    card["files"][name] = sha256(folder / name)
    (folder / "card.json").write_text(json.dumps({**card, "sha256": card_checksum(card)}))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"algorithm": "ppo"', '"algorithm": "pp0"', "unknown algorithm 'pp0'; did you mean 'ppo'"),
        ('"n_actions": 3', '"n_actions": 4', "does not fit"),
        ('"n_actions": 3', '"n_actions": 4000000000', "whole numbers"),
        ('"n_actions": 3', '"n_actions": "3"', "whole numbers"),
        ('"architecture": {', '"achitecture": {', "its fields must be"),
        ('"net_arch": [', '"net_arc": [', "has the fields net_arch, not net_arc"),
        ('"net_arch": [', '"net_arch": [0, ', "at most 32 positive whole numbers"),
        ('"format": 2', '"format": 9', "policy format 9"),
        ('"latent_dim": 6', '"latent_dim": null', "latent_dim"),
        ('"latent_dim": 6', '"latent_dim": 6, "encoder": -1.5', "encoder is -1.5, but must be text or None"),
    ],
)
def test_a_description_that_fits_no_policy_is_refused(agent_folder, encoder_folder, old, new, message):
    path = agent_folder / "policy.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    rehash(agent_folder, "policy.json")
    with pytest.raises(InputError, match=re.escape(message)):
        Agent.load(agent_folder, encoder_folder)


def test_weights_of_another_policy_are_refused(columns, tmp_path):
    model = build("ppo", SHORT["ppo"], make_vec(columns, 4, seed=0), seed=0)
    save_weights(tmp_path / "policy.safetensors", model.policy)
    with pytest.raises(InputError, match=r"is not part of it|is missing"):
        load_weights(tmp_path / "policy.safetensors", describe("dqn", None, 1).build())


def test_a_pickled_policy_is_not_read(agent_folder, encoder_folder):
    import pickle

    (agent_folder / "policy.safetensors").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    rehash(agent_folder, "policy.safetensors")
    with pytest.raises(InputError, match="damaged"):
        Agent.load(agent_folder, encoder_folder)
