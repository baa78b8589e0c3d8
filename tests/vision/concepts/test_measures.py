"""How imagined images are scored, from the values that a judge sees in them."""

import numpy as np

from darla.envs.domains.value_codes import ANY, any_but
from darla.vision.concepts.learning.measures import chance_levels, score_images

SIZES = (4, 3)


def test_images_without_the_excluded_value_are_right_and_may_have_any_other() -> None:
    concepts = np.array([[any_but(1), 2], [any_but(1), ANY], [any_but(0), any_but(2)]])
    seen = np.array([
        [[0, 2], [2, 2], [3, 2], [1, 0]],  # three of four without 1, each other value once
        [[0, 0], [0, 1], [0, 2], [0, 0]],  # always the same of three values
        [[0, 0], [0, 1], [0, 2], [0, 2]],  # all have what is excluded; half do
    ])  # fmt: skip
    right, spread = score_images(concepts, seen, SIZES)
    np.testing.assert_allclose(right, [[0.75, 0.75], [1.0, np.nan], [0.0, 0.5]])
    open_one = np.log(3) + np.log(0.5) / 2 + np.log(0.25) / 2
    np.testing.assert_allclose(spread, [[0.0, np.nan], [np.log(3), open_one], [np.nan, 0.0]], atol=1e-12)


def test_images_that_know_nothing_are_without_a_value_as_often_as_chance() -> None:
    rng = np.random.default_rng(0)
    seen = np.stack([rng.integers(0, size, (3, 20_000)) for size in SIZES], axis=-1)
    concepts = np.array([[any_but(value), any_but(value)] for value in range(3)])
    right, spread = score_images(concepts, seen, SIZES)
    np.testing.assert_allclose(right, np.tile([3 / 4, 2 / 3], (3, 1)), atol=0.015)
    np.testing.assert_allclose(chance_levels(concepts, SIZES), np.tile([3 / 4, 2 / 3], (3, 1)))
    np.testing.assert_allclose(spread, 0, atol=0.001)


def test_chance_is_one_of_the_values_where_one_is_named_and_nothing_where_an_attribute_is_open() -> None:
    rng = np.random.default_rng(1)
    concepts = np.array([[1, ANY], [3, 2], [any_but(0), 1]])
    chance = chance_levels(concepts, SIZES)
    np.testing.assert_allclose(chance, [[1 / 4, np.nan], [1 / 4, 1 / 3], [3 / 4, 1 / 3]])
    seen = np.stack([rng.integers(0, size, (3, 20_000)) for size in SIZES], axis=-1)
    np.testing.assert_allclose(score_images(concepts, seen, SIZES)[0], chance, atol=0.015)
