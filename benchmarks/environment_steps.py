"""Environment steps a second: SeekAvoid's own render path against stock MiniWorld, the same world at 64 x 64 pixels.

Each side runs in a fresh process, in turn, with the settings it comes with; the order alternates. Stock MiniWorld only
moves and draws, while SeekAvoid also collects objects, places new ones and returns the state. The images are compared
first. On a machine that does other work meanwhile, `--cpu-time` counts the seconds of all threads of the process in
place of those on the clock.

    python -m benchmarks.environment_steps
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

SIDES = ("stock", "stock without driver threads", "darla")
_WARM_UP = 300


def measure(side: str, steps: int, clock: Callable[[], float]) -> float:
    """Return environment steps a second of a clock in this process, resets included."""
    import os

    if side == "stock":
        # darla turns Mesa's threads off for its process; stock MiniWorld is measured as it comes, and without them too.
        os.environ["LP_NUM_THREADS"] = str(os.cpu_count() or 1)
    from darla.envs.domains import tasks
    from darla.envs.seek_avoid.env import SeekAvoid
    from tests.helpers.stock_miniworld import StockSeekAvoid

    env = SeekAvoid(tasks.get("conjunction").unlabeled)
    env.reset(seed=0)
    played = env if side == "darla" else StockSeekAvoid(env)
    rng = np.random.default_rng(0)

    def play(count: int) -> None:
        played.reset(seed=0)
        for _ in range(count):
            _, _, terminated, truncated, _ = played.step(int(rng.integers(3)))
            if terminated or truncated:
                played.reset()

    play(_WARM_UP)
    started = clock()
    play(steps)
    return steps / (clock() - started)


def images_agree() -> tuple[float, float]:
    """Return the share of values that differ by at most 2 of 255, and the mean difference."""
    from darla.envs.domains import tasks
    from darla.envs.seek_avoid.env import SeekAvoid
    from tests.helpers.stock_miniworld import StockSeekAvoid

    differences = []
    for seed in range(20):
        env = SeekAvoid(tasks.get("conjunction").unlabeled)
        ours, _ = env.reset(seed=seed)
        theirs, _ = StockSeekAvoid(env).reset(seed=0)
        differences.append(np.abs(ours.astype(int) - theirs.astype(int)))
        env.close()
    all_of_them = np.stack(differences)
    return float(np.mean(all_of_them <= 2)), float(all_of_them.mean())


def main() -> None:
    """Run both sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000, help="environment steps a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side", choices=SIDES, help="measure one side in this process and print the number")
    parser.add_argument("--cpu-time", action="store_true", help="count the process's CPU time")
    arguments = parser.parse_args()
    if arguments.side:
        clock = time.process_time if arguments.cpu_time else time.perf_counter
        print(measure(arguments.side, arguments.steps, clock))
        return
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for repeat in range(arguments.repeats):
        for side in SIDES if repeat % 2 == 0 else SIDES[::-1]:
            command = [
                sys.executable,
                "-m",
                "benchmarks.environment_steps",
                "--side",
                side,
                "--steps",
                str(arguments.steps),
                *(["--cpu-time"] if arguments.cpu_time else []),
            ]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            rates[side].append(float(ran.stdout.split()[-1]))
    same, mean = images_agree()
    print(f"| {'environment':<30} | steps/s, median | lowest | highest | times stock |")
    print(f"|{'-' * 32}|{'-' * 17}|{'-' * 8}|{'-' * 9}|{'-' * 13}|")
    for side in SIDES:
        median = statistics.median(rates[side])
        times = median / statistics.median(rates["stock"])
        print(f"| {side:<30} | {median:15.0f} | {min(rates[side]):6.0f} | {max(rates[side]):7.0f} | {times:11.2f} |")
    print(f"\nImages: {same:.2%} of all values differ by at most 2 of 255; the mean difference is {mean:.3f}.")


if __name__ == "__main__":
    main()
