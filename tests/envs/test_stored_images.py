"""Loaders of published data sets, on small files of the same form."""

import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from darla.common import InputError
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.cars3d import cars3d
from darla.envs.image_data.dsprites import dsprites
from darla.envs.image_data.mpi3d import mpi3d
from darla.envs.image_data.shapes3d import shapes3d
from darla.envs.image_data.small_norb import _PARTS, small_norb
from darla.envs.image_data.stored_images import StoredImages


def pictures(sizes: tuple[int, ...], *shape: int, high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, (math.prod(sizes), *shape)).astype(np.uint8)


def check_order(data: StoredImages, images: np.ndarray) -> None:
    """Each combination has its own picture, in whatever order it is asked for."""
    rows = np.array([len(data) - 1, 0, 3, 3, len(data) // 2])
    np.testing.assert_array_equal(data.render(data.factors_at(rows)), images[rows])
    assert data.render(np.zeros((0, len(data.factor_names)), int)).shape == (0, *data.image_shape)


def test_dsprites_are_read_without_unpickling(tmp_path: Path) -> None:
    sizes = (3, 2, 4, 2, 2)
    stored = pictures(sizes, 64, 64, high=2)
    metadata = np.array({"title": "dSprites dataset"}, dtype=object)  # the published file holds a pickle like it
    np.savez_compressed(tmp_path / "d.npz", imgs=stored, metadata=metadata)
    data = dsprites(tmp_path / "d.npz", factor_sizes=sizes)
    assert data.image_shape == (64, 64, 1)
    check_order(data, stored[..., None] * np.uint8(255))
    with pytest.raises(InputError, match="uint8 images of 737280 combinations"):
        dsprites(tmp_path / "d.npz")


def test_files_in_the_form_of_dsprites_may_hold_gray_values(tmp_path: Path) -> None:
    sizes = (3, 2, 4, 2, 2)
    for number, values in enumerate([(0, 255), (0, 1, 128, 255), (7,)]):
        stored = np.random.default_rng(0).choice(np.array(values, np.uint8), (math.prod(sizes), 64, 64))
        np.savez_compressed(tmp_path / f"{number}.npz", imgs=stored)
        check_order(dsprites(tmp_path / f"{number}.npz", factor_sizes=sizes), stored[..., None])


def test_mpi3d(tmp_path: Path) -> None:
    sizes = (2, 2, 2, 1, 1, 3, 2)
    stored = pictures(sizes, 64, 64, 3)
    np.savez_compressed(tmp_path / "m.npz", images=stored)
    check_order(mpi3d(tmp_path / "m.npz", factor_sizes=sizes), stored)
    with pytest.raises(InputError, match="6 x 6 x 2 x 3 x 3 x 40 x 40"):
        mpi3d(tmp_path / "m.npz")


def test_shapes3d(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    sizes = (2, 2, 2, 2, 1, 3)
    stored = pictures(sizes, 64, 64, 3)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["images"] = stored
    check_order(shapes3d(tmp_path / "s.h5", factor_sizes=sizes), stored)
    with pytest.raises(InputError, match="480000 combinations"):
        shapes3d(tmp_path / "s.h5")


def test_shapes3d_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "s.h5").write_bytes(b"\x89HDF\r\n\x1a\n and nothing else")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'darla\[data\]'"):
        shapes3d(tmp_path / "s.h5")


def test_cars3d_puts_views_in_order_and_makes_them_smaller(tmp_path: Path) -> None:
    elevations, azimuths, cars = 2, 3, 2
    for car in range(cars):
        views = np.zeros((128, 128, 3, azimuths, elevations), np.uint8)
        for azimuth, elevation in itertools.product(range(azimuths), range(elevations)):
            views[:, :, :, azimuth, elevation] = 100 * car + 10 * azimuth + elevation
        scipy.io.savemat(tmp_path / f"car_{car}.mat", {"im": views})
    data = cars3d(tmp_path, factor_sizes=(elevations, azimuths, cars))
    assert data.image_shape == (64, 64, 3)
    images = data.render(np.array([[1, 2, 1], [0, 1, 0]]))
    assert (images[0] == 121).all()
    assert (images[1] == 10).all()
    with pytest.raises(InputError, match=r"holds 2 \.mat files, but Cars3D has 183"):
        cars3d(tmp_path)
    with pytest.raises(InputError, match=r"uint8 \(height, width, 3, 24, 4\)"):
        cars3d(tmp_path, factor_sizes=(4, 24, 2))


def write_norb(folder: Path, sizes: tuple[int, ...]) -> None:
    """Half of the instances for training, the others for testing, each in an order of its own."""
    combinations = np.array(list(itertools.product(*map(range, sizes))))
    for number, part in enumerate(_PARTS):
        half = combinations[combinations[:, 1] % 2 == number]
        half = half[np.random.default_rng(number).permutation(len(half))]
        values = (half * [100, 50, 10, 2, 1]).sum(axis=1)
        dat = np.broadcast_to(values[:, None, None, None], (len(half), 2, 96, 96)).astype(np.uint8).copy()
        dat[:, 1] = 255
        info = half[:, 1:] * [1, 1, 2, 1]
        for what, magic, array in (
            ("dat", 0x1E3D4C55, dat),
            ("cat", 0x1E3D4C54, half[:, 0].astype("<i4")),
            ("info", 0x1E3D4C54, info.astype("<i4")),
        ):
            sides = [*array.shape, 1, 1][: max(3, array.ndim)]
            head = np.array([magic, array.ndim, *sides], "<i4").tobytes()
            (folder / f"{part}-{what}.mat").write_bytes(head + array.tobytes())


def test_small_norb_puts_both_parts_into_one_grid(tmp_path: Path) -> None:
    sizes = (2, 2, 2, 3, 2)
    write_norb(tmp_path, sizes)
    data = small_norb(tmp_path, factor_sizes=sizes)
    assert data.image_shape == (64, 64, 1)
    for factors in ([0, 0, 0, 0, 0], [1, 1, 1, 2, 1], [0, 1, 0, 1, 1]):
        image = data.render(np.array([factors]))
        assert (image == np.dot(factors, [100, 50, 10, 2, 1])).all()
    with pytest.raises(InputError, match="never"):
        small_norb(tmp_path)
    with pytest.raises(InputError, match="values outside of 2 x 2 x 2 x 2 x 2"):
        small_norb(tmp_path, factor_sizes=(2, 2, 2, 2, 2))
    dat = tmp_path / f"{_PARTS[1]}-dat.mat"
    dat.write_bytes(dat.read_bytes()[:-5])
    with pytest.raises(InputError, match="is damaged"):
        small_norb(tmp_path, factor_sizes=sizes)
    dat.write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(InputError, match="no known type"):
        small_norb(tmp_path, factor_sizes=sizes)


@pytest.mark.parametrize("load", [dsprites, shapes3d, mpi3d, cars3d, small_norb])
def test_a_file_that_is_not_there_is_told_with_where_to_get_it(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"does not exist; download .* from http"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("load", [dsprites, mpi3d])
def test_a_file_of_another_kind_is_refused(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InputError, match=r"an npz file with .* it is damaged"):
        load(tmp_path / "x.npz")


@pytest.mark.parametrize("load", [dsprites, mpi3d, shapes3d])
def test_a_file_of_another_format_is_named_and_nobody_is_told_to_unpickle(load, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    needed = "an HDF5 file" if load is shapes3d else "an npz file"
    np.save(tmp_path / "array.npy", np.zeros((3, 64, 64), np.uint8))
    np.savez(tmp_path / "images.npz", elsewhere=np.zeros(3), both=np.zeros(3))
    (tmp_path / "twin.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n rest")
    (tmp_path / "page.html").write_text("<html>404</html>")
    names = ("imgs", "images")
    np.savez(tmp_path / "objects.npz", **{name: np.array([{}, None], dtype=object) for name in names})
    kinds = {
        "array.npy": "this is an npy file",
        "images.npz": "this is an npz file" if load is shapes3d else "this one holds elsewhere, both",
        "twin.hdf5": "damaged" if load is shapes3d else "this is an HDF5 file",
        "page.html": "this is a file of another kind",
        "objects.npz": "this is an npz file" if load is shapes3d else "holds Python objects",
        ".": "this is a folder",
    }
    for name, kind in kinds.items():
        if load is shapes3d and name == "twin.hdf5":
            pytest.importorskip("h5py")
        with pytest.raises(InputError, match=kind) as caught:
            load(tmp_path / name)
        assert needed in str(caught.value) or "damaged" in str(caught.value)
        assert "pickle" not in str(caught.value)


def test_hdf5_images_travel_to_workers_as_their_path(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    sizes = (2, 2, 2, 2, 1, 3)
    stored = pictures(sizes, 64, 64, 3)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["images"] = stored
    data = shapes3d(tmp_path / "s.h5", factor_sizes=sizes)
    sent = pickle.dumps(data)
    assert len(sent) < 1000
    check_order(pickle.loads(sent), stored)
    config = CollectConfig(frames=len(data), sampling="grid", shard_size=24)
    alone, together = (collect(config, tmp_path / str(n), workers=n, domain=data) for n in (1, 2))
    assert alone.digest == together.digest
    np.testing.assert_array_equal(FrameSet.open(together.folder)[:], stored)


def test_images_in_memory_are_not_sent_to_workers(tmp_path: Path) -> None:
    sizes = (3, 2, 4, 2, 2)
    np.savez_compressed(tmp_path / "d.npz", imgs=pictures(sizes, 64, 64, high=2))
    data = dsprites(tmp_path / "d.npz", factor_sizes=sizes)
    assert len(pickle.dumps(data)) < 1000
    (tmp_path / "d.npz").unlink()  # a worker could not open it any more
    config = CollectConfig(frames=len(data), sampling="grid", shard_size=48)
    assert len(FrameSet.open(collect(config, tmp_path / "frames", workers=2, domain=data).folder)) == len(data)
