"""Rooms as ground-truth image data, and image data collected to disk."""

from pathlib import Path

import numpy as np
import pytest

from darla.common import InputError, rng_for
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.registry import IMAGE_DATA, image_data
from darla.envs.image_data.rooms import Rooms
from darla.envs.image_data.sprites import Sprites


class Corner(Sprites):
    """A few sprites, so that their whole grid is small."""

    name = "corner"
    factor_sizes = (3, 2, 2, 2, 2)


def test_rooms_show_every_factor() -> None:
    rooms = Rooms()
    assert len(rooms) == 16**3 * 3 * 8 * 8
    middle = np.array([3, 9, 14, 1, 2, 4])
    for column, size in enumerate(rooms.factor_sizes):
        factors = np.tile(middle, (size, 1))
        factors[:, column] = np.arange(size)
        images = rooms.render(factors)
        assert images.shape == (size, 64, 64, 3)
        assert len({image.tobytes() for image in images}) == size, rooms.factor_names[column]
    rooms.close()


def test_the_object_is_whole_in_the_picture_for_every_kind_azimuth_and_yaw() -> None:
    rooms = Rooms()
    views = [[8, 8, hue, kind, azimuth, yaw] for kind in range(3) for azimuth in range(8) for yaw in (0, 7)
             for hue in (0, 5)]  # fmt: skip
    images = rooms.render(np.array(views)).astype(int).reshape(-1, 2, 64, 64, 3)
    # What changes with the object's hue is the object.
    visible = (images[:, 0] != images[:, 1]).any(axis=-1)
    assert (visible.sum(axis=(1, 2)) > 30).all()
    assert not visible[:, [0, -1]].any()
    assert not visible[:, :, [0, -1]].any()
    rooms.close()


def test_rooms_open_again_after_they_were_closed() -> None:
    rooms = Rooms()
    factors = rooms.sample_factors(3, rng_for(0, "test"))
    before = rooms.render(factors)
    rooms.close()
    rooms.close()
    np.testing.assert_array_equal(rooms.render(factors[::-1])[::-1], before)
    rooms.close()


@pytest.mark.parametrize("name", IMAGE_DATA)
def test_collected_frames_are_their_factors_drawn(name: str, tmp_path: Path) -> None:
    config = CollectConfig(task=name, frames=30, shard_size=12, seed=4)
    frames = FrameSet(collect(config, tmp_path / "alone"))
    data = image_data(name)
    assert frames.factor_sizes == dict(zip(data.factor_names, data.factor_sizes, strict=True))
    assert frames.image_shape == data.image_shape
    assert frames.state == {}
    factors = np.stack([frames.contexts[factor] for factor in data.factor_names], axis=1)
    assert factors.dtype == np.int64
    np.testing.assert_array_equal(data.render(factors), frames[:])
    together = collect(config, tmp_path / "together", workers=2)
    assert together.digest == frames.digest
    longer = FrameSet(collect(CollectConfig(task=name, frames=31, shard_size=7, seed=4), tmp_path / "longer"))
    np.testing.assert_array_equal(longer[:30], frames[:])


def test_the_grid_holds_every_combination_once_and_in_order(tmp_path: Path) -> None:
    data = Corner()
    config = CollectConfig(frames=48, shard_size=20, sampling="grid")
    frames = FrameSet(collect(config, tmp_path / "grid", domain=data))
    factors = np.stack([frames.contexts[factor] for factor in data.factor_names], axis=1)
    np.testing.assert_array_equal(data.rows_of(factors), np.arange(48))
    np.testing.assert_array_equal(frames[:], data.render(data.factors_at(np.arange(48))))


def test_an_interrupted_set_goes_on_where_it_stopped(tmp_path: Path) -> None:
    class Halting(Corner):
        def render(self, factors: np.ndarray) -> np.ndarray:
            if factors[0, 0] == 2:
                raise KeyboardInterrupt
            return super().render(factors)

    config = CollectConfig(frames=48, shard_size=16, sampling="grid")
    whole = collect(config, tmp_path / "whole", domain=Corner())
    with pytest.raises(KeyboardInterrupt):
        collect(config, tmp_path / "halted", domain=Halting())
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "halted" / "shards").glob("*.npy")}
    assert len(written) == 4
    assert collect(config, tmp_path / "halted", domain=Corner()).digest == whole.digest
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (CollectConfig(task="sprites", sampling="grid", frames=60), "frames is 60, but the grid of sprites has 737280"),
        (CollectConfig(task="rooms", sampling="random_policy"), "which have no actions to walk with"),
        (CollectConfig(task="conjunction", sampling="grid"), "is for image data"),
    ],
)
def test_a_sampling_that_the_data_do_not_have_is_refused(config: CollectConfig, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=sentence):
        collect(config, tmp_path / "set")
    with pytest.raises(InputError, match="did you mean 'sprites'"):
        image_data("sprite")


class Floats(Corner):
    """Image data of another author, who draws in [0, 1]."""

    def render(self, factors: np.ndarray) -> np.ndarray:
        return super().render(factors) / 255


class Broken(Corner):
    """Image data of another author, whose table is too short."""

    def render(self, factors: np.ndarray) -> np.ndarray:
        return [][len(factors)]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (Floats, r"image data 'corner' rendered float64 \(48, 64, 64, 1\), but uint8 \(48, 64, 64, 1\) is needed"),
        (Broken, r"image data 'corner' failed at render: IndexError: .* \(.*test_image_data.py, line \d+, in render\)"),
    ],
)
def test_what_image_data_of_others_must_not_render_is_one_sentence(data, sentence: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=sentence):
        collect(CollectConfig(frames=48, sampling="grid"), tmp_path / "frames", domain=data())
    assert not (tmp_path / "frames").exists()
