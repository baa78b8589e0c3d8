"""Images a second of the control suite's tasks: darla against dm_control's own rendering, at 64 x 64 pixels.

Each side runs in a fresh process, in turn, with the same actions and the literature's action repeat: one image for each
action. `shipped` is dm_control as it comes, stepped and rendered; `fast` and `hard` are darla's environments in the
suite's own looks and in those of the hard target of all distractions. Resets are not counted.

    python -m benchmarks.control_suite
    python -m benchmarks.control_suite --pictures docs/assets/control_suite.png
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from darla.envs.control_suite.tasks import TASKS

SIDES = ("shipped", "fast", "hard")
_WARM_UP = 20


def measure(side: str, name: str, images: int) -> float:
    """Return images a second in this process."""
    if side == "shipped":
        # darla turns Mesa's threads off for its process; dm_control is measured as it comes.
        os.environ["LP_NUM_THREADS"] = str(os.cpu_count() or 1)
    from darla.envs import make, tasks
    from darla.envs.control_suite.graphics import suite

    task = TASKS[name]
    rng = np.random.default_rng(0)
    if side == "shipped":
        theirs = suite.load(task.domain, task.task, task_kwargs={"random": 0})
        theirs.reset()
        count = theirs.action_spec().shape

        def step() -> None:
            action = rng.uniform(-1, 1, count)
            for _ in range(task.action_repeat):
                theirs.step(action)
            theirs.physics.render(64, 64, camera_id=0)
    else:
        whole = tasks.get(f"control/{name}/all")
        env = make(whole.source if side == "fast" else whole.targets["hard"])
        env.reset(seed=0)
        shape = env.action_space.shape

        def step() -> None:
            env.step(rng.uniform(-1, 1, shape).astype(np.float32))

    for _ in range(_WARM_UP):
        step()
    started = time.perf_counter()
    for _ in range(images):
        step()
    return images / (time.perf_counter() - started)


def pictures(path: str) -> None:
    """Save an image of each task as shipped and as drawn here, and of its targets easy and hard of each kind."""
    from PIL import Image

    from darla.envs import make, tasks
    from darla.envs.control_suite.env import ControlSuite
    from darla.envs.control_suite.intensity import KINDS

    rows = []
    for name in TASKS:
        row = [ControlSuite(name, rendering=rendering).reset(seed=2)[0] for rendering in ("shipped", "fast")]
        for kind in KINDS:
            for target in ("easy", "hard"):
                env = make(tasks.get(f"control/{name}/{kind}").targets[target])
                row.append(env.reset(seed=2)[0])
                env.close()
        rows.append(np.concatenate(row, axis=1))
    Image.fromarray(np.concatenate(rows)).save(path, optimize=True)


def main() -> None:
    """Run all sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100, help="images a repeat, fewer than an episode has")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help="measure one side in this process and print the number")
    parser.add_argument("--task", choices=tuple(TASKS), help="of that side")
    parser.add_argument("--pictures", help="PNG to save; nothing is measured")
    arguments = parser.parse_args()
    if arguments.pictures:
        pictures(arguments.pictures)
        return
    if arguments.side:
        print(measure(arguments.side, arguments.task or next(iter(TASKS)), arguments.images))
        return
    print("| task | dm_control as shipped | darla | darla, hard target of `all` | darla times shipped |")
    print("|---|---:|---:|---:|---:|")
    for task in TASKS:
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        for repeat in range(arguments.repeats):
            for side in SIDES if repeat % 2 == 0 else SIDES[::-1]:
                command = [sys.executable, "-m", "benchmarks.control_suite", "--side", side, "--task", task]
                command += ["--images", str(arguments.images)]
                ran = subprocess.run(command, capture_output=True, text=True, check=True)
                rates[side].append(float(ran.stdout.split()[-1]))
        shipped, fast, hard = (statistics.median(rates[side]) for side in SIDES)
        print(f"| {task} | {shipped:.0f} | {fast:.0f} | {hard:.0f} | {fast / shipped:.1f} |", flush=True)


if __name__ == "__main__":
    main()
