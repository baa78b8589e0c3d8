import pytest
import torch
from torch.nn import functional

from darla.common import InputError
from darla.vision.models.likelihoods import LIKELIHOODS, likelihood


@pytest.fixture
def outputs() -> torch.Tensor:
    return torch.randn(6, 6, 16, 16, generator=torch.Generator().manual_seed(1)) * 3


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_duplicating_the_batch_leaves_the_loss_unchanged(name, images, outputs):
    term = likelihood(name, 0.3)
    outputs = outputs[:, : term.channels(3)]
    torch.testing.assert_close(
        term.loss(outputs.repeat(2, 1, 1, 1), images.repeat(2, 1, 1, 1)), term.loss(outputs, images)
    )


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_loss_is_summed_over_pixels(name, images, outputs):
    term = likelihood(name, 0.3)
    outputs = outputs[:, : term.channels(3)]
    top, bottom = (term.loss(outputs[:, :, part], images[:, :, part]) for part in (slice(8), slice(8, None)))
    torch.testing.assert_close(top + bottom, term.loss(outputs, images))


def test_bernoulli_from_logits_is_cross_entropy_of_probabilities(images, outputs):
    expected = functional.binary_cross_entropy(outputs[:, :3].double().sigmoid(), images.double(), reduction="sum") / 6
    assert likelihood("bernoulli", 1.0).loss(outputs[:, :3], images) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bernoulli_gradient_is_that_of_pytorch(images, outputs, dtype):
    mine, reference = (outputs[:, :3].to(dtype).clone().requires_grad_() for _ in range(2))
    likelihood("bernoulli", 1.0).loss(mine, images).backward()
    (functional.binary_cross_entropy_with_logits(reference.float(), images, reduction="sum") / 6).backward()
    torch.testing.assert_close(mine.grad, reference.grad, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_bernoulli_stays_finite_for_extreme_logits(logit):
    black = torch.zeros(1, 3, 16, 16)
    loss = likelihood("bernoulli", 1.0).loss(torch.full_like(black, logit), black)
    assert loss == pytest.approx(3 * 16 * 16 * max(logit, 0.0))


def test_gaussian_is_squared_error_over_twice_the_variance(images, outputs):
    squares = (outputs[:, :3].sigmoid() - images).square().sum() / 6
    torch.testing.assert_close(likelihood("gaussian", 1.0).loss(outputs[:, :3], images), squares / 2)
    torch.testing.assert_close(likelihood("gaussian", 0.1).loss(outputs[:, :3], images), squares / 0.02)


def test_gaussian_of_variance_one_half_is_the_plain_sum_of_squared_errors(images, outputs):
    squares = (outputs[:, :3].sigmoid() - images).square().sum() / 6
    torch.testing.assert_close(likelihood("gaussian", 0.5**0.5).loss(outputs[:, :3], images), squares)


def test_gaussian_per_pixel_with_equal_variances_is_gaussian_up_to_a_constant(images, outputs):
    variance = 0.09
    raw = torch.tensor(variance - 0.01**2).expm1().log()  # softplus, undone
    outputs[:, 3:] = raw
    expected = likelihood("gaussian", variance**0.5).loss(outputs[:, :3], images)
    constant = 0.5 * 3 * 16 * 16 * torch.tensor(variance).log()
    torch.testing.assert_close(likelihood("gaussian_per_pixel", 1.0).loss(outputs, images), expected + constant)


def test_gaussian_per_pixel_is_bounded_below_for_a_perfect_image():
    image = torch.full((1, 3, 16, 16), 0.5)
    sure = torch.cat([torch.zeros_like(image), torch.full_like(image, -100.0)], dim=1)
    loss = likelihood("gaussian_per_pixel", 1.0).loss(sure, image)
    assert loss == pytest.approx(3 * 16 * 16 * torch.tensor(0.01).log().item(), rel=1e-5)


def test_images_are_means_between_zero_and_one(outputs):
    for name in LIKELIHOODS:
        term = likelihood(name, 1.0)
        image = term.image(outputs[:, : term.channels(3)].bfloat16())
        assert image.shape == (6, 3, 16, 16)
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.max() <= 1


def test_unknown_names_and_impossible_deviations_are_refused():
    with pytest.raises(InputError, match="did you mean 'bernoulli'"):
        likelihood("bernouli", 1.0)
    with pytest.raises(InputError, match="pixel_std must be above 0"):
        likelihood("gaussian", 0.0)
