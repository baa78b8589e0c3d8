"""disBM: every formula against the enumeration of all states of a small machine, limits in which it is an RBM."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from darla.common import InputError
from darla.vision import SeeConfig, TrainingConfig
from darla.vision.encoders.load import build_model
from darla.vision.models.three_way_boltzmann import ThreeWayBoltzmann
from darla.vision.training.loop import build_seeded, train_model
from darla.vision.training.units import Units

TINY = {"latent_dim": 4, "factors": 2, "pool": 8}
SHAPE = (16, 16, 1)  # with pool 8, four visible units


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomized(machine: ThreeWayBoltzmann, scale: float = 0.7, seed: int = 0) -> ThreeWayBoltzmann:
    """The machine in float64 with large weights, so that no term of its energy is negligible."""
    noise = generator(seed)
    machine.double()
    for parameter in machine.parameters():
        parameter.data = scale * torch.randn(parameter.shape, generator=noise, dtype=torch.float64)
    return machine


def machine(visible: int = 4, pose: int = 3, identity: int = 2, factors: int = 3, **options) -> ThreeWayBoltzmann:
    return randomized(ThreeWayBoltzmann(visible, pose, identity, factors, **options))


def binary(count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=count)), dtype=dtype)


def all_states(boltzmann: ThreeWayBoltzmann, images: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Every v, m and h of a unit of images."""
    visible, pose, identity = images * len(boltzmann.a), images * len(boltzmann.b), len(boltzmann.c)
    v, m, h = binary(visible + pose + identity, boltzmann.a.dtype).split([visible, pose, identity], 1)
    return v.unflatten(1, (images, -1)), m.unflatten(1, (images, -1)), h[:, None]


def log_z(boltzmann: ThreeWayBoltzmann, images: int = 1) -> Tensor:
    return (-boltzmann.energy(*all_states(boltzmann, images))).logsumexp(0)


def log_sum_over_hidden(boltzmann: ThreeWayBoltzmann, v: Tensor) -> Tensor:
    """log sum_{m, h} exp(-E) for units of images v, (U, k, V)."""
    images, pose = v.shape[1], len(boltzmann.b)
    hidden = binary(images * pose + len(boltzmann.c), boltzmann.a.dtype)
    m, h = hidden[:, : images * pose].unflatten(1, (images, -1)), hidden[:, None, images * pose :]
    energies = torch.stack([boltzmann.energy(each.expand(len(hidden), -1, -1), m, h) for each in v])
    return (-energies).logsumexp(1)


def probability_of_one(boltzmann: ThreeWayBoltzmann, states: list[Tensor], group: int) -> Tensor:
    """p(unit = 1 | the other two groups) of every unit of a group, from sums of exp(-E) over all its values."""
    values = binary(states[group][0].numel()).reshape(-1, *states[group].shape[1:])
    weights = []
    for value in values:
        changed = [value.expand_as(state) if number == group else state for number, state in enumerate(states)]
        weights.append(-boltzmann.energy(*changed))
    return torch.einsum("su,s...->u...", torch.stack(weights).softmax(0), values)


# -- The energy and what follows from it


def test_the_energy_is_that_of_a_full_three_way_tensor():
    boltzmann = machine()
    v, m, h = (state[:, 0] for state in all_states(boltzmann))
    tensor = torch.einsum("if,jf,kf->ijk", boltzmann.Wv, boltzmann.Wm, boltzmann.Wh)
    expected = -torch.einsum("ni,nj,nk,ijk->n", v, m, h, tensor)
    expected -= torch.einsum("ni,nj,ij->n", v, m, boltzmann.P) + torch.einsum("ni,nk,ik->n", v, h, boltzmann.Q)
    expected -= v @ boltzmann.a + m @ boltzmann.b + h @ boltzmann.c
    torch.testing.assert_close(boltzmann.energy(*all_states(boltzmann)), expected)


@pytest.mark.parametrize("images", [1, 2])
def test_conditionals_are_those_of_the_enumerated_distribution(images):
    boltzmann = machine(2, 2, 2)
    states = [state[::7] for state in all_states(boltzmann, images)]
    v, m, h = states
    for group, inputs in enumerate(
        (boltzmann.visible_input(m, h), boltzmann.pose_input(v, h), boltzmann.identity_input(v, m))
    ):
        torch.testing.assert_close(inputs.sigmoid(), probability_of_one(boltzmann, states, group))


def test_a_shared_identity_receives_the_inputs_from_both_images():
    boltzmann = machine(2, 2, 2)
    v, m, _ = all_states(boltzmann, 2)
    each = [boltzmann.identity_input(v[:, [image]], m[:, [image]]) for image in (0, 1)]
    torch.testing.assert_close(boltzmann.identity_input(v, m), each[0] + each[1])


def test_gaussian_visible_units_have_their_input_as_mean_and_variance_one():
    boltzmann = machine(1, 2, 2, gaussian=True)
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    m, h = torch.tensor([[[1.0, 0.0]]]).double(), torch.tensor([[[1.0, 1.0]]]).double()
    weights = -boltzmann.energy(grid[:, None, None], m.expand(len(grid), -1, -1), h.expand(len(grid), -1, -1))
    mean = (weights.softmax(0) * grid).sum()
    inputs = boltzmann.visible_input(m, h)
    torch.testing.assert_close(inputs.squeeze(), mean)
    torch.testing.assert_close((weights.softmax(0) * (grid - mean).square()).sum(), torch.ones(()).double())
    # log of the integral over v, as annealed importance sampling needs it
    integral = weights.logsumexp(0) + math.log(float(grid[1] - grid[0]))
    hidden = (m @ boltzmann.b + h @ boltzmann.c).squeeze()
    torch.testing.assert_close(boltzmann.log_normalizer(inputs).squeeze() + hidden, integral)


def test_the_gradient_of_the_likelihood_is_a_difference_of_mean_energies():
    boltzmann = machine()
    data = binary(4)[[1, 6, 11, 15]][:, None]
    (log_z(boltzmann) - log_sum_over_hidden(boltzmann, data).mean()).backward()
    expected = [parameter.grad.clone() for parameter in boltzmann.parameters()]
    boltzmann.zero_grad()
    v, m, h = all_states(boltzmann)
    energies = boltzmann.energy(v, m, h)
    in_model = (-energies).softmax(0).detach()
    at_data = torch.zeros_like(in_model)
    for each in data:
        same = (v == each).flatten(1).all(1)
        at_data[same] += (-energies[same]).softmax(0).detach() / len(data)
    (at_data @ energies - in_model @ energies).backward()
    for parameter, gradient in zip(boltzmann.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


# -- Limits


@pytest.mark.parametrize("factors", [0, 3])
def test_without_the_three_way_interaction_it_is_an_rbm_with_both_groups_as_hidden_units(factors):
    boltzmann = machine(factors=factors)
    boltzmann.Wv.data.zero_()
    v = binary(4)[:, None]
    weights, bias = torch.cat([boltzmann.P, boltzmann.Q], 1), torch.cat([boltzmann.b, boltzmann.c])
    minus_free_energy = v[:, 0] @ boltzmann.a + functional.softplus(v[:, 0] @ weights + bias).sum(1)
    torch.testing.assert_close(log_sum_over_hidden(boltzmann, v), minus_free_energy)
    m, h = boltzmann.mean_field(v, 1)
    torch.testing.assert_close(torch.cat([m, h], 2)[:, 0], (v[:, 0] @ weights + bias).sigmoid())
    torch.testing.assert_close(boltzmann.log_evidence(v, m, h), minus_free_energy)


def test_with_one_group_fixed_it_is_an_rbm_with_effective_weights():
    boltzmann = machine()
    v, m, _ = all_states(boltzmann)
    h = torch.tensor([1.0, 1.0]).double().expand(len(v), 1, 2)
    weights = boltzmann.P + boltzmann.Wv @ torch.diag(boltzmann.Wh.sum(0)) @ boltzmann.Wm.T
    bias = boltzmann.a + boltzmann.Q.sum(1)
    torch.testing.assert_close(boltzmann.visible_input(m, h), m @ weights.T + bias)
    torch.testing.assert_close(boltzmann.pose_input(v, h), v @ weights + boltzmann.b)
    rbm = -((v @ weights) * m).sum((1, 2)) - (v @ bias + m @ boltzmann.b)[:, 0]
    torch.testing.assert_close(boltzmann.energy(v, m, h), rbm - boltzmann.c.sum())


# -- Mean field


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("damping", [0.0, 0.6])
def test_mean_field_raises_a_lower_bound_of_the_evidence_to_a_fixed_point(images, damping):
    boltzmann = randomized(ThreeWayBoltzmann(4, 2, 2, 3), 2.0)
    v = binary(4)[torch.randint(0, 16, (12, images), generator=generator())]
    bounds = torch.stack([boltzmann.log_evidence(v, *boltzmann.mean_field(v, n, damping)) for n in range(1, 12)])
    assert (bounds.diff(dim=0) >= -1e-12).all()
    assert (bounds[-1] > bounds[0] + 1e-4).any()
    assert (bounds <= log_sum_over_hidden(boltzmann, v) + 1e-12).all()
    m, h = boltzmann.mean_field(v, 400, damping)
    torch.testing.assert_close(m, boltzmann.pose_input(v, h).sigmoid())
    torch.testing.assert_close(h, boltzmann.identity_input(v, m).sigmoid())


# -- Sampling


@pytest.mark.parametrize("images", [1, 2])
def test_gibbs_sweeps_leave_the_distribution_of_the_machine_unchanged(images):
    boltzmann = machine(2, 2, 2)
    states = all_states(boltzmann, images)
    exact = (-boltzmann.energy(*states)).softmax(0).detach()
    drawn = exact.multinomial(40_000, replacement=True, generator=generator())
    m, h = boltzmann.gibbs(states[1][drawn], states[2][drawn], 3, generator(1))
    codes = torch.cat([states[1].flatten(1), states[2].flatten(1)], 1)
    powers = 2.0 ** torch.arange(codes.shape[1]).double()
    frequency = torch.bincount((torch.cat([m.flatten(1), h.flatten(1)], 1) @ powers).long(), minlength=2 ** len(powers))
    expected = torch.zeros(2 ** len(powers)).double().index_add(0, (codes @ powers).long(), exact)
    assert (frequency / len(drawn) - expected).abs().sum() < 0.05
    moved = (m != states[1][drawn]).any(-1).double().mean()
    assert moved > 0.3


@pytest.mark.parametrize(("images", "options"), [(1, {}), (2, {}), (1, {"factors": 0})])
def test_annealed_importance_sampling_finds_the_partition_function(images, options):
    boltzmann = machine(**{"visible": 3, "pose": 2, **options})
    estimate = boltzmann.log_partition(generator(), 500, 200, images)
    assert abs(float(estimate - log_z(boltzmann, images).detach())) < 0.05


def test_annealed_importance_sampling_of_gaussian_visible_units():
    boltzmann = machine(3, 2, 2, gaussian=True)
    hidden = binary(4)
    m, h = hidden[:, None, :2], hidden[:, None, 2:]
    given = boltzmann.log_normalizer(boltzmann.visible_input(m, h)) + (m @ boltzmann.b + h @ boltzmann.c)[:, 0]
    assert abs(float(boltzmann.log_partition(generator(), 500, 400) - given.logsumexp(0).detach())) < 0.1


def test_the_partition_function_without_interactions_needs_no_sampling():
    boltzmann = machine()
    for weights in (boltzmann.P, boltzmann.Q, boltzmann.Wv):
        weights.data.zero_()
    torch.testing.assert_close(boltzmann.log_partition(generator(), 3, 2), log_z(boltzmann).detach())


# -- The model


def build(model: str = "disbm", shape: tuple[int, int, int] = SHAPE, **changes):
    config = SeeConfig().change(model=model, **{**TINY, **changes})
    return build_seeded(lambda: build_model(config, shape), 0)


def images_of(v: Tensor) -> Tensor:
    """Images (N, 1, 16, 16) with these visible units, (N, 4)."""
    return v.float().reshape(-1, 1, 2, 2).repeat_interleave(8, 2).repeat_interleave(8, 3)


@pytest.mark.parametrize(
    ("name", "changes"), [("disbm", {"factors": 0}), ("disbm", {}), ("disbm", {"chains": 4000}),
                          ("disbm_pairs", {"pair_weight": 0.5}), ("disbm_pairs", {"pair_weight": 1.0})]
)  # fmt: skip
def test_the_gradient_of_the_loss_is_that_of_the_likelihood_at_the_mean_field(name, changes):
    model = build(name, gibbs_steps=30, mean_field_iterations=100, **changes)
    boltzmann = randomized(model.machine, 0.5)
    images = images_of(binary(4)[[1, 6, 11, 15]])
    copies = images.repeat(1500, 1, 1, 1)
    model.double().loss(copies.double(), generator())["loss"].backward()
    gradients = [parameter.grad.clone() for parameter in boltzmann.parameters()]
    boltzmann.zero_grad()
    v = model.to_visible(images).double()
    parts = {1: v[:, None]} if name == "disbm" else {1: v[:, None], 2: v.unflatten(0, (2, 2))}
    shares = {1: 1.0} if name == "disbm" else {1: 1 - model.config.pair_weight, 2: model.config.pair_weight}
    exact = torch.zeros(()).double()
    for size, units in parts.items():
        with torch.no_grad():
            m, h = model.mean_field(units)
        exact = exact + shares[size] / size * (log_z(boltzmann, size) - boltzmann.log_evidence(units, m, h).mean())
    exact.backward()
    for parameter, gradient in zip(boltzmann.parameters(), gradients, strict=True):
        torch.testing.assert_close(gradient, parameter.grad, atol=0.03, rtol=0)


def test_training_raises_the_likelihood_towards_the_entropy_of_the_data(tmp_path):
    # Four of the 16 patterns of 2 x 2 pixels: none bright, all, or one of the two diagonals.
    patterns = binary(4, torch.float32)[[0b0000, 0b1111, 0b0110, 0b1001]]
    frames = (255 * images_of(patterns)).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    model = build(latent_dim=8, chains=64, gibbs_steps=2)

    @torch.no_grad()
    def nats_lost() -> float:
        minus_entropy = log_z(model.machine) - log_sum_over_hidden(model.machine, patterns[:, None]).mean()
        return float(minus_entropy) - math.log(4)

    before = nats_lost()
    training = TrainingConfig(steps=200, batch_size=64, learning_rate=0.1, log_every=200)
    train_model(model, np.repeat(frames, 16, 0), training, tmp_path, 0)
    assert before > 1.3
    assert nats_lost() < 0.7


@pytest.mark.parametrize(
    ("name", "options"), [("disbm", {"chains": 8}), ("disbm_pairs", {"chains": 8, "pair_weight": 0.5})]
)
def test_a_resumed_training_with_persistent_chains_ends_with_the_same_bytes(name, options, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (32, *SHAPE), dtype=np.uint8)
    units = Units(np.arange(32).reshape(-1, 2))

    def train(folder, stop_early=False):
        model = build(name, **options)
        training = TrainingConfig(steps=8, batch_size=8, log_every=4, checkpoint_every=2)

        def stop(row):
            raise KeyboardInterrupt

        if stop_early:
            with pytest.raises(KeyboardInterrupt):
                train_model(model, images, training, folder, 0, units=units, observe=stop)
        else:
            train_model(model, images, training, folder, 0, units=units)
        return model.state_dict()

    start, whole = (
        build(name, chains=8, **({"pair_weight": 0.5} if name == "disbm_pairs" else {})).state_dict(),
        train(tmp_path / "whole"),
    )
    train(tmp_path / "parts", stop_early=True)
    resumed = train(tmp_path / "parts")
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())
    chains = [key for key in whole if "chains" in key]
    assert len(chains) == (2 if name == "disbm" else 4)
    assert any(not torch.equal(start[key], whole[key]) for key in chains)


def test_held_out_losses_do_not_move_the_chains():
    model = build(chains=16).eval()
    before = model.chains_m_1.clone()
    model.loss(images_of(binary(4)), generator())
    assert torch.equal(model.chains_m_1, before)
    model.train().loss(images_of(binary(4)), generator())
    assert not torch.equal(model.chains_m_1, before)


def test_the_two_images_of_a_pair_share_their_identity():
    model = build("disbm_pairs")
    randomized(model.machine)
    model.double()
    v = model.to_visible(images_of(binary(4))).double()
    _, alone = model.mean_field(v[:, None])
    _, twice = model.mean_field(torch.stack([v, v], 1))
    _, both = model.mean_field(v.unflatten(0, (-1, 2)))
    assert both.shape == (8, 1, 2)
    # Two images that agree say the same with twice the weight.
    assert (twice - 0.5).abs().mean() > (alone - 0.5).abs().mean()
    swapped = model.mean_field(v.unflatten(0, (-1, 2)).flip(1))[1]
    torch.testing.assert_close(swapped, both)


def test_the_code_is_pose_then_identity_and_decodes_to_squares_of_pixels():
    model = build(latent_dim=5, pose_units=3, shape=(16, 32, 3)).eval()
    randomized(model.machine, 0.1).float()
    images = torch.rand(6, 3, 16, 32, generator=generator())
    codes = model.encode(images).mean
    m, h = model.mean_field(model.to_visible(images)[:, None])
    torch.testing.assert_close(codes, torch.cat([m[:, 0], h[:, 0]], 1))
    assert (m.shape[2], h.shape[2]) == (3, 2)
    decoded = model.decode(codes)
    torch.testing.assert_close(model.to_visible(decoded), model.machine.visible_input(m, h).sigmoid()[:, 0])
    torch.testing.assert_close(model.to_image(model.to_visible(decoded)), decoded)
    means = images.unflatten(2, (2, 8)).unflatten(4, (4, 8)).mean((3, 5))
    torch.testing.assert_close(model.to_image(model.to_visible(images))[:, :, ::8, ::8], means)


def test_samples_and_swaps_are_images():
    model = build().eval()
    randomized(model.machine).float()
    images = images_of(binary(4)[:3])
    assert model.sample(5, 2, generator()).shape == (5, *SHAPE)
    assert np.array_equal(model.sample(3, 4, generator(), images), model.sample(3, 4, generator(), images))
    swapped = model.swap(images)
    assert (swapped.shape, swapped.dtype) == ((3, 3, *SHAPE), np.uint8)
    codes = model.encode(images).mean
    own = model.decode(codes)[:, 0].mul(255).round()
    mixed = model.decode(torch.cat([codes[:1, :2], codes[2:, 2:]], 1))[0, 0].mul(255).round()
    assert np.array_equal(swapped[[0, 1, 2], [0, 1, 2], ..., 0], own.detach().numpy())
    assert np.array_equal(swapped[0, 2, ..., 0], mixed.detach().numpy())
    with pytest.raises(InputError, match="5 samples cannot start at 3 images"):
        model.sample(5, 1, generator(), images)


def test_a_model_of_pairs_draws_pairs_with_one_identity():
    model = build("disbm_pairs").eval()
    randomized(model.machine, 1.0).float()
    # With a pose that does not act on v, images of a pair are equal.
    for weights in (model.machine.P, model.machine.Wv):
        weights.data.zero_()
    drawn = model.sample(40, 5, generator())
    assert np.array_equal(drawn[0::2], drawn[1::2])
    assert len(np.unique(drawn.reshape(40, -1), axis=0)) > 1
    with pytest.raises(InputError, match="3 samples are no whole number of pairs"):
        model.sample(3, 1, generator())


def test_gaussian_visible_units_see_and_draw_the_same_pixels():
    model = build(visible="gaussian", vae__pixel_std=0.2).eval()
    images = torch.rand(4, 1, 16, 16, generator=generator())
    v = model.to_visible(images)
    torch.testing.assert_close(v * 0.2, model.to_visible(images_of(v * 0.2)) * 0.2)
    model.machine.a.data.fill_(0.6 / 0.2)
    for weights in (model.machine.P, model.machine.Q, model.machine.Wv):
        weights.data.zero_()
    torch.testing.assert_close(model.decode(torch.rand(4, 4)), torch.full((4, 1, 16, 16), 0.6))
    terms = model.loss(images, generator())
    torch.testing.assert_close(
        terms["reconstruction"], ((images_of(v * 0.2)[..., ::8, ::8] - 0.6) / 0.2).square().sum() / 8
    )


@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
def test_images_are_drawn_with_the_given_mean_before_training(visible):
    model = build(visible=visible, pixel_mean=0.2, std=1e-6, three_way_std=1e-6)
    torch.testing.assert_close(model.decode(torch.rand(3, 4)), torch.full((3, 1, 16, 16), 0.2))


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        ("disbm", {"latent_dim": 1}),
        ("disbm", {"pose_units": 4}),
        ("disbm", {"pose_units": 0}),
        ("disbm", {"factors": -1}),
        ("disbm", {"mean_field_iterations": 0}),
        ("disbm", {"gibbs_steps": 0}),
        ("disbm", {"chains": -1}),
        ("disbm", {"pool": 3}),
        ("disbm", {"visible": "normal"}),
        ("disbm", {"vae__pixel_std": 0.1}),
        ("disbm", {"visible": "gaussian", "vae__pixel_std": 0.0}),
        ("disbm", {"std": 0.0}),
        ("disbm", {"three_way_std": 0.0}),
        ("disbm", {"pixel_mean": 1.0}),
        ("disbm", {"damping": 1.0}),
        ("disbm_pairs", {"pair_weight": 0.0}),
        ("disbm_pairs", {"pair_weight": 1.1}),
    ],
)
def test_options_that_cannot_be_used_are_refused(model, wrong):
    with pytest.raises(InputError):
        SeeConfig().change(model=model, **{**TINY, **wrong})
