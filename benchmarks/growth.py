"""Time and peak memory of each stage at 1, 4 and 16 times the work.

    python -m benchmarks.growth
    python -m benchmarks.growth --task conjunction --only see "transfer, episodes"
    python -m benchmarks.growth --only "see, demonstration" --factors 1 --build ../older-checkout

A stage runs as a command of its own. Its time is processor time, that of its workers included, so other work on the
machine hardly counts. Its memory is the most that its process, and the largest of its workers, had resident at any
time, and includes Python and the libraries: about 0.5 GB with PyTorch. What grows with the work says how large a job
fits into a machine. `--build` runs each command a second time with the code of another checkout.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FACTORS = (1, 4, 16)
HERE = Path(__file__).parents[1]
_ENCODER = "--preset beta-4 --training.batch-size 64 --training.checkpoint-every 100000 --training.log-every 50"
_AGENT = "--checkpoint-interval 2048 --snapshots 4"
_SHORT = "--resamples 200 --snapshot-eval-episodes 0"


@dataclass(frozen=True)
class Stage:
    """A stage whose work can be multiplied."""

    grows: str
    """What there is more of."""
    words: Callable[[int], str]
    """The command of a factor, with {runs} for the folder of what was made before, {task} and {targets} for tasks."""
    needs: Callable[[int], Sequence[str]] = lambda _: ()
    """Commands whose results it reads, without the `--out` that each gets; their names in {runs} are `name_of`."""


def _frames(count: int) -> str:
    return f"collect {{task}} --frames {count}"


def _encoder() -> str:
    return f"see {{runs}}/{name_of(_frames(2000))} {_ENCODER} --training.steps 60"


def _agent(seed: int) -> str:
    return f"act {{task}} --encoder {{runs}}/{name_of(_encoder())} {_AGENT} --env-steps 2048 --seed {seed}"


def _transfer(seeds: int, words: str) -> str:
    agents = " ".join(f"m={{runs}}/{name_of(_agent(seed))}" for seed in range(seeds))
    return f"transfer {{task}} {agents} {_SHORT} {words}"


def _made(seeds: int) -> list[str]:
    return [_frames(2000), _encoder(), *(_agent(seed) for seed in range(seeds))]


def name_of(command: str) -> str:
    """Return the folder's name of what a command makes."""
    return hashlib.sha256(command.encode()).hexdigest()[:16]


STAGES: Mapping[str, Stage] = {
    "collect": Stage("frames, from 2,000", lambda n: _frames(2000 * n)),
    "see, frames": Stage(
        "frames, from 2,000",
        lambda n: f"see {{runs}}/{name_of(_frames(2000 * n))} {_ENCODER} --training.steps 60",
        lambda n: [_frames(2000 * n)],
    ),
    "see, steps": Stage(
        "training steps, from 60",
        lambda n: f"see {{runs}}/{name_of(_frames(2000))} {_ENCODER} --training.steps {60 * n}",
        lambda _: [_frames(2000)],
    ),
    "see, demonstration": Stage(
        "frames of DARLA's preset, from 40,000; 60 steps",
        lambda n: f"see {{runs}}/{name_of(_frames(40000 * n))} --training.steps 60 --dae-training.steps 60",
        lambda n: [_frames(40000 * n)],
    ),
    "metrics": Stage(
        "rows, from 1,000",
        lambda n: f"metrics {{runs}}/{name_of(_encoder())} --data rooms --names mig dci sap --rows {1000 * n}",
        lambda _: _made(0),
    ),
    "act": Stage(
        "environment steps, from 4,096",
        lambda n: f"act {{task}} --encoder {{runs}}/{name_of(_encoder())} {_AGENT} --env-steps {4096 * n}",
        lambda _: _made(0),
    ),
    "act, DQN": Stage(
        "environment steps, from 2,000",
        lambda n: (
            f"act {{task}} --encoder {{runs}}/{name_of(_encoder())} --algorithm dqn --checkpoint-interval 2000 "
            f"--snapshots 1 --env-steps {2000 * n}"
        ),
        lambda _: _made(0),
    ),
    "transfer, episodes": Stage(
        "episodes of each domain, from 16", lambda n: _transfer(1, f"--episodes {16 * n}"), lambda _: _made(1)
    ),
    "transfer, domains": Stage(
        "targets, from 1",
        lambda n: _transfer(1, "--episodes 16").replace("{task}", f"{{targets}}/{n}.json", 1),
        lambda _: _made(1),
    ),
    "transfer, seeds": Stage("seeds, from 1", lambda n: _transfer(n, "--episodes 16"), lambda n: _made(n)),
    "transfer, 1,000 episodes": Stage(
        "episodes of each domain, from 1,000", lambda n: _transfer(1, f"--episodes {1000 * n}"), lambda _: _made(1)
    ),
    "report": Stage(
        "episodes, from 16",
        lambda n: f"report {{runs}}/{name_of(_transfer(1, f'--episodes {16 * n}'))}",
        lambda n: [*_made(1), _transfer(1, f"--episodes {16 * n}")],
    ),
}
_LONG = ("see, demonstration", "transfer, 1,000 episodes")
"""Not measured unless they are named."""


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    """Of processor time."""
    megabytes: float
    """Peak of what was resident."""


def write_tasks(folder: Path, task: str) -> None:
    """Write a task of 1, 4 and 16 targets, each the first target of `task` under another name."""
    from darla.envs import tasks

    record = tasks.get(task).to_dict()
    first = next(iter(record["targets"].values()))
    for count in FACTORS:
        targets = {f"target {number}": {**first, "name": f"target {number}"} for number in range(count)}
        text = json.dumps({**record, "name": f"{task}-{count}", "targets": targets})
        (folder / f"{count}.json").write_text(text)


class Runs:
    """Commands of one build, each run once.

    Args:
        folder: where results go.
        build: checkout whose code runs.
        task: name of the transfer task.
    """

    def __init__(self, folder: Path, build: Path, task: str) -> None:
        self.folder, self.build, self.task = folder, build, task
        (folder / "targets").mkdir(parents=True)
        write_tasks(folder / "targets", task)
        self._costs: dict[str, Cost] = {}

    def cost(self, command: str) -> Cost:
        """Run a command, unless that was done, and return what it took.

        Raises:
            RuntimeError: it failed.
        """
        if command not in self._costs:
            print(f"{self.build.name}: {command}", file=sys.stderr, flush=True)
            words = command.format(runs=self.folder, task=self.task, targets=self.folder / "targets").split()
            out = self.folder / name_of(command)
            self._costs[command] = self._run([*words, "--out", str(out)])
        return self._costs[command]

    def _run(self, words: Sequence[str]) -> Cost:
        environment = {**os.environ, "PYTHONPATH": str(self.build)}
        with tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "darla", *words],
                cwd=self.build,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                errors.seek(0)
                raise RuntimeError(f"darla {' '.join(words)}: {errors.read().strip().splitlines()[-1:]}")
        return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)  # kilobytes on Linux


def main() -> None:
    """Run all, and print a table for each build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="conjunction", help="transfer task")
    parser.add_argument("--only", nargs="*", choices=list(STAGES), help="stages to measure")
    parser.add_argument("--factors", nargs="*", type=int, choices=FACTORS, default=list(FACTORS), help="of the work")
    parser.add_argument("--build", type=Path, help="another checkout to measure as well")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    builds = [HERE, *([options.build.resolve()] if options.build else [])]
    rows: dict[Path, list[str]] = {build: [] for build in builds}
    times = " | ".join(f"{n}x" for n in options.factors)
    with tempfile.TemporaryDirectory() as name:
        runs = {build: Runs(Path(name) / str(number), build, options.task) for number, build in enumerate(builds)}
        for name in options.only or [stage for stage in STAGES if stage not in _LONG]:
            stage = STAGES[name]
            for build in builds:
                costs = []
                for factor in options.factors:
                    for command in stage.needs(factor):
                        runs[build].cost(command)
                    costs.append(runs[build].cost(stage.words(factor)))
                seconds = " | ".join(f"{cost.seconds:,.1f} s" for cost in costs)
                memory = " | ".join(f"{cost.megabytes:,.0f} MB" for cost in costs)
                rows[build].append(f"| {name} | {stage.grows} | {seconds} | {memory} |")
    for build in builds:
        print(f"\n{build.name}\n\n| stage | what grows | {times} | {times} |")
        print("|---|---|" + "---:|" * (2 * len(options.factors)))
        print("\n".join(rows[build]))


if __name__ == "__main__":
    main()
