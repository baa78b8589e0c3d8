"""The loss whose decoder predicts the DAE's features, with no image in between."""

import pytest
import torch

from darla.common import InputError
from darla.vision import DAE, BetaVAE, BetaVAEConfig, DAEConfig, FeatureSpace, PerceptualConfig
from darla.vision.models.feature_space import NORMALIZATIONS, feature_statistics

SHAPE = (16, 16, 3)


def build(images: torch.Tensor, normalization: str = "whiten", **config) -> BetaVAE:
    torch.manual_seed(0)
    dae = DAE(DAEConfig(bottleneck=8), SHAPE).eval()
    perceptual = FeatureSpace(dae, PerceptualConfig(normalization=normalization))
    perceptual.calibrate(feature_statistics(dae, [images], ["bottleneck"])["bottleneck"])
    return BetaVAE(BetaVAEConfig(latent_dim=4, loss="features", **config), perceptual, SHAPE)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_image_of_true_features_is_the_daes_own(images, normalization):
    model = build(images, normalization)
    feature_space = model.reconstruction.feature_space
    drawn = feature_space.decode_features(feature_space(images))
    torch.testing.assert_close(drawn, feature_space.dae(images), atol=1e-3, rtol=0)


def test_a_true_prediction_costs_nothing_and_a_constant_one_the_budget(images):
    feature_space = build(images).reconstruction.feature_space
    assert feature_space.distance(feature_space(images), images) == 0
    torch.testing.assert_close(
        feature_space.distance(torch.zeros(1, 8), images), torch.tensor(600.0), rtol=1e-3, atol=0
    )


def test_the_objective_is_the_perceptual_one_of_what_was_predicted(images):
    model = build(images, beta=3.0)
    terms = model.loss(images, generator())
    predicted = model.decoder(model.encode(images).sample(generator()))
    torch.testing.assert_close(terms["perceptual"], model.reconstruction.feature_space.distance(predicted, images))
    torch.testing.assert_close(terms["loss"], terms["perceptual"] + 3 * terms["kl"])


def test_gradients_reach_encoder_and_decoder_and_nothing_of_the_dae(images):
    model = build(images)
    model.loss(images, generator())["loss"].backward()
    assert all(weight.grad is None for weight in model.reconstruction.parameters())
    for part in (model.encoder, model.decoder):
        assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in part.parameters())


def test_codes_decode_to_uint8(images):
    model = build(images).eval()
    with torch.inference_mode():
        decoded = model.decode(model.encode(images).mean)
    assert decoded.shape == images.shape
    assert decoded.min() >= 0
    assert decoded.max() <= 1
    assert model.to_display(decoded) is decoded  # the DAE has drawn it already


def test_only_the_bottleneck_can_be_predicted():
    with pytest.raises(InputError, match="conv2"):
        BetaVAEConfig(loss="features", perceptual=PerceptualConfig(layer="conv2"))
