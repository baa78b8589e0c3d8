"""Fine-tuned vision: the policy begins with the encoder's codes, changes its own copy, and takes it along."""

import numpy as np
import pytest
import torch
from toy_images import SIZE, Columns
from toy_training import short, write_encoder

from darla import vision
from darla.agents import Agent, make_vec, train_agent
from darla.agents.algorithms.build import build
from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.fine_tuning import TrainedEncoder, copy_encoder_into, encoder_network, extractor_arguments
from darla.agents.policy_io import load_description, save_description
from darla.common import Artefact, InputError
from darla.common.files import load_tensors, read_json, write_json
from darla.vision import SeeConfig, encode_images

WITH_GRADIENTS = ["ppo", "a2c", "dqn"]


def extractors(policy: torch.nn.Module) -> list[TrainedEncoder]:
    return [part for part in policy.modules() if isinstance(part, TrainedEncoder)]


@pytest.fixture(scope="module")
def tuned(columns, encoder_folder, tmp_path_factory):
    config = short(fine_tune=True, env_steps=300)
    return train_agent(config, columns, encoder_folder, tmp_path_factory.mktemp("tuned") / "agent", 0)


@pytest.mark.parametrize("algorithm", WITH_GRADIENTS)
def test_before_training_the_policy_sees_the_codes_of_the_encoder(algorithm, columns, encoder_folder, images):
    described, model = encoder_network(Artefact.load(encoder_folder)), vision.load(encoder_folder)
    env = make_vec(columns, 4, 0)
    settings = short(algorithm, fine_tune=True).resolve("pixels")
    learner = build(algorithm, settings, env, 0, extractor=extractor_arguments(described, 1))
    copy_encoder_into(learner.policy, model)
    result = extractors(learner.policy)
    assert len(result) == (2 if ALGORITHMS[algorithm].value_based else 1)
    for part in result:
        with torch.no_grad():
            codes = part(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)
        np.testing.assert_allclose(codes.numpy(), encode_images(model, images, normalize=True), atol=1e-4)
    env.close()


def test_training_changes_the_policys_copy_and_not_the_artefact(tuned, encoder_folder):
    assert Artefact.load(encoder_folder).digest == tuned.card["inputs"]["encoder"]
    (copy,) = extractors(Agent.load(tuned.folder).policy)[:1]
    before = vision.load(encoder_folder).state_dict()
    moved = {name for name, value in copy.model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {name for name, _ in copy.model.named_parameters()}
    assert torch.equal(copy.model.codes_mean, before["codes_mean"])


def test_only_what_codes_depend_on_is_part_of_the_policy(tuned):
    names = load_tensors(tuned.folder / "policy.safetensors")
    assert any(".model.encoder." in name for name in names)
    assert not any("decoder" in name or "perceptual" in name for name in names)


def test_a_fine_tuned_agent_needs_its_encoder_no_more(columns, tmp_path, images):
    encoder = write_encoder(tmp_path / "encoder", seed=3)
    made = train_agent(short(fine_tune=True, env_steps=200), columns, encoder, tmp_path / "agent", 0)
    before = Agent.load(made.folder).act(images, True, np.random.default_rng(0))
    for file in encoder.iterdir():
        if file.is_file():
            file.unlink()
    agent = Agent.load(made.folder)
    assert agent.encoder is None
    assert agent.description.encoder == made.card["inputs"]["encoder"]
    assert np.array_equal(agent.act(images, True, np.random.default_rng(0)), before)
    with pytest.raises(InputError, match="policy on pixels; the encoder given would be ignored"):
        Agent.load(made.folder, encoder)


def test_a_fine_tuning_stopped_by_ctrl_c_resumes_to_the_same_bytes(columns, encoder_folder, tmp_path, monkeypatch):
    config = short(env_steps=500, fine_tune=True)
    monkeypatch.setattr(Columns, "steps_left", 400)
    with pytest.raises(KeyboardInterrupt):
        train_agent(config, columns, encoder_folder, tmp_path / "stopped", seed=1)
    monkeypatch.undo()
    stopped = train_agent(config, columns, encoder_folder, tmp_path / "stopped", seed=1)
    assert stopped.digest == train_agent(config, columns, encoder_folder, tmp_path / "whole", seed=1).digest


def test_each_frame_of_a_stack_is_encoded_by_itself(encoder_folder, images):
    from gymnasium import spaces

    described, model = encoder_network(Artefact.load(encoder_folder)), vision.load(encoder_folder)
    part = TrainedEncoder(spaces.Box(0, 255, (6, SIZE, SIZE), np.uint8), described, frames=2)
    part.load_encoder_weights(model)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        codes = part(torch.cat([batch, batch.flip(0)], dim=1)).numpy()
    expected = encode_images(model, images, normalize=True)
    np.testing.assert_allclose(codes, np.concatenate([expected, expected[::-1]], axis=1), atol=1e-4)


def test_codes_that_pass_no_gradient_to_their_network_cannot_be_fine_tuned():
    from gymnasium import spaces

    quantized = SeeConfig().change(model="qlae", latent_dim=4).to_dict()
    with pytest.raises(InputError, match="model 'qlae' cannot be fine-tuned"):
        TrainedEncoder(
            spaces.Box(0, 255, (3, SIZE, SIZE), np.uint8), {name: quantized[name] for name in ("model", "vae")}
        )


@pytest.mark.parametrize(
    ("changes", "on_encoder", "message"),
    [
        ({"fine_tune": True}, False, "fine_tune needs an encoder"),
        ({"fine_tune": True, "precision": "bfloat16"}, True, "precision 'bfloat16' would be ignored"),
        ({"fine_tune": True, "observation": "state"}, True, "fine_tune would be ignored"),
    ],
)
def test_fine_tuning_that_means_nothing_is_refused(changes, on_encoder, message, columns, encoder_folder, tmp_path):
    with pytest.raises(InputError, match=message):
        train_agent(short(**changes), columns, encoder_folder if on_encoder else None, tmp_path / "agent", 0)


def test_a_description_with_a_number_too_large_is_refused(tuned, tmp_path):
    save_description(tmp_path, load_description(tuned.folder))
    record = read_json(tmp_path / "policy.json")
    record["vision"]["vae"]["latent_dim"] = 10**9
    write_json(tmp_path / "policy.json", record)
    with pytest.raises(InputError, match=r"damaged: vision must describe .* no number above 65536"):
        load_description(tmp_path)
