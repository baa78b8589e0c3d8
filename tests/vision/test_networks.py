import pytest
import torch
from torch import nn

from darla.common import InputError
from darla.vision.models.networks import BroadcastDecoder, Decoder, Encoder, architecture
from darla.vision.training.fused_conv import FusedSequential, fuse_for_cpu


def test_darla_has_the_published_layers():
    encoder = Encoder(architecture("darla"), (64, 64, 3), 64, "relu")
    assert [tuple(layer.weight.shape) for layer in encoder.convolutions[::2]] == [
        (32, 3, 4, 4), (32, 32, 4, 4), (64, 32, 4, 4), (64, 64, 4, 4),
    ]  # fmt: skip
    assert [tuple(layer.weight.shape) for layer in encoder.hidden[::2]] == [(256, 1024)]
    assert encoder.head.weight.shape == (64, 256)


def test_burgess_has_the_published_layers():
    encoder = Encoder(architecture("burgess"), (64, 64, 3), 20, "relu")
    assert {layer.weight.shape[0] for layer in encoder.convolutions[::2]} == {32}
    assert [tuple(layer.weight.shape) for layer in encoder.hidden[::2]] == [(256, 512), (256, 256)]


@pytest.mark.parametrize("name", ["darla", "locatello", "burgess"])
@pytest.mark.parametrize("shape", [(16, 16, 3), (32, 16, 1)])
def test_decoder_mirrors_encoder(name, shape):
    height, width, channels = shape
    encoder = Encoder(architecture(name), shape, 5, "elu")
    decoder = Decoder(architecture(name), shape, 5, channels, "elu")
    code = encoder(torch.zeros(2, channels, height, width))
    assert code.shape == (2, 5)
    assert decoder(code).shape == (2, channels, height, width)


def test_width_multiplies_channels_and_hidden_units():
    assert architecture("darla", 2).channels == (64, 64, 128, 128)
    assert architecture("darla", 2).hidden == (512,)


def test_features_end_before_the_activation(images):
    encoder = Encoder(architecture("darla"), (16, 16, 3), 4, "relu")
    first = encoder.features(images, 1)
    torch.testing.assert_close(first, nn.functional.conv2d(images, *encoder.convolutions[0].parameters(), 2, 1))
    assert first.min() < 0
    second = encoder.features(images, 2)
    torch.testing.assert_close(second, nn.functional.conv2d(first.relu(), *encoder.convolutions[2].parameters(), 2, 1))


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_dead_units_are_those_that_no_image_moves(activation):
    images = torch.rand(32, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    encoder = Encoder(architecture("darla"), (16, 16, 3), 4, activation)
    initial = encoder.dead_units(images)
    assert (initial == 0) == (activation == "elu")  # a third of the ReLUs are dead as PyTorch initializes them
    with torch.no_grad():
        encoder.hidden[0].bias.fill_(-1e4)  # 0 or, of an ELU, -1, for every image
        assert initial + 0.2 < encoder.dead_units(images) <= initial + 256 / 448
        encoder.convolutions[0].bias[:16] = -1e4
        encoder.convolutions[2].bias.fill_(-1e4)  # and nothing behind it can tell images apart
    assert 432 <= round(448 * encoder.dead_units(images)) < 448
    assert encoder.dead_units(images[:1].expand(2, -1, -1, -1)) == 1.0


def convolution(kind: type[nn.Module], activation: type[nn.Module] | None) -> nn.Sequential:
    layers = [kind(5, 7, 4, stride=2, padding=1), *([] if activation is None else [activation()])]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("activation", [None, nn.ReLU, nn.ELU])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_fused_convolution_equals_the_plain_one_up_to_rounding(kind, activation):
    torch.manual_seed(0)
    holder = nn.ModuleDict({"layers": convolution(kind, activation)})
    before = dict(holder.named_parameters())
    fuse_for_cpu(holder)
    assert type(holder["layers"]) is FusedSequential
    assert all(parameter is before[name] for name, parameter in holder.named_parameters())
    x = torch.randn(3, 5, 8, 8).to(memory_format=torch.channels_last)
    results = []
    for reduced in (False, True):
        holder.zero_grad()
        leaf = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            y = holder["layers"](leaf)
        assert (y.grad_fn.name() == "_ConvolutionBackward") == reduced
        y.float().square().sum().backward()
        results.append([y.detach().float(), leaf.grad, *(parameter.grad for parameter in holder.parameters())])
        assert all(value.dtype == torch.float32 for value in results[-1])
    for plain, fused in zip(*results, strict=True):
        assert (plain - fused).norm() < 0.01 * plain.norm()


def test_fusing_keeps_names_and_results_of_a_whole_network_in_float32(images):
    torch.manual_seed(0)
    encoder = Encoder(architecture("darla"), (16, 16, 3), 4, "relu")
    names, outputs, features = list(encoder.state_dict()), encoder(images), encoder.features(images, 2)
    fuse_for_cpu(fuse_for_cpu(encoder))
    assert list(encoder.state_dict()) == names
    assert torch.equal(encoder(images), outputs)
    assert torch.equal(encoder.features(images, 2), features)


def test_features_of_a_fused_network_end_before_the_activation_in_bfloat16(images):
    encoder = fuse_for_cpu(Encoder(architecture("darla"), (16, 16, 3), 4, "relu"))
    with torch.autocast("cpu", torch.bfloat16):
        reduced = encoder.features(images, 2).float()
    plain = encoder.features(images, 2)
    assert reduced.min() < 0
    assert (plain - reduced).norm() < 0.02 * plain.norm()


@pytest.mark.parametrize("other", [nn.Conv2d(5, 7, 3, padding=1), nn.Conv2d(5, 7, 4, stride=2, padding=1, bias=False)])
def test_other_convolutions_are_left_as_they_are(other):
    holder = fuse_for_cpu(nn.ModuleDict({"layers": nn.Sequential(other, nn.ReLU())}))
    assert type(holder["layers"]) is nn.Sequential


def test_head_is_computed_in_float32_under_autocast(images):
    encoder = Encoder(architecture("darla"), (16, 16, 3), 4, "relu")
    with torch.autocast("cpu", torch.bfloat16):
        assert encoder(images).dtype == torch.float32


def test_unknown_names_are_refused_with_the_closest_known_one():
    with pytest.raises(InputError, match="did you mean 'burgess'"):
        architecture("burges")
    with pytest.raises(InputError, match="unknown activation 'swish'"):
        Encoder(architecture("darla"), (16, 16, 3), 4, "swish")
    with pytest.raises(InputError, match="no convolution 5"):
        Encoder(architecture("darla"), (16, 16, 3), 4, "relu").features(torch.zeros(1, 3, 16, 16), 5)


def test_locatello_has_the_published_kernels():
    encoder = Encoder(architecture("locatello"), (64, 64, 3), 20, "relu")
    assert [layer.kernel_size[0] for layer in encoder.convolutions[::2]] == [4, 4, 2, 2]
    assert [tuple(layer.weight.shape) for layer in encoder.hidden[::2]] == [(256, 1024)]
    assert encoder(torch.zeros(2, 3, 64, 64)).shape == (2, 20)


def test_a_broadcast_decoder_draws_alike_everywhere_but_for_the_coordinates():
    decoder = BroadcastDecoder(architecture("darla"), (64, 64, 3), 5, 3, "relu")
    with torch.no_grad():
        assert decoder(torch.randn(2, 5)).shape == (2, 3, 64, 64)
        decoder.deconvolutions[0].weight[:, 5:] = 0  # blind to the coordinates
        image = decoder(torch.randn(1, 5))[0]
    inner = image[:, 24:40, 24:40]
    torch.testing.assert_close(inner[:, :8, :8], inner[:, 8:, 8:], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(image[:, :8, :8], inner[:, :8, :8], atol=1e-5)  # the border is seen by its padding
