"""Random changes of hue: saturation and value stay."""

import colorsys

import pytest
import torch

from darla.common import InputError
from darla.vision import DAE, DAEConfig
from darla.vision.models.hue_jitter import random_hue_warp


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def painted(hue: float, count: int = 2000, saturation: float = 0.6, value: float = 0.7) -> torch.Tensor:
    """Images of two pixels: the left one of a hue, the right one a fifth of a turn further."""
    pixels = [colorsys.hsv_to_rgb(turned % 1.0, saturation, value) for turned in (hue, hue + 0.2)]
    return torch.tensor(pixels).T.reshape(1, 3, 1, 2).repeat(count, 1, 1, 1)


def hues(images: torch.Tensor) -> torch.Tensor:
    """Hue of each pixel in turns, (N, W)."""
    rows = images[:, :, 0].permute(0, 2, 1)
    return torch.tensor([[colorsys.rgb_to_hsv(*pixel)[0] for pixel in row] for row in rows.tolist()])


def test_nothing_changes_at_probability_0(images):
    torch.testing.assert_close(random_hue_warp(images, 0.0, generator()), images, atol=1e-5, rtol=0)


def test_saturation_and_value_stay(images):
    changed = random_hue_warp(images, 1.0, generator())
    assert (changed - images).abs().max() > 0.1
    torch.testing.assert_close(changed.amax(1), images.amax(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(changed.amin(1), images.amin(1), atol=1e-5, rtol=0)


def test_grays_stay_gray():
    grays = torch.linspace(0, 1, 12).reshape(12, 1, 1, 1).expand(12, 3, 4, 4)
    torch.testing.assert_close(random_hue_warp(grays, 1.0, generator()), grays, atol=1e-6, rtol=0)


@pytest.mark.parametrize("hue", [0.0, 0.31, 0.77])
def test_every_hue_is_as_likely_whatever_it_was(hue):
    result = hues(random_hue_warp(painted(hue), 1.0, generator()))[:, 0]
    counts = torch.histc(result, bins=8, min=0, max=1)
    assert counts.min() > 2000 / 8 * 0.75
    assert counts.max() < 2000 / 8 * 1.25


def test_the_hue_of_one_thing_does_not_tell_that_of_another():
    result = hues(random_hue_warp(painted(0.1), 1.0, generator()))
    between = (result[:, 1] - result[:, 0]) * 2 * torch.pi
    concentration = torch.complex(between.cos(), between.sin()).mean().abs()  # 1 if one rotation moved both
    assert concentration < 0.7


def test_the_share_is_that_of_the_changed_images():
    before = painted(0.1, count=4000)
    changed = ((random_hue_warp(before, 0.3, generator()) - before).abs().flatten(1).amax(1) > 1e-3).float().mean()
    assert changed == pytest.approx(0.3, abs=0.03)


def test_a_dae_repairs_other_hues_and_blank_rectangles_together(images):
    model = DAE(DAEConfig(bottleneck=8, hue_prob=1.0), (16, 16, 3))
    corrupted = model.corrupt(images, generator())
    expected = (model(corrupted) - images).square().sum() / (2 * len(images))
    torch.testing.assert_close(model.loss(images, generator())["loss"], expected)
    assert (corrupted == 0).all(dim=1).flatten(1).any(dim=1).all()  # something is blank in every image
    assert (
        DAE(DAEConfig(bottleneck=8), (16, 16, 3))
        .corrupt(images, generator())
        .equal(DAE(DAEConfig(bottleneck=8, hue_prob=0.0), (16, 16, 3)).corrupt(images, generator()))
    )


def test_images_without_color_have_no_hues_to_change():
    with pytest.raises(InputError, match="3 channels"):
        DAE(DAEConfig(bottleneck=8, hue_prob=1.0), (16, 16, 1))
