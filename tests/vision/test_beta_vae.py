import math

import pytest
import torch

from darla.common import InputError
from darla.vision import DAE, BetaVAE, BetaVAEConfig, DAEConfig, FeatureSpace, PerceptualConfig, Posterior

SHAPE = (16, 16, 3)


def build(**config) -> BetaVAE:
    torch.manual_seed(0)
    built = BetaVAEConfig(latent_dim=4, **config)
    perceptual = FeatureSpace(DAE(DAEConfig(bottleneck=8), SHAPE), PerceptualConfig()) if built.needs_dae else None
    torch.manual_seed(0)
    return BetaVAE(built, perceptual, SHAPE)


def losses(model: BetaVAE, images: torch.Tensor) -> dict[str, torch.Tensor]:
    return model.loss(images, torch.Generator().manual_seed(0))


def test_beta_one_is_the_evidence_lower_bound(images):
    terms = losses(build(beta=1.0), images)
    torch.testing.assert_close(terms["loss"], terms["pixel"] + terms["kl"])


def test_beta_zero_is_a_stochastic_autoencoder(images):
    terms = losses(build(beta=0.0), images)
    torch.testing.assert_close(terms["loss"], terms["pixel"])


def test_normalized_beta_is_scaled_by_pixels_per_latent(images):
    plain, normalized = build(beta=192.0), build(beta=1.0, beta_is_normalized=True)  # 16 * 16 * 3 / 4
    torch.testing.assert_close(losses(plain, images)["loss"], losses(normalized, images)["loss"])


@pytest.mark.parametrize(("share", "part"), [(0.0, 0.0), (0.125, 0.5), (0.25, 1.0), (0.9, 1.0)])
def test_beta_rises_over_its_warmup_and_is_the_final_one_outside_training(images, share: float, part: float):
    model = build(beta=4.0, beta_warmup_fraction=0.25)
    model.on_step(round(1000 * share), 1000)
    terms = losses(model.train(), images)
    torch.testing.assert_close(terms["loss"], terms["pixel"] + part * 4.0 * terms["kl"])
    terms = losses(model.eval(), images)
    torch.testing.assert_close(terms["loss"], terms["pixel"] + 4.0 * terms["kl"])


def test_beta_rises_in_a_straight_line_over_its_warmup(images):
    model = build(beta=4.0, beta_warmup_fraction=0.5)
    for share, weight in ((0.0, 0.0), (0.25, 2.0), (0.5, 4.0), (0.9, 4.0)):
        model.on_step(round(1000 * share), 1000)
        terms = losses(model.train(), images)
        torch.testing.assert_close(terms["loss"], terms["pixel"] + weight * terms["kl"])


def test_outside_training_beta_is_the_final_one(images):
    model = build(beta=4.0, beta_warmup_fraction=0.5).eval()
    model.on_step(0, 1000)
    terms = losses(model, images)
    torch.testing.assert_close(terms["loss"], terms["pixel"] + 4 * terms["kl"])


def test_mixed_is_the_weighted_sum_of_both_terms(images):
    terms = losses(build(loss="mixed", pixel_weight=0.25, beta=2.0), images)
    torch.testing.assert_close(terms["loss"], terms["perceptual"] + 0.25 * terms["pixel"] + 2 * terms["kl"])


def test_duplicating_the_batch_leaves_the_loss_unchanged(images):
    model = build(loss="mixed", pixel_weight=1.0)
    with torch.no_grad():
        model.encoder.head.bias[4:] = -40.0  # no noise to speak of, so that both halves sample the same z
    torch.testing.assert_close(losses(model, images.repeat(2, 1, 1, 1))["loss"], losses(model, images)["loss"])


def test_with_a_constant_reconstruction_the_optimum_is_the_prior(images):
    model = build(beta=4.0)
    with torch.no_grad():
        for weight in (model.decoder.deconvolutions[-1].weight, model.encoder.head.weight, model.encoder.head.bias):
            weight.zero_()
    losses(model, images)["loss"].backward()
    assert model.encoder.head.bias.grad.abs().max() < 1e-6  # mean 0 and log-variance 0 are stationary


def test_optimal_log_variance_for_a_linear_decoder():
    # Decoder Wz with Gaussian noise s^2: E|x - Wz|^2 / (2 s^2) grows by |w_j|^2 var_j / (2 s^2), and beta KL pays for
    # small variances. So var_j = 1 / (1 + |w_j|^2 / (beta s^2)), whatever the means.
    columns, beta, variance = torch.tensor([[1.0, 0.0], [2.0, 0.1]]), 3.0, 0.5
    log_variance = torch.zeros(1, 2, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_variance], max_iter=100, tolerance_grad=1e-9)

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        spread = (columns.square().sum(dim=0) * log_variance.exp()).sum() / (2 * variance)
        loss = spread + beta * Posterior(torch.zeros(1, 2), log_variance).kl()
        loss.backward()
        return loss

    optimizer.step(objective)
    expected = [-math.log(1 + float(column.square().sum()) / (beta * variance)) for column in columns.T]
    assert log_variance[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_decoded_images_are_in_the_pixel_range(images):
    model = build(likelihood="gaussian_per_pixel")
    decoded = model.decode(torch.zeros(2, 4))
    assert decoded.shape == (2, 3, 16, 16)
    assert 0 <= decoded.min() <= decoded.max() <= 1
    assert model.decoder.deconvolutions[-1].weight.shape[1] == 6


def test_encoding_in_eval_mode_is_deterministic(images):
    model = build().eval()
    assert torch.equal(model.encode(images).mean, model.encode(images).mean)


def test_perceptual_reconstructions_are_displayed_through_the_dae(images):
    model = build(loss="perceptual")
    torch.testing.assert_close(model.to_display(images), model.reconstruction.feature_space.dae(images))
    assert build().to_display(images) is images


def test_options_that_would_be_ignored_are_refused():
    with pytest.raises(InputError, match=r"pixel_weight 0\.5 would be ignored"):
        BetaVAEConfig(loss="perceptual", pixel_weight=0.5)
    with pytest.raises(InputError, match="needs a pixel_weight"):
        BetaVAEConfig(loss="mixed")
    with pytest.raises(InputError, match="needs a DAE"):
        BetaVAE(BetaVAEConfig(loss="perceptual"), None, SHAPE)
    with pytest.raises(InputError, match="has no use for a DAE"):
        BetaVAE(BetaVAEConfig(), FeatureSpace(DAE(DAEConfig(), SHAPE), PerceptualConfig()), SHAPE)
    with pytest.raises(InputError, match="beta must not be negative"):
        BetaVAEConfig(beta=-1.0)
    with pytest.raises(InputError, match="multiples of 16"):
        BetaVAE(BetaVAEConfig(), None, (60, 64, 3))
