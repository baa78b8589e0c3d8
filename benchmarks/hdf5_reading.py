"""Pictures at random from an HDF5 file like that of 3D Shapes: h5py's list of rows against darla's reader.

The file is written first: pictures with a floor, a wall and an object whose hues and sizes change in the order of 3D
Shapes, in the chunks that h5py guesses for all 480,000, (15000, 4, 4, 1), compressed by gzip. As many pictures in a
hundred are read as 10,000 are of 480,000. Where other work runs on the machine, the seconds of processor time are the
ones to compare.

    python -m benchmarks.hdf5_reading [--pictures 60000]
"""

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from darla.common import rng_for
from darla.envs.image_data.hdf5_rows import HDF5Rows
from darla.envs.image_data.shapes3d import SIZES

_CHUNKS = (15_000, 4, 4, 1)
_ALL, _READ = 480_000, 10_000
_SIDE = 64


def pictures(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return pictures of factor values in the order of 3D Shapes, (N, 64, 64, 3)."""
    floor, wall, hue, scale, shape, turn = np.unravel_index(rows, SIZES)
    wheel = np.array([[200, 60, 40], [60, 200, 40], [40, 60, 200]], np.uint8)
    colors = wheel[np.arange(10) % 3] // (1 + np.arange(10)[:, None] // 3)
    images = np.empty((len(rows), _SIDE, _SIDE, 3), np.uint8)
    # The seam between two walls moves with the camera.
    images[:] = colors[wall][:, None, None]
    images[:, 40:] = colors[floor][:, None, None]
    for number in range(len(rows)):
        half, middle = 6 + scale[number], 20 + turn[number] + shape[number]
        images[number, 40 - half : 40 + half, middle - half : middle + half] = colors[hue[number]]
        images[number, :40, (4 * turn[number]) % _SIDE] //= 2
    return images


def measured(read: Callable[[], npt.NDArray[np.uint8]]) -> tuple[npt.NDArray[np.uint8], float, float]:
    """Return what is read, the seconds that it took, and those of processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    result = read()
    return result, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Write the file, read from it both ways, check that both give the same, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=60_000, help="in the file")
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shapes.h5"
        with h5py.File(path, "w") as file:
            images = file.create_dataset(
                "images", (count, _SIDE, _SIDE, 3), np.uint8, chunks=_CHUNKS, compression="gzip"
            )
            for start in range(0, count, _CHUNKS[0]):
                rows = np.arange(start, min(count, start + _CHUNKS[0]))
                images[start : start + len(rows)] = pictures(rows)
        size = path.stat().st_size / 2**20
        wanted = count * _READ // _ALL
        rows = np.sort(rng_for(0, "rows").choice(count, wanted, replace=False))
        with h5py.File(path) as file:
            tracemalloc.start()
            HDF5Rows(file["images"], path)[rows]
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
        with h5py.File(path) as file:
            own, own_wall, own_processor = measured(lambda: HDF5Rows(file["images"], path)[rows])
        with h5py.File(path) as file:
            theirs, wall, processor = measured(lambda: file["images"][rows])
    assert np.array_equal(own, theirs)
    print(f"{wanted:,} of {count:,} pictures, a file of {size:.0f} MB")
    print(f"darla takes {peak:.0f} MB, of which the result has {own.nbytes / 2**20:.0f}\n")
    print("| reader | seconds | seconds of processor time | ratio |\n| --- | ---: | ---: | ---: |")
    print(f"| h5py, a list of rows | {wall:.1f} | {processor:.1f} | 1.0 |")
    print(f"| darla | {own_wall:.1f} | {own_processor:.1f} | {processor / own_processor:.1f} |")


if __name__ == "__main__":
    main()
