import pytest
import torch

from darla.common import InputError
from darla.vision import DAE, DAEConfig
from darla.vision.models.dae import mask_rectangles

SHAPE = (16, 16, 3)


def blanked(config: DAEConfig, count: int = 400, side: int = 32, seed: int = 0) -> torch.Tensor:
    """Which pixels of white images are blanked, bool (count, side, side)."""
    white = torch.ones(count, 3, side, side)
    corrupted = mask_rectangles(white, config, torch.Generator().manual_seed(seed))
    assert torch.equal(corrupted[:, 0], corrupted[:, 1])
    assert torch.equal(corrupted[:, 0], corrupted[:, 2])
    return corrupted[:, 0] == config.fill


def test_one_rectangle_is_blanked_in_every_channel():
    hit = blanked(DAEConfig())
    area = hit.sum(dim=(1, 2))
    rows, columns = hit.any(dim=2).sum(dim=1), hit.any(dim=1).sum(dim=1)
    assert torch.equal(area, rows * columns)
    assert area.min() >= 1


def test_uniform_coordinates_blank_about_a_ninth():
    share = blanked(DAEConfig(max_mask_size=1.0), count=4000).float().mean()
    assert share == pytest.approx((1 / 3 + 1 / 32) ** 2, abs=0.01)  # both ends are included


def test_largest_bounds_both_sides():
    hit = blanked(DAEConfig(max_mask_size=0.25))
    assert hit.any(dim=2).sum(dim=1).max() == 8
    assert hit.any(dim=1).sum(dim=1).max() == 8


def test_several_rectangles_blank_more():
    assert blanked(DAEConfig(n_masks=3)).sum() > 1.5 * blanked(DAEConfig()).sum()


@pytest.mark.parametrize("config", [DAEConfig(n_masks=0), DAEConfig(mask_prob=0.0)])
def test_no_mask_is_the_identity(config, images):
    assert torch.equal(mask_rectangles(images, config, torch.Generator().manual_seed(0)), images)


def test_mask_prob_is_the_fraction_of_masked_images():
    hit = blanked(DAEConfig(mask_prob=0.3), count=4000).flatten(1).any(dim=1)
    assert hit.float().mean() == pytest.approx(0.3, abs=0.03)


def test_fill_is_the_color_of_the_rectangle():
    white = torch.ones(8, 3, 16, 16)
    corrupted = mask_rectangles(white, DAEConfig(fill=0.5), torch.Generator().manual_seed(0))
    assert set(corrupted.unique().tolist()) == {0.5, 1.0}


def test_images_are_not_changed_in_place(images):
    before = images.clone()
    mask_rectangles(images, DAEConfig(), torch.Generator().manual_seed(0))
    assert torch.equal(images, before)


def test_loss_compares_the_repaired_with_the_clean_image(images):
    model = DAE(DAEConfig(bottleneck=8), SHAPE)
    corrupted = mask_rectangles(images, model.config, torch.Generator().manual_seed(5))
    expected = (model(corrupted) - images).square().sum() / (2 * len(images))
    torch.testing.assert_close(model.loss(images, torch.Generator().manual_seed(5))["loss"], expected)


def test_features_have_the_shapes_of_their_layers(images):
    model = DAE(DAEConfig(bottleneck=8), SHAPE)
    shapes = {
        layer: tuple(model.features(images, layer).shape[1:]) for layer in ("bottleneck", "conv1", "conv4", "pixels")
    }
    assert shapes == {"bottleneck": (8,), "conv1": (32, 8, 8), "conv4": (64, 1, 1), "pixels": (3, 16, 16)}


def test_pixel_features_are_the_output_before_the_sigmoid(images):
    model = DAE(DAEConfig(bottleneck=8), SHAPE)
    torch.testing.assert_close(model.features(images, "pixels").sigmoid(), model(images))


def test_invalid_values_are_refused(images):
    for change in ({"bottleneck": 0}, {"n_masks": -1}, {"max_mask_size": 0.0}, {"mask_prob": 1.5}, {"hue_prob": -0.1}):
        with pytest.raises(InputError):
            DAEConfig(**change)
    with pytest.raises(InputError, match="did you mean 'conv3'"):
        DAE(DAEConfig(bottleneck=8), SHAPE).features(images, "conv33")
