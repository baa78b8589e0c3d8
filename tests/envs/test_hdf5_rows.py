"""Rows of HDF5 data sets are those of h5py, whatever the chunks, the filters and the order."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darla.common import InputError
from darla.envs.image_data.hdf5_rows import HDF5Rows

h5py = pytest.importorskip("h5py")
STORED = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), np.uint8)
ROWS = [np.array(rows, np.int64) for rows in ([], [0], [49], [3, 4, 5, 17, 48], list(range(50)))]


def written(path: Path, array: Any = STORED, **options: Any) -> HDF5Rows:
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=array, **options)
    return HDF5Rows(h5py.File(path)["images"], path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (20, 4, 4, 1), "compression": "gzip"},  # that of the border are larger than what is left
        {"chunks": (7, 6, 5, 3), "compression": "gzip", "shuffle": True},
        {"chunks": (1, 2, 5, 2)},
        {"chunks": (50, 1, 1, 3), "compression": "lzf"},
        {"chunks": (20, 4, 4, 1), "compression": "gzip", "fletcher32": True},
    ],
)
def test_rows_are_those_of_h5py(options: dict[str, Any], tmp_path: Path) -> None:
    data = written(tmp_path / "a.h5", **options)
    assert (data.shape, data.dtype, len(data)) == (STORED.shape, STORED.dtype, 50)
    for rows in ROWS:
        np.testing.assert_array_equal(data[rows], STORED[rows])


def test_numbers_of_several_bytes_and_those_that_were_never_written_are_read_as_well(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
    shuffled = written(tmp_path / "a.h5", numbers, chunks=(8, 3), compression="gzip", shuffle=True)
    np.testing.assert_array_equal(shuffled[np.array([2, 29])], numbers[[2, 29]])
    with h5py.File(tmp_path / "b.h5", "w") as file:
        sparse = file.create_dataset("images", (30, 4), np.uint8, chunks=(10, 4), compression="gzip", fillvalue=7)
        sparse[10:20] = 3
    data = HDF5Rows(h5py.File(tmp_path / "b.h5")["images"], tmp_path / "b.h5")
    np.testing.assert_array_equal(data[np.array([0, 12, 29])], [[7] * 4, [3] * 4, [7] * 4])


def test_a_large_chunk_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darla.envs.image_data.hdf5_rows._LARGEST", 1000)  # of rows of 90 bytes
    data = written(tmp_path / "a.h5", chunks=(50, 6, 5, 3), compression="gzip")
    np.testing.assert_array_equal(data[ROWS[3]], STORED[ROWS[3]])


def test_a_damaged_chunk_is_named_as_damage(tmp_path: Path) -> None:
    data = written(tmp_path / "a.h5", chunks=(50, 6, 5, 3), compression="gzip")
    place = data._data.id.get_chunk_info(0).byte_offset
    with (tmp_path / "a.h5").open("rb+") as file:
        file.seek(place)
        file.write(bytes(200))
    with pytest.raises(InputError, match=r"a\.h5 is damaged"):
        HDF5Rows(h5py.File(tmp_path / "a.h5")["images"], tmp_path / "a.h5")[np.array([3])]
