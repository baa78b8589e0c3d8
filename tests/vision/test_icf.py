"""Independently controllable factors: exact cases of the selectivity, its estimate, and what it learns."""

import itertools
import json
import math

import numpy as np
import pytest
import torch

from darla import vision
from darla.common import InputError
from darla.envs.grid_world.env import GridWorld
from darla.vision import SeeConfig, TrainingConfig, train_encoder
from darla.vision.models.autoencoder import AutoEncoder, AutoEncoderConfig
from darla.vision.models.icf import ICF, ICFConfig, log_selectivity, selectivity
from darla.vision.training.loop import build_seeded, train_model
from darla.vision.training.units import units_of

SHAPE = (16, 16, 3)
NEEDS = vision.Supervision(actions=True)


class Transitions:
    """Frames of random actions in the grid world, each from a state of its own."""

    unit_size = 2

    def __init__(self, count: int, seed: int = 0) -> None:
        env, rng = GridWorld(), np.random.default_rng(seed)
        self.actions = rng.integers(4, size=count)
        images = []
        for episode, action in enumerate(self.actions):
            images += [env.reset(seed=1000 * seed + episode)[0], env.step(action)[0]]
        self.images = np.stack(images)
        self.transitions = np.arange(2 * count).reshape(-1, 2)
        self.digest = f"transitions-{count}-{seed}"
        self.state: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows):
        return self.images[rows]


def build(**config) -> ICF:
    return build_seeded(lambda: ICF(ICFConfig(**{"latent_dim": 3, "n_actions": 4, **config}), None, SHAPE), 0)


def batch(count: int = 6, seed: int = 0) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    frames = Transitions(count, seed)
    images = torch.from_numpy(frames.images).permute(0, 3, 1, 2).float() / 255
    return images, {"actions": torch.from_numpy(frames.actions)}


def test_a_change_of_one_latent_is_selective_for_it_and_for_no_other():
    change = torch.tensor([[0.0, 2.0, 0.0], [0.0, -2.0, 0.0]])
    values = selectivity(change, 1e-6, 3, directed=False)
    torch.testing.assert_close(values, torch.tensor([[0.0, 1.0, 0.0]] * 2))
    assert log_selectivity(values, directed=False)[:, 1].abs().max() < 1e-5
    up_down = selectivity(change, 1e-6, 3, directed=True)
    expected = torch.tensor([[0.0, 1.0, 0.0, 0.0, -1.0, 0.0], [0.0, -1.0, 0.0, 0.0, 1.0, 0.0]])
    torch.testing.assert_close(up_down, expected)
    assert log_selectivity(up_down, directed=True)[0, 1].abs() < 1e-5


@pytest.mark.parametrize("latents", [1, 2, 5])
def test_an_equal_change_of_all_is_shared_equally(latents):
    values = selectivity(torch.full((3, latents), -0.7), 1e-7, latents, directed=False)
    torch.testing.assert_close(values, torch.full((3, latents), 1 / latents))
    torch.testing.assert_close(
        log_selectivity(values, directed=False),
        torch.full((3, latents), math.log((1 / latents + 1e-3) / (1 + 1e-3))),
    )


@pytest.mark.parametrize("directed", [False, True])
def test_no_change_is_finite_and_has_no_gradient(directed):
    change = torch.zeros(4, 3, requires_grad=True)
    values = selectivity(change, 1e-4, 3, directed)
    logarithm = log_selectivity(values, directed)
    assert not values.any()
    assert logarithm.isfinite().all()
    if not directed:
        logarithm.sum().backward()
        assert not change.grad.any()


def test_selectivity_does_not_depend_on_the_scale_of_the_codes_nor_on_latents_without_policies_but_for_their_change():
    change = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    values = selectivity(change, 1e-9, 4, directed=False)
    torch.testing.assert_close(selectivity(100 * change, 1e-9, 4, directed=False), values)
    torch.testing.assert_close(selectivity(change, 1e-9, 2, directed=False), values[:, :2])
    torch.testing.assert_close(values.sum(1), torch.ones(20))


def test_without_weight_it_is_an_autoencoder():
    images, supervision = batch()
    model = build(selectivity_weight=0.0).eval()
    plain = AutoEncoder(AutoEncoderConfig(latent_dim=3), None, SHAPE).eval()
    plain.load_state_dict(model.state_dict(), strict=False)
    terms = model.loss(images, None, supervision)
    torch.testing.assert_close(terms["loss"], plain.loss(images)["loss"])
    torch.testing.assert_close(model.encode(images).mean, plain.encode(images).mean)


def test_the_loss_is_reconstruction_and_weighted_log_selectivity():
    images, supervision = batch()
    terms = build(selectivity_weight=3.0).loss(images, None, supervision)
    torch.testing.assert_close(terms["loss"], terms["pixel"] - 3 * terms["log_selectivity"])
    assert all(term.ndim == 0 and term.dtype == torch.float32 for term in terms.values())


@pytest.mark.parametrize("directed", [False, True])
def test_the_estimate_with_each_action_once_is_the_sum_over_actions(directed):
    model, env = build(directed=directed), GridWorld()
    eps = model.config.selectivity_eps
    images, exact_log, exact = [], torch.zeros(()), torch.zeros(())
    for seed in range(3):
        before = env.reset(seed=seed)[0]
        start = env.positions.copy()
        for action in range(4):
            env.positions = start.copy()
            images += [before, env.step(action)[0]]
    images = model.to_input(np.stack(images))
    codes, policies = model.encode(images).mean, model.policies(images)
    for number in range(12):
        values = selectivity(codes[2 * number + 1] - codes[2 * number][None], eps, 3, directed)[0]
        probability = policies[2 * number, :, number % 4]
        exact_log = exact_log + (probability * log_selectivity(values, directed)).sum() / 3
        exact = exact + (probability * values).mean() / 3
    terms = model.loss(images, None, {"actions": torch.arange(4).repeat(3)})
    torch.testing.assert_close(terms["log_selectivity"], exact_log)
    torch.testing.assert_close(terms["selectivity"], exact)


def gradients(model: ICF, loss: torch.Tensor) -> torch.Tensor:
    parts = torch.autograd.grad(loss, [*model.encoder.parameters(), *model.policy_head.parameters()])
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("directed", [False, True])
def test_the_mean_gradient_over_all_actions_that_could_have_been_taken_is_that_of_the_sum(directed):
    """Enumerated: three states, four actions each, all 64 batches."""
    model, env = build(directed=directed), GridWorld()
    before, after = [], []
    for seed in range(3):
        before.append(env.reset(seed=seed)[0])
        start = env.positions.copy()
        for action in range(4):
            env.positions = start.copy()
            after.append(env.step(action)[0])
    before, after = model.to_input(np.stack(before)), model.to_input(np.stack(after)).unflatten(0, (3, 4))
    mean = torch.zeros(())
    for actions in itertools.product(range(4), repeat=3):
        images = torch.stack([before, after[range(3), actions]], 1).flatten(0, 1)
        terms = model.loss(images, None, {"actions": torch.tensor(actions)})
        mean = mean + gradients(model, (terms["loss"] - terms["pixel"]) / -model.config.selectivity_weight) / 64
    change = model.encode(after.flatten(0, 1)).mean.unflatten(0, (3, 4)) - model.encode(before).mean[:, None]
    shares = selectivity(change.flatten(0, 1), model.config.selectivity_eps, 3, directed)
    values = log_selectivity(shares, directed).unflatten(0, (3, 4))
    exact = gradients(model, (model.policies(before) * values.transpose(1, 2)).sum((1, 2)).mean())
    assert (mean - exact).norm() < 1e-3 * exact.norm()


def test_policies_are_distributions_over_the_actions_and_depend_on_the_image():
    images, _ = batch()
    for directed, count in ((False, 3), (True, 6)):
        policies = build(directed=directed).policies(images)
        assert policies.shape == (12, count, 4)
        torch.testing.assert_close(policies.sum(-1), torch.ones(12, count))
        assert (policies[0] != policies[3]).any()
    assert build(n_controlled=2).policies(images).shape == (12, 4, 4)


@pytest.mark.parametrize("directed", [False, True])
def test_the_selectivity_sends_gradients_to_the_encoder_and_to_the_policies(directed):
    images, supervision = batch()
    model = build(directed=directed)
    model.loss(images, None, supervision)["log_selectivity"].backward()
    for part in (model.encoder.convolutions[0], model.encoder.head, model.policy_head):
        assert part.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.decoder.parameters())
    model.loss(images, None, supervision)["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_selectivity_gradient_has_the_direction_of_a_finite_difference():
    images, supervision = batch()
    model = build().double()
    model.policy_head.forward = lambda hidden: torch.nn.functional.linear(  # float64 for the differences
        hidden, model.policy_head.weight, model.policy_head.bias
    )
    model.encoder.head.forward = lambda hidden: torch.nn.functional.linear(
        hidden, model.encoder.head.weight, model.encoder.head.bias
    )

    def objective() -> torch.Tensor:
        return model.loss(images.double(), None, supervision)["log_selectivity"]

    objective().backward()
    for weight in (model.encoder.head.weight, model.policy_head.weight):
        step, direction = 1e-6, torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)).double()
        with torch.no_grad():
            weight += step * direction
            above = objective()
            weight -= 2 * step * direction
            below = objective()
            weight += step * direction
        expected = float((weight.grad * direction).sum())
        assert float(above - below) / (2 * step) == pytest.approx(expected, rel=1e-4)


def test_the_decoder_reads_the_codes_and_nothing_else():
    images, _ = batch()
    model = build().eval()
    codes = model.encode(images).mean
    decoded = model.decode(codes)
    hooks = [module.register_forward_hook(lambda *_: pytest.fail("decoding reads the image")) for module in
             (model.encoder.convolutions, model.encoder.hidden)]  # fmt: skip
    torch.testing.assert_close(model.decode(codes), decoded)
    for hook in hooks:
        hook.remove()
    torch.testing.assert_close(model.reconstruction.to_image(model.decoder(codes)), decoded)
    # Images of one code are decoded to one image, and another code to another.
    assert torch.equal(*model.decode(codes[:1].repeat(2, 1))[:, None])
    assert (model.decode(codes + 1) != decoded).any()
    # The loss reconstructs from these codes: with the decoder's gradient stopped there, none reaches the encoder.
    model.decoder.register_forward_pre_hook(lambda _, inputs: (inputs[0].detach(),))
    terms = model.loss(images, None, {"actions": torch.zeros(6, dtype=torch.int64)})
    assert not any(
        gradient is not None and gradient.any()
        for gradient in torch.autograd.grad(terms["pixel"], list(model.encoder.parameters()), allow_unused=True)
    )


def test_the_number_of_actions_is_that_of_the_frames():
    frames = Transitions(40)
    assert ICFConfig().for_frames(frames).n_actions == 4
    assert ICFConfig(n_actions=5).for_frames(frames).n_actions == 5
    with pytest.raises(InputError, match="n_actions is 3, but the frames have the action 3"):
        ICFConfig(n_actions=3).for_frames(frames)
    frames.actions = frames.actions.astype(np.float32)
    with pytest.raises(InputError, match=r"needs discrete actions, .* not float32"):
        ICFConfig().for_frames(frames)
    with pytest.raises(InputError, match="n_actions is 0"):
        ICF(ICFConfig(), None, SHAPE)


def test_actions_of_another_policy_than_the_uniform_one_are_refused():
    frames = Transitions(4)
    rng = np.random.default_rng(0)
    for size in (8, 50, 1000, 20_000):
        frames.actions = rng.integers(4, size=size)
        assert ICFConfig(n_actions=4).for_frames(frames).n_actions == 4
    frames.actions = rng.choice(4, 1000, p=[0.7, 0.1, 0.1, 0.1])
    with pytest.raises(InputError, match=r"of 1000 actions 0 has .* where 250 are expected"):
        ICFConfig().for_frames(frames)


@pytest.mark.parametrize(
    "wrong",
    [
        {"selectivity_weight": -1.0},
        {"selectivity_eps": 0.0},
        {"policy_rate": 0.0},
        {"n_controlled": 4, "latent_dim": 3},
        {"n_controlled": -1},
        {"n_actions": -1},
        {"loss": "pixels"},
    ],
    ids=str,
)
def test_invalid_values_are_refused(wrong):
    with pytest.raises(InputError):
        ICFConfig(**wrong)


def test_frames_without_actions_are_refused(frames, tmp_path):
    with pytest.raises(InputError, match="model 'icf' needs actions, which these frames do not have"):
        train_encoder(SeeConfig().change(model="icf"), frames, tmp_path / "run", seed=0)
    assert not (tmp_path / "run").exists()


def test_it_makes_an_artefact_and_comes_back_from_it(tmp_path):
    frames = Transitions(48)
    training = TrainingConfig(steps=6, batch_size=16, log_every=3, checkpoint_every=3)
    config = SeeConfig().change(model="icf", latent_dim=2, training=training)
    artefact = train_encoder(config, frames, tmp_path / "run", seed=0)
    model = vision.load(artefact.folder)
    assert isinstance(model, ICF)
    assert model.config.n_actions == 4
    assert not model.has_prior
    assert artefact.config["see"]["vae"]["n_actions"] == 4
    assert SeeConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    header = (tmp_path / "run" / "history.csv").read_text().splitlines()[0].split(",")
    assert {"selectivity", "log_selectivity", "pixel", "held_out_selectivity"} <= set(header)


def test_an_interrupted_training_ends_with_the_same_bytes(tmp_path):
    frames = Transitions(40)
    units = units_of(NEEDS, frames, np.arange(len(frames)), seed=0)

    def train(folder, stop):
        model = build()
        training = TrainingConfig(steps=8, batch_size=16, log_every=4, checkpoint_every=2, schedule="constant")

        def observe(row):
            if stop:
                raise KeyboardInterrupt
            return {}

        if stop:
            with pytest.raises(KeyboardInterrupt):
                train_model(model, frames, training, folder, 0, units=units, observe=observe)
        else:
            train_model(model, frames, training, folder, 0, units=units, observe=observe)
        return model.state_dict()

    whole = train(tmp_path / "whole", stop=False)
    train(tmp_path / "parts", stop=True)
    resumed = train(tmp_path / "parts", stop=False)
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())


@pytest.mark.slow
def test_each_latent_becomes_a_coordinate_of_the_square(tmp_path):
    frames = Transitions(1500)
    model = build(latent_dim=2, activation="elu")
    units = units_of(NEEDS, frames, np.arange(len(frames)), seed=0)
    training = TrainingConfig(steps=200, batch_size=512, log_every=20, precision="float32")
    before = alignment(model)
    last = train_model(model, frames, training, tmp_path, 0, units=units).history[-1]
    assert last["selectivity"] > 0.8  # at the edges no policy can push the square on: 12/13 is the most there is
    assert alignment(model) > 0.9 > 0.5 > before


def alignment(model: ICF) -> float:
    """Return the least correlation, over x and y, with the latent that is assigned to it."""
    env = GridWorld()
    images, positions = zip(*((env.reset(seed=seed)[0], env.positions[0].copy()) for seed in range(300)), strict=True)
    with torch.inference_mode():
        codes = model.encode(model.to_input(np.stack(images))).mean.numpy()
    correlation = np.abs(np.corrcoef(codes.T, np.array(positions).T)[:2, 2:])
    return float(max(np.diag(correlation).min(), np.diag(correlation[::-1]).min()))
