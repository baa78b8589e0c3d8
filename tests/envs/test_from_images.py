"""Frames from the user's own images: an array or a folder of files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darla.common import InputError
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.from_images import frames_from_images

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where = tmp_path / "pngs"
    where.mkdir()
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(where / f"{number}.png")
    return where


def test_an_array_and_a_folder_of_the_same_images_are_the_same_frames(folder: Path, tmp_path: Path) -> None:
    from_array = FrameSet(frames_from_images(IMAGES, tmp_path / "array"))
    from_files = FrameSet(frames_from_images(folder, tmp_path / "files"))
    assert from_array.digest == from_files.digest
    assert np.array_equal(from_files[:], IMAGES)
    assert from_files.image_shape == (16, 24, 3)


def test_factors_are_kept_by_name(tmp_path: Path) -> None:
    factors = {"hue": [0.0, 0.1, 0.2, 0.3, 0.4], "kind": ["a", "b", "a", "b", "a"], "count": [1, 2, 3, 4, 5]}
    frames = FrameSet(frames_from_images(IMAGES, tmp_path / "frames", factors=factors))
    assert {name: values.tolist() for name, values in frames.contexts.items()} == factors


def test_the_same_call_reuses_the_folder_and_other_images_are_refused(tmp_path: Path) -> None:
    first = frames_from_images(IMAGES, tmp_path / "frames")
    assert frames_from_images(IMAGES, tmp_path / "frames").digest == first.digest
    with pytest.raises(InputError):
        frames_from_images(255 - IMAGES, tmp_path / "frames")


def test_what_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"images are float64 \(5, 16, 24, 3\), but must be uint8"):
        frames_from_images(IMAGES / 255.0, tmp_path / "out")
    with pytest.raises(InputError, match="factor 'hue' has shape"):
        frames_from_images(IMAGES, tmp_path / "out", factors={"hue": [1.0]})
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no image files"):
        frames_from_images(tmp_path / "empty", tmp_path / "out")
    Image.fromarray(IMAGES[0][:8]).save(folder / "small.png")
    with pytest.raises(InputError, match=r"small.png is 8 x 24 .* all images must have one size"):
        frames_from_images(folder, tmp_path / "out")
    (folder / "small.png").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"small.png cannot be read as an image"):
        frames_from_images(folder, tmp_path / "out")
