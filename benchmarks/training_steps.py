"""Training steps per second: PPO on frozen latents and end to end against SB3's PPO end to end, in SeekAvoid.

    python -m benchmarks.training_steps
    python -m benchmarks.training_steps --repeats 9 --encoder runs/quick/encoder

All sides use the same environment, the same PPO settings and the same number of threads, and take turns
within each repeat, so that whatever else the machine does meets all of them. Each has a process of its own,
since darla's settings for memory would make the others faster, too. A repeat counts rollouts and updates, not
start-up. Wall-clock rates are what a user waits for; rates per CPU second depend less on other work on the
machine. `benchmarks.learning_curves` compares how both arithmetics learn.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from darla.agents import ALGORITHMS, FrozenEncoder, LatentVecEnv, PPOSettings, make_vec
from darla.agents.algorithms.build import build
from darla.agents.algorithms.settings import Precision
from darla.agents.vec_env.latents import fastest_precision
from darla.common import limit_threads
from darla.envs import make, tasks
from darla.vision import SeeConfig
from darla.vision.encoders.load import build_model


@dataclass
class Side:
    """One way of training in a process of its own, and how fast each repeat was."""

    name: str
    pipe: Connection
    process: BaseProcess
    wall: list[float] = field(default_factory=list)
    """Environment steps per second of wall-clock time, by repeat."""
    cpu: list[float] = field(default_factory=list)
    """Environment steps per second of CPU time of its process, by repeat."""

    @classmethod
    def start(cls, name: str, threads: int, folder: Path | None) -> "Side":
        """Start the process, and wait until it is ready."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, name, threads, folder), daemon=True)
        process.start()
        ours.recv()
        return cls(name, ours, process)

    def repeat(self, steps: int) -> None:
        """Train for `steps` environment steps and note the rates."""
        self.pipe.send(steps)
        wall, cpu = self.pipe.recv()
        self.wall.append(wall)
        self.cpu.append(cpu)

    def end(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join()


def serve(pipe: Connection, name: str, threads: int, folder: Path | None) -> None:
    """Run a side: train for as many steps as are asked for, and return steps per second of both clocks."""
    limit_threads(threads)
    model = makers(folder)[name]()
    model.learn(1)  # the first rollout pays for memory and for choosing kernels
    pipe.send("ready")
    while (steps := pipe.recv()) is not None:
        before = model.num_timesteps
        wall, cpu = time.perf_counter(), time.process_time()
        model.learn(steps, reset_num_timesteps=False)
        done = model.num_timesteps - before
        pipe.send((done / (time.perf_counter() - wall), done / (time.process_time() - cpu)))
    if model.env is not None:
        model.env.close()


def encoder(folder: Path | None, precision: Precision) -> FrozenEncoder:
    """Load an encoder, or build the default one untrained: its speed does not depend on its weights."""
    if folder is not None:
        return FrozenEncoder.load(folder, precision)
    return FrozenEncoder(build_model(SeeConfig(), (64, 64, 3)), precision=precision)


def makers(folder: Path | None) -> dict[str, Callable[[], BaseAlgorithm]]:
    """Return by name what makes each side; the first is made in the fastest arithmetic of this machine."""
    source = tasks.get("conjunction").source
    latents, pixels = ALGORITHMS["ppo"].preset("latents"), ALGORITHMS["ppo"].preset("pixels")
    assert isinstance(latents, PPOSettings)
    assert isinstance(pixels, PPOSettings)
    n_envs = latents.n_envs

    def on_latents(precision: Precision) -> BaseAlgorithm:
        return build("ppo", latents, LatentVecEnv(make_vec(source, n_envs, seed=0), encoder(folder, precision)), 0)

    def on_pixels(precision: Precision) -> BaseAlgorithm:
        return build("ppo", pixels, make_vec(source, n_envs, seed=0), 0, precision=precision)

    def monitored() -> Monitor:
        return Monitor(make(source))

    made: dict[str, Callable[[], BaseAlgorithm]] = {
        "darla, latents, float32 encoder": lambda: on_latents("float32"),
        "SB3 CnnPolicy, pixels, DummyVecEnv": lambda: build("ppo", pixels, DummyVecEnv([monitored] * n_envs), 0),
        "darla, pixels, float32": lambda: on_pixels("float32"),
    }
    if fastest_precision() == "bfloat16":
        made = {
            "darla, latents, bfloat16 encoder": lambda: on_latents("bfloat16"),
            "darla, pixels, bfloat16": lambda: on_pixels("bfloat16"),
            **made,
        }
    return made


def table(measured: list[Side]) -> str:
    """Return a Markdown table of medians and ranges, with the ratio to SB3 as it comes."""
    baseline = next(side for side in measured if "DummyVecEnv" in side.name)
    lines = [
        "| training | steps/s, median | lowest to highest | ratio | steps per CPU second | CPU ratio |",
        "|---|---|---|---|---|---|",
    ]
    for side in measured:
        wall, cpu = statistics.median(side.wall), statistics.median(side.cpu)
        # The median of the ratios within repeats: both sides of a repeat run under the same load.
        ratio = statistics.median(mine / theirs for mine, theirs in zip(side.wall, baseline.wall, strict=True))
        cpu_ratio = statistics.median(mine / theirs for mine, theirs in zip(side.cpu, baseline.cpu, strict=True))
        lines.append(
            f"| {side.name} | {wall:.0f} | {min(side.wall):.0f} to {max(side.wall):.0f} | {ratio:.2f}"
            f" | {cpu:.0f} | {cpu_ratio:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="repeats of each side")
    parser.add_argument("--steps", type=int, default=3072, help="environment steps in a repeat, whole rollouts")
    parser.add_argument("--threads", type=int, default=1, help="PyTorch threads")
    parser.add_argument("--sides", nargs="+", help="names of some sides, SB3's among them; all if left out")
    parser.add_argument("--encoder", type=Path, help="encoder artefact; the default one untrained if left out")
    options = parser.parse_args()
    names = options.sides or list(makers(options.encoder))
    measured = [Side.start(name, options.threads, options.encoder) for name in names]
    for number in range(options.repeats):
        for side in measured:
            side.repeat(options.steps)
        print(f"repeat {number + 1}: " + ", ".join(f"{side.wall[-1]:.0f}" for side in measured), flush=True)
    print(f"\n{platform.machine()}, {options.threads} thread(s), torch {torch.__version__}\n\n{table(measured)}")
    for side in measured:
        side.end()


if __name__ == "__main__":
    main()
