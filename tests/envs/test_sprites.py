"""dSprites remade: its published sizes and areas, its symmetries, and every combination a picture of its own."""

import numpy as np
import pytest

from darla.common import InputError, rng_for
from darla.envs.image_data.ground_truth import GroundTruthData
from darla.envs.image_data.sprites import SHAPES, Sprites

SPRITES = Sprites()
SQUARE, ELLIPSE, HEART = range(3)
# White pixels at scales 0.5 to 1, orientation 0, in the upper left place, counted in the animation that the authors of
# dSprites publish beside the data; and the first and last white column and row at scale 1.
PUBLISHED_AREAS = {
    SQUARE: (100, 144, 196, 256, 324, 400),
    ELLIPSE: (76, 104, 144, 184, 228, 288),
    HEART: (58, 84, 108, 140, 182, 222),
}
PUBLISHED_EDGES = {SQUARE: (6, 25, 6, 25), ELLIPSE: (3, 28, 9, 22), HEART: (6, 25, 7, 23)}


def picture(*factors: int, sprites: Sprites = SPRITES) -> np.ndarray:
    return sprites.render(np.array([factors]))[0, :, :, 0]


def grid(**fixed: int) -> np.ndarray:
    """Every combination, some factors fixed."""
    axes = [
        np.arange(size) if name not in fixed else np.array([fixed[name]])
        for name, size in zip(SPRITES.factor_names, SPRITES.factor_sizes, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 5)


def distinct(images: np.ndarray) -> int:
    return len({image.tobytes() for image in images})


def test_sizes_are_those_of_dsprites() -> None:
    data: GroundTruthData = SPRITES
    assert data.factor_names == ("shape", "scale", "orientation", "position_x", "position_y")
    assert data.factor_sizes == (3, 6, 40, 32, 32)
    assert len(data) == 737_280
    images = data.render(data.sample_factors(100, rng_for(0, "test")))
    assert images.shape == (100, *data.image_shape) == (100, 64, 64, 1)
    assert images.dtype == np.uint8
    assert set(np.unique(images)) == {0, 255}


@pytest.mark.parametrize("shape", range(3), ids=SHAPES)
def test_areas_and_edges_are_the_published_ones(shape: int) -> None:
    areas = [int((picture(shape, scale, 0, 0, 0) > 0).sum()) for scale in range(6)]
    np.testing.assert_allclose(areas, PUBLISHED_AREAS[shape], atol=4)
    assert shape != SQUARE or tuple(areas) == PUBLISHED_AREAS[SQUARE]
    rows, columns = np.nonzero(picture(shape, 5, 0, 0, 0))
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == PUBLISHED_EDGES[shape]


@pytest.mark.parametrize("shape", range(3), ids=SHAPES)
def test_area_grows_with_the_square_of_the_scale(shape: int) -> None:
    mean = [(SPRITES.render(grid(shape=shape, scale=scale, position_y=7)) > 0).mean() for scale in range(6)]
    np.testing.assert_allclose(np.array(mean) / mean[-1], np.linspace(0.5, 1.0, 6) ** 2, rtol=0.02)


def test_orientation_and_place_leave_the_area_alone() -> None:
    for shape in range(3):
        areas = (SPRITES.render(grid(shape=shape, scale=5, position_x=3)) > 0).sum(axis=(1, 2, 3))
        assert areas.std() < 0.03 * areas.mean()


def test_every_combination_lies_within_the_frame() -> None:
    # At a corner of the positions' square, all else varied, and at full scale everywhere.
    for x in (0, 31):
        for y in (0, 31):
            images = SPRITES.render(grid(position_x=x, position_y=y))
            assert (images > 0).any(axis=(1, 2, 3)).all()
            assert not images[:, [0, -1]].any()
            assert not images[:, :, [0, -1]].any()
    images = SPRITES.render(grid(scale=5, orientation=5, position_y=16))
    assert not images[:, [0, -1]].any()
    assert not images[:, :, [0, -1]].any()


def test_the_center_moves_over_the_middle_half_of_the_frame() -> None:
    for at, center in ((0, 16.0), (31, 48.0)):
        rows, columns = np.nonzero(picture(ELLIPSE, 5, 0, at, at))
        assert rows.mean() + 0.5 == columns.mean() + 0.5 == center


def test_a_square_looks_the_same_after_a_quarter_turn() -> None:
    sprites = Sprites(closed_turn=False)
    for scale in range(6):
        seen = [picture(SQUARE, scale, turn, 31, 31, sprites=sprites) for turn in range(40)]
        assert distinct(np.stack(seen)) <= 10
        for turn in range(40):
            np.testing.assert_array_equal(seen[turn], seen[(turn + 10) % 40])
    # Turned as a picture, about a center that lies on a corner of pixels.
    window = picture(SQUARE, 5, 3, 31, 31)[32:, 32:]
    np.testing.assert_array_equal(np.rot90(window), window)


def test_an_ellipse_looks_the_same_after_half_a_turn_and_a_heart_does_not() -> None:
    sprites = Sprites(closed_turn=False)
    for turn in range(20):
        np.testing.assert_array_equal(
            picture(ELLIPSE, 5, turn, 31, 31, sprites=sprites), picture(ELLIPSE, 5, turn + 20, 31, 31, sprites=sprites)
        )
    assert distinct(sprites.render(grid(shape=HEART, scale=5, position_x=31, position_y=31))) == 40


@pytest.mark.parametrize("shape", range(3), ids=SHAPES)
def test_the_last_orientation_is_the_first_and_no_other_two_are_equal(shape: int) -> None:
    images = SPRITES.render(grid(shape=shape, scale=5, position_x=9, position_y=4))
    np.testing.assert_array_equal(images[0], images[39])
    assert distinct(images) == 39


def test_orientation_runs_anticlockwise() -> None:
    # A heart's point hangs down at first; after about a quarter turn anticlockwise it is on the right.
    rows, columns = np.nonzero(picture(HEART, 5, 0, 0, 0))
    assert columns[rows.argmax()] in (15, 16)
    rows, columns = np.nonzero(picture(HEART, 5, 10, 0, 0))
    assert abs(rows[columns.argmax()] - 16) <= 1
    assert columns.mean() < 15  # and its lobes on the left


def test_pictures_that_differ_in_shape_scale_or_place_differ() -> None:
    images = SPRITES.render(grid(orientation=4, position_y=11))
    assert distinct(images) == 3 * 6 * 32
    columns = SPRITES.render(grid(orientation=4, position_x=11))
    assert distinct(columns) == 3 * 6 * 32


def test_a_picture_depends_on_its_own_factors_alone() -> None:
    factors = SPRITES.sample_factors(300, rng_for(1, "test"))
    together = SPRITES.render(factors)
    alone = np.concatenate([SPRITES.render(factors[row : row + 1]) for row in range(300)])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(SPRITES.render(factors[::-1]), together[::-1])


def test_rows_of_the_grid_are_in_the_order_of_dsprites() -> None:
    rows = np.array([0, 1, 32, 32 * 32, 40 * 32 * 32, 6 * 40 * 32 * 32, 737_279])
    factors = SPRITES.factors_at(rows)
    assert factors.tolist() == [
        [0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 0],
        [2, 5, 39, 31, 31],
    ]  # fmt: skip
    np.testing.assert_array_equal(SPRITES.rows_of(factors), rows)


def test_factors_are_drawn_uniformly_and_by_the_generator_alone() -> None:
    factors = SPRITES.sample_factors(50_000, rng_for(0, "test"))
    np.testing.assert_array_equal(factors, SPRITES.sample_factors(50_000, rng_for(0, "test")))
    for column, size in enumerate(SPRITES.factor_sizes):
        counts = np.bincount(factors[:, column], minlength=size)
        assert len(counts) == size
        # Six standard deviations of a binomial count.
        assert abs(counts - 50_000 / size).max() < 6 * np.sqrt(50_000 / size)


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        (np.zeros((2, 4), int), r"must be integers \(N, 5\)"),
        (np.zeros((2, 5)), "float64"),
        (np.array([[0, 0, 40, 0, 0]]), "'orientation' of sprites is 40, but has the values 0 to 39"),
        (np.array([[0, -1, 0, 0, 0]]), "'scale' of sprites is -1"),
    ],
)
def test_factors_that_are_none_are_refused(factors: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        SPRITES.render(factors)
    with pytest.raises(InputError, match=r"rows must lie in \[0, 737280\)"):
        SPRITES.factors_at(np.array([737_280]))


def test_no_factors_are_no_pictures() -> None:
    assert SPRITES.render(np.zeros((0, 5), int)).shape == (0, 64, 64, 1)
