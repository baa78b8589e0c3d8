import pytest
import torch

from darla.vision.encoders.traversals import traverse
from darla.vision.models.qlae import QLAE, QLAEConfig

SHAPE = (16, 16, 3)


def build(**config) -> QLAE:
    torch.manual_seed(0)
    return QLAE(QLAEConfig(latent_dim=3, n_values=5, **config), None, SHAPE)


def test_codes_are_the_nearest_values_and_quantizing_twice_changes_nothing():
    model = build()
    outputs = torch.randn(50, 3)
    values = model.quantize(outputs)
    grid = torch.linspace(-0.5, 0.5, 5)
    torch.testing.assert_close(values, grid[(outputs[..., None] - grid).abs().argmin(-1)])
    assert torch.equal(model.quantize(values), values)


def test_the_gradient_of_the_reconstruction_passes_straight_through(images):
    model = build(quantization_weight=0.0, commitment_weight=0.0)
    outputs = model.encoder(images)
    values = model.quantize(outputs).detach().requires_grad_()
    model.reconstruction(model.decoder(values), images)[0].backward()
    at_values = values.grad.clone()
    outputs = model.encoder(images)
    outputs.retain_grad()
    straight_through = outputs + (model.quantize(outputs) - outputs).detach()
    model.reconstruction(model.decoder(straight_through), images)[0].backward()
    torch.testing.assert_close(outputs.grad, at_values)


@pytest.mark.parametrize(
    ("weights", "moved", "still"),
    [
        ({"quantization_weight": 1.0, "commitment_weight": 0.0}, "codebook", "encoder"),
        ({"quantization_weight": 0.0, "commitment_weight": 1.0}, "encoder", "codebook"),
    ],
)
def test_each_distance_moves_one_side_alone(weights, moved, still, images):
    model, bare = build(**weights), build(quantization_weight=0.0, commitment_weight=0.0)
    for each in (model, bare):
        each.loss(images)["loss"].backward()
    for name, parameter in model.named_parameters():
        other = dict(bare.named_parameters())[name].grad
        same = parameter.grad is None if other is None else torch.equal(parameter.grad, other)
        if name.startswith(still):
            assert same, name
    assert any(
        not torch.equal(parameter.grad, dict(bare.named_parameters())[name].grad)
        for name, parameter in model.named_parameters()
        if name.startswith(moved)
    )


def test_a_cold_softmax_is_the_nearest_value_and_a_hot_one_the_mean_of_all():
    outputs = torch.randn(50, 3)
    torch.testing.assert_close(
        build(softmax_temperature=1e-5).quantize(outputs), build().quantize(outputs), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(build(softmax_temperature=1e9).quantize(outputs), torch.zeros(50, 3), atol=1e-6, rtol=0)


def test_weight_decay_spares_biases_and_values():
    decayed, spared = build(weight_decay=0.1).parameter_groups()
    assert decayed["weight_decay"] == 0.1
    assert spared["weight_decay"] == 0.0
    assert all(part.ndim > 1 for part in decayed["params"])
    assert any(part.shape == (3, 5) for part in spared["params"])


def test_a_traversal_goes_through_the_values_of_a_latent(images):
    model = build().eval()
    result = traverse(model, images[:1], torch.zeros(3).numpy(), values=5)
    assert result.values[0] == pytest.approx([-0.5, -0.25, 0.0, 0.25, 0.5])
