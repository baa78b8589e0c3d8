"""The transforming autoencoder: known shifts, and capsules that draw their part where they say it is."""

import numpy as np
import pytest
import torch

from darla.common import InputError
from darla.vision import SeeConfig, TrainingConfig
from darla.vision.encoders.load import build_model
from darla.vision.models.transforming_autoencoder import shifted
from darla.vision.training.loop import build_seeded, train_model

SHAPE = (16, 16, 1)


def build(**changes):
    options = {"latent_dim": 6, "largest_shift": 3, "downsample": 1, **changes}
    config = SeeConfig().change(model="transforming_autoencoder", **options)
    return build_seeded(lambda: build_model(config, SHAPE), 0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_shift_moves_pixels_and_fills_in_with_zeros():
    image = torch.arange(1.0, 13.0).reshape(1, 1, 3, 4)
    moved = shifted(image.repeat(3, 1, 1, 1), torch.tensor([[1, 0], [0, -1], [0, 0]]))
    assert moved[0, 0].tolist() == [[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11]]
    assert moved[1, 0].tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [0, 0, 0, 0]]
    assert torch.equal(moved[2], image[0])


def test_a_capsule_whose_part_is_not_there_draws_nothing():
    model = build()
    capsules = torch.randn(2, 2, 3, generator=generator())
    capsules[:, :, 0] = torch.tensor([1.0, 0.0])
    changed = capsules.clone()
    changed[:, 1, 1:] += 5.0
    no_shift = torch.zeros(2, 2)
    torch.testing.assert_close(model.draw(capsules, no_shift), model.draw(changed, no_shift))


def test_a_shift_is_added_to_every_position():
    model, shift = build(), torch.tensor([[0.5, -1.0]])
    capsules = torch.rand(1, 2, 3, generator=generator())
    moved = capsules.clone()
    moved[..., 1:] += shift
    torch.testing.assert_close(model.draw(capsules, shift), model.draw(moved, torch.zeros(1, 2)))


def test_decoding_a_code_is_drawing_without_a_shift():
    model = build().eval()
    images = torch.rand(3, 1, 16, 16, generator=generator())
    drawn = model.draw(model.capsules_of(images), torch.zeros(3, 2)).clamp(0, 1)
    torch.testing.assert_close(model.decode(model.encode(images).mean), drawn)


@pytest.mark.parametrize("wrong", [{"latent_dim": 4}, {"largest_shift": 0}, {"downsample": 3}])
def test_options_that_cannot_be_used_are_refused(wrong):
    with pytest.raises(InputError):
        build(**wrong)


def test_positions_follow_the_shift_after_training(tmp_path):
    rng = np.random.default_rng(0)
    images = np.zeros((256, *SHAPE), np.uint8)
    for image, (top, left) in zip(images, rng.integers(4, 9, (256, 2)), strict=True):
        image[top : top + 4, left : left + 4] = 255
    model = build(largest_shift=2, latent_dim=3, generation_units=64)
    config = TrainingConfig(steps=300, batch_size=64, learning_rate=5e-3, precision="float32")
    train_model(model, images, config, tmp_path, 0)
    with torch.no_grad():
        x = model.to_input(images)
        here = model.capsules_of(x)
        there = model.capsules_of(shifted(x, torch.tensor([[2, 0]]).expand(256, 2)))
    moved = (there - here)[:, 0, 1:]  # in units of the largest shift, 2 pixels: (1, 0) if all is well
    assert 0.6 < float(moved[:, 0].median()) < 1.5
    assert abs(float(moved[:, 1].median())) < 0.25
