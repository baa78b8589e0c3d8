"""Images a second of dm_control's tasks: darla against dm_control's own rendering, at 64 x 64 pixels.

Each side runs in a fresh process, in turn, with the same actions and the literature's action repeat: one image for each
action. `shipped` is dm_control as it comes, stepped and rendered; `fast` and `hard` are darla's environments in
dm_control's own looks and in those of their hardest target. Resets are not counted. CPU time is that of the whole
process, threads of the driver included; on a machine that does other work as well it says more than images a second.

    python -m benchmarks.control_suite
    python -m benchmarks.control_suite --pictures docs/assets
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
JACO = "jaco-reach"
NAMES = (*TASKS, JACO)
_WARM_UP = 20


def measure(side: str, name: str, images: int) -> tuple[float, float]:
    """Return images a second in this process, and milliseconds of CPU time an image."""
    if side == "shipped":
        # darla turns Mesa's threads off for its process; dm_control is measured as it comes.
        os.environ["LP_NUM_THREADS"] = str(os.cpu_count() or 1)
    from darla.envs import make, tasks
    from darla.envs.control_suite.graphics import Environment, manipulation, suite

    rng = np.random.default_rng(0)
    if side == "shipped":
        if name == JACO:
            repeat, theirs = 1, Environment(manipulation.load("reach_site_features").task, random_state=0)
        else:
            repeat = TASKS[name].action_repeat
            theirs = suite.load(TASKS[name].domain, TASKS[name].task, task_kwargs={"random": 0})
        theirs.reset()
        bounds = theirs.action_spec()

        def step() -> None:
            action = rng.uniform(bounds.minimum, bounds.maximum)
            for _ in range(repeat):
                theirs.step(action)
            theirs.physics.render(64, 64, camera_id=0)
    else:
        whole = tasks.get(name if name == JACO else f"control/{name}/all")
        env = make(whole.source if side == "fast" else whole.targets["sim2sim" if name == JACO else "hard"])
        env.reset(seed=0)
        shape = env.action_space.shape

        def step() -> None:
            env.step(rng.uniform(-1, 1, shape).astype(np.float32))

    for _ in range(_WARM_UP):
        step()
    started, used = time.perf_counter(), time.process_time()
    for _ in range(images):
        step()
    return images / (time.perf_counter() - started), 1000 * (time.process_time() - used) / images


def pictures(folder: str) -> None:
    """Save images of each task as shipped, as drawn here, and in its targets: `control_suite.png` and `jaco.png`."""
    from pathlib import Path

    from PIL import Image

    from darla.envs import Domain, make, tasks
    from darla.envs.control_suite.env import ControlSuite
    from darla.envs.control_suite.intensity import KINDS
    from darla.envs.jaco.env import JacoReach

    def first(domain: Domain, seed: int = 2) -> object:
        env = make(domain)
        image = env.reset(seed=seed)[0]
        env.close()
        return image

    rows = []
    for name in TASKS:
        row = [ControlSuite(name, rendering=rendering).reset(seed=2)[0] for rendering in ("shipped", "fast")]
        for kind in KINDS:
            row += [first(tasks.get(f"control/{name}/{kind}").targets[target]) for target in ("easy", "hard")]
        rows.append(np.concatenate(row, axis=1))
    Image.fromarray(np.concatenate(rows)).save(Path(folder) / "control_suite.png", optimize=True)
    drawn = [JacoReach(rendering=rendering) for rendering in ("shipped", "fast")]
    rows = [np.concatenate([env.reset(seed=seed)[0] for env in drawn for seed in range(4)], axis=1)]
    targets = tasks.get(JACO).targets.values()
    rows.append(np.concatenate([first(target, seed) for target in targets for seed in range(2)], axis=1))
    Image.fromarray(np.concatenate(rows)).resize((1024, 256), Image.Resampling.NEAREST).save(
        Path(folder) / "jaco.png", optimize=True
    )


def main() -> None:
    """Run all sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100, help="images a repeat, fewer than an episode has")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help="measure one side in this process and print the number")
    parser.add_argument("--task", choices=NAMES, help="of that side")
    parser.add_argument("--pictures", help="folder to save PNG files in; nothing is measured")
    arguments = parser.parse_args()
    if arguments.pictures:
        pictures(arguments.pictures)
        return
    if arguments.side:
        print(*measure(arguments.side, arguments.task or NAMES[0], arguments.images))
        return
    print("| task | dm_control as shipped | darla | hardest target | times | CPU ms as shipped | CPU ms | times |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for task in NAMES:
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        used: dict[str, list[float]] = {side: [] for side in SIDES}
        for repeat in range(arguments.repeats):
            for side in SIDES if repeat % 2 == 0 else SIDES[::-1]:
                command = [sys.executable, "-m", "benchmarks.control_suite", "--side", side, "--task", task]
                command += ["--images", str(arguments.images)]
                ran = subprocess.run(command, capture_output=True, text=True, check=True)
                rate, cpu = map(float, ran.stdout.split()[-2:])
                rates[side].append(rate), used[side].append(cpu)
        shipped, fast, hard = (statistics.median(rates[side]) for side in SIDES)
        cpu_shipped, cpu_fast, _ = (statistics.median(used[side]) for side in SIDES)
        print(
            f"| {task} | {shipped:.0f} | {fast:.0f} | {hard:.0f} | {fast / shipped:.0f} | {cpu_shipped:.1f} |"
            f" {cpu_fast:.2f} | {cpu_shipped / cpu_fast:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
