import pytest
import torch

from darla.common import InputError
from darla.vision import DAE, BetaVAE, BetaVAEConfig, DAEConfig, FeatureSpace, PerceptualConfig
from darla.vision.models.feature_space import NORMALIZATIONS, FeatureStatistics, feature_statistics
from darla.vision.models.likelihoods import Gaussian

SHAPE = (16, 16, 3)


class Identity(DAE):
    """A DAE whose features are the image, times a factor."""

    factor = 1.0

    def features(self, images, layer):
        return self.factor * images


class Constant(DAE):
    """A DAE whose features do not depend on the image."""

    def features(self, images, layer):
        return torch.ones(len(images), 5)


def vae_with(kind: type[DAE], **config) -> BetaVAE:
    torch.manual_seed(0)
    dae = kind(DAEConfig(bottleneck=8), SHAPE)
    feature_space = FeatureSpace(dae, PerceptualConfig(layer="bottleneck"))
    return BetaVAE(BetaVAEConfig(latent_dim=4, loss="perceptual", **config), feature_space, SHAPE)


def cost(model: BetaVAE, images: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    feature_space = model.reconstruction.feature_space
    return feature_space.distance(feature_space(images), others)


def losses(model: BetaVAE, images: torch.Tensor) -> dict[str, torch.Tensor]:
    return model.loss(images, torch.Generator().manual_seed(0))


def test_identity_j_is_the_gaussian_beta_vae(images):
    perceptual = vae_with(Identity, beta=2.0)
    gaussian = BetaVAE(BetaVAEConfig(latent_dim=4, likelihood="gaussian", pixel_std=1.0, beta=2.0), None, SHAPE)
    ours = {name: value for name, value in perceptual.state_dict().items() if not name.startswith("reconstruction")}
    gaussian.load_state_dict(ours)
    torch.testing.assert_close(losses(perceptual, images)["loss"], losses(gaussian, images)["loss"])
    losses(perceptual, images)["loss"].backward()
    losses(gaussian, images)["loss"].backward()
    torch.testing.assert_close(perceptual.encoder.head.weight.grad, gaussian.encoder.head.weight.grad)


def test_constant_j_leaves_beta_times_kl(images):
    terms = losses(vae_with(Constant, beta=3.0), images)
    assert terms["perceptual"] == 0
    torch.testing.assert_close(terms["loss"], 3 * terms["kl"])


def test_scaling_j_by_a_scales_the_term_by_a_squared(images):
    model = vae_with(Identity)
    before = losses(model, images)["perceptual"]
    model.reconstruction.feature_space.dae.factor = 3.0
    torch.testing.assert_close(losses(model, images)["perceptual"], 9 * before)


def test_gradient_passes_through_j_but_not_into_its_weights(images):
    model = vae_with(DAE)
    losses(model, images)["perceptual"].backward()
    assert all(weight.grad is None and not weight.requires_grad for weight in model.reconstruction.parameters())
    assert model.decoder.deconvolutions[0].weight.grad.abs().sum() > 0
    assert model.encoder.head.weight.grad.abs().sum() > 0


def test_equal_images_cost_nothing(images):
    assert cost(vae_with(DAE), images, images) == 0


def test_j_sees_the_clean_image_without_occlusion(images):
    model = vae_with(DAE)
    again = cost(model, images + 0.1, images)
    assert torch.equal(cost(model, images + 0.1, images), again)  # nothing random in it


def test_j_stays_in_eval_mode_when_the_model_is_trained():
    model = vae_with(DAE).train()
    assert model.training
    assert not any(module.training for module in model.reconstruction.feature_space.modules())


@pytest.mark.parametrize("layer", ["bottleneck", "conv2", "pixels"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_mean_features_cost_the_budget(images, layer, normalization):
    torch.manual_seed(0)
    dae = DAE(DAEConfig(bottleneck=4), SHAPE)
    statistics = feature_statistics(dae, [images])[layer]
    loss = FeatureSpace(dae, PerceptualConfig(layer, normalization, target_nats=50.0, variance_floor=1e-6)).calibrate(
        statistics
    )
    away = loss(images)  # centered, so the mean's own features are 0
    assert loss.weight * 0.5 * away.square().sum() / len(images) == pytest.approx(50.0, rel=1e-3)


def test_whitened_features_are_uncorrelated_and_of_unit_variance(frames):
    torch.manual_seed(0)
    dae = DAE(DAEConfig(bottleneck=4), SHAPE)
    batch = dae.to_input(frames.images)
    loss = FeatureSpace(dae, PerceptualConfig("bottleneck", "whiten", variance_floor=1e-9))
    loss.calibrate(feature_statistics(dae, [batch])["bottleneck"])
    with torch.no_grad():
        covariance = torch.cov(loss(batch).double().T, correction=0)
    torch.testing.assert_close(covariance, torch.eye(4, dtype=torch.float64), atol=0.02, rtol=0)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_the_loss_does_not_depend_on_the_scale_that_the_dae_learnt(images, normalization):
    distances = []
    for factor in (1.0, 30.0):
        torch.manual_seed(0)
        dae = DAE(DAEConfig(bottleneck=4), SHAPE)
        with torch.no_grad():
            dae.encoder.head.weight.mul_(factor)
            dae.encoder.head.bias.mul_(factor).add_(factor)
        loss = FeatureSpace(dae, PerceptualConfig("bottleneck", normalization))
        loss.calibrate(feature_statistics(dae, [images])["bottleneck"])
        distances.append(loss.distance(loss(images.flip(0)), images))
    torch.testing.assert_close(distances[0], distances[1], rtol=1e-2, atol=1e-3)


def test_statistics_do_not_depend_on_the_batches(frames):
    dae = DAE(DAEConfig(bottleneck=4), SHAPE)
    batch = dae.to_input(frames.images)
    whole, parts = feature_statistics(dae, [batch]), feature_statistics(dae, batch.split(50))
    for layer, measured in whole.items():
        torch.testing.assert_close(measured.mean, parts[layer].mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(measured.covariance, parts[layer].covariance, rtol=1e-3, atol=1e-5)


def test_a_feature_below_the_floor_is_not_scaled_up():
    dae = DAE(DAEConfig(bottleneck=2), SHAPE)
    statistics = FeatureStatistics(torch.zeros(2), torch.diag(torch.tensor([2.0, 1e-12])))
    loss = FeatureSpace(dae, PerceptualConfig("bottleneck", "std", variance_floor=0.01)).calibrate(statistics)
    torch.testing.assert_close(loss.transform, torch.tensor([2.0, 0.01]).rsqrt())


def test_features_that_never_change_are_refused():
    loss = FeatureSpace(DAE(DAEConfig(bottleneck=2), SHAPE), PerceptualConfig("bottleneck"))
    with pytest.raises(InputError, match="same for every image"):
        loss.calibrate(FeatureStatistics(torch.zeros(2), torch.zeros(2, 2)))


def test_gaussian_in_feature_space_has_the_documented_variance(images):
    # nats = D / (2 s^2) for D independent features of unit variance, so s^2 = D / (2 nats).
    dae = Identity(DAEConfig(bottleneck=2), SHAPE)
    loss = FeatureSpace(dae, PerceptualConfig("pixels", target_nats=24.0))
    loss.calibrate(FeatureStatistics(torch.zeros(3), torch.eye(3)))
    variance = 3 * 16 * 16 / (2 * 24.0)
    logits = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    expected = Gaussian(variance**0.5).loss(logits, images)
    torch.testing.assert_close(loss.distance(loss(logits.sigmoid()), images), expected)


def test_invalid_names_and_values_are_refused():
    for change in ({"layer": "conv9"}, {"normalization": "zca"}, {"target_nats": 0.0}, {"variance_floor": 2.0}):
        with pytest.raises(InputError):
            PerceptualConfig(**change)
