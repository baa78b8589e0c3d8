"""Images per second of the ground-truth image data: drawn, and read back from the set that was collected of them.

Each number is of one process on one core; drawing shares nothing between processes, so two cores draw twice as many.
Where other work runs on the machine, the rate per second of processor time is the one to compare.

    python -m benchmarks.ground_truth_rendering
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from darla.common import rng_for
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.registry import IMAGE_DATA, image_data

_IMAGES = {"sprites": 20_000, "rooms": 1_000}
"""Of one repeat: about a second's work."""


def rates(work: Callable[[], object], images: int, repeats: int) -> tuple[float, float]:
    """Return the medians of images per second of wall-clock time and of processor time, after a warm-up."""
    work()
    clock, processor = [], []
    for _ in range(repeats):
        started = time.perf_counter(), time.process_time()
        work()
        clock.append(images / (time.perf_counter() - started[0]))
        processor.append(images / (time.process_time() - started[1]))
    return statistics.median(clock), statistics.median(processor)


def main() -> None:
    """Measure every data set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"| {'data':<8} | {'images':<16} | a second | a second of processor time |")
    print(f"|{'-' * 10}|{'-' * 18}|{'-' * 10}|{'-' * 28}|")
    for name in IMAGE_DATA:
        count = _IMAGES[name]
        data = image_data(name)
        factors = data.sample_factors(count, rng_for(0, "benchmark"))
        with tempfile.TemporaryDirectory() as folder:
            frames = FrameSet(collect(CollectConfig(task=name, frames=count), Path(folder) / "frames"))
            order = rng_for(0, "order").permutation(count)
            batches = np.array_split(order, max(1, count // 256))
            for what, work in (
                ("drawn", lambda data=data, factors=factors: data.render(factors)),
                ("read, any order", lambda frames=frames, batches=batches: [frames[batch] for batch in batches]),
            ):
                clock, processor = rates(work, count, repeats)
                print(f"| {name:<8} | {what:<16} | {clock:8,.0f} | {processor:26,.0f} |")


if __name__ == "__main__":
    main()
