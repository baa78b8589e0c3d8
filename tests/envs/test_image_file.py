"""Images are read by row from their file, which is neither mapped nor kept open."""

from pathlib import Path

import numpy as np
import pytest

from darla.common import InputError
from darla.envs.frames.image_file import ImageFile

SHAPE = (50, 4, 6, 3)
STORED = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "images.npy", STORED)
    return tmp_path / "images.npy"


@pytest.mark.parametrize("rows", [[0], [49, 0, 7, 7, 7], range(50), [3, 4, 5, 9, 8, 20, 21, 22], []])
def test_rows_come_in_the_order_that_they_are_asked_for(path, rows):
    images = np.zeros((len(rows), *SHAPE[1:]), np.uint8)
    ImageFile(path, SHAPE).read(np.array(rows, np.int64), images, np.arange(len(rows)))
    np.testing.assert_array_equal(images, STORED[list(rows)])


def test_other_images_stay_as_they_are(path):
    images = np.zeros((6, *SHAPE[1:]), np.uint8)
    ImageFile(path, SHAPE).read(np.array([10, 11, 12]), images, np.array([1, 2, 5]))
    np.testing.assert_array_equal(images[[1, 2, 5]], STORED[10:13])
    assert not images[[0, 3, 4]].any()


def test_the_file_is_neither_mapped_nor_open_afterwards(path):
    opened = ImageFile(path, SHAPE)
    opened.read(np.arange(50), np.empty(SHAPE, np.uint8), np.arange(50))
    assert str(path) not in Path("/proc/self/maps").read_text()
    assert path not in [each.resolve() for each in Path("/proc/self/fd").iterdir() if each.exists()]


@pytest.mark.parametrize("stored", [STORED[:49], STORED.astype(np.int16), STORED[..., :1]])
def test_another_array_is_refused(tmp_path, stored):
    np.save(tmp_path / "images.npy", stored)
    with pytest.raises(InputError, match=r"images.npy holds .*, but uint8 \(50, 4, 6, 3\) is needed"):
        ImageFile(tmp_path / "images.npy", SHAPE)


def test_columns_first_are_refused(tmp_path):
    np.save(tmp_path / "images.npy", np.asfortranarray(STORED))
    with pytest.raises(InputError, match="column by column"):
        ImageFile(tmp_path / "images.npy", SHAPE)


def test_a_file_that_goes_or_shrinks_while_it_is_in_use_is_named(path):
    opened, images = ImageFile(path, SHAPE), np.empty(SHAPE, np.uint8)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"images\.npy was cut off while it was in use"):
        opened.read(np.arange(50), images, np.arange(50))
    path.unlink()
    with pytest.raises(InputError, match=r"could not read .*images\.npy: No such file"):
        opened.read(np.arange(50), images, np.arange(50))
