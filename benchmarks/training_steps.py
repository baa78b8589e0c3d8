"""Training steps per second: PPO on frozen latents against SB3's PPO end to end on pixels, in SeekAvoid.

    python -m benchmarks.training_steps
    python -m benchmarks.training_steps --repeats 9 --encoder runs/quick/encoder

All sides use the same environment, the same PPO settings and the same number of threads, and take turns
within each repeat, so that whatever else the machine does meets all of them. A repeat counts rollouts and
updates, not start-up. Wall-clock rates are what a user waits for; rates per CPU second hardly depend on
other work on the machine.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from darla.agents import ALGORITHMS, FrozenEncoder, LatentVecEnv, PPOSettings, make_vec
from darla.agents.algorithms.build import build
from darla.agents.vec_env.latents import fastest_precision
from darla.common import limit_threads
from darla.envs import make, tasks
from darla.vision import SeeConfig
from darla.vision.encoders.load import build_model

GOAL = 2.0
"""How many times as fast as end-to-end training the project wants to be."""


@dataclass
class Side:
    """One way of training, and how fast each repeat was."""

    name: str
    model: BaseAlgorithm
    wall: list[float] = field(default_factory=list)
    """Environment steps per second of wall-clock time, by repeat."""
    cpu: list[float] = field(default_factory=list)
    """Environment steps per second of CPU time of this process, by repeat."""

    def repeat(self, steps: int) -> None:
        """Train for `steps` environment steps and note the rates."""
        before = self.model.num_timesteps
        wall, cpu = time.perf_counter(), time.process_time()
        self.model.learn(steps, reset_num_timesteps=False)
        done = self.model.num_timesteps - before
        self.wall.append(done / (time.perf_counter() - wall))
        self.cpu.append(done / (time.process_time() - cpu))


def encoder(folder: Path | None, precision: str) -> FrozenEncoder:
    """Load an encoder, or build the default one untrained: its speed does not depend on its weights."""
    chosen = "bfloat16" if precision == "bfloat16" else "float32"
    if folder is not None:
        return FrozenEncoder.load(folder, chosen)
    return FrozenEncoder(build_model(SeeConfig(), (64, 64, 3)), precision=chosen)


def sides(folder: Path | None) -> list[Side]:
    source = tasks.get("conjunction").source
    latents, pixels = ALGORITHMS["ppo"].preset("latents"), ALGORITHMS["ppo"].preset("pixels")
    assert isinstance(latents, PPOSettings)
    assert isinstance(pixels, PPOSettings)
    n_envs = latents.n_envs

    def on_latents(precision: str) -> BaseAlgorithm:
        return build("ppo", latents, LatentVecEnv(make_vec(source, n_envs, seed=0), encoder(folder, precision)), 0)

    def monitored() -> Monitor:
        return Monitor(make(source))

    makers: dict[str, Callable[[], BaseAlgorithm]] = {
        "darla, latents, float32 encoder": lambda: on_latents("float32"),
        "SB3 CnnPolicy, pixels, DummyVecEnv": lambda: build("ppo", pixels, DummyVecEnv([monitored] * n_envs), 0),
        "SB3 CnnPolicy, pixels, darla's environments": lambda: build("ppo", pixels, make_vec(source, n_envs, 0), 0),
    }
    if fastest_precision() == "bfloat16":
        makers = {"darla, latents, bfloat16 encoder": lambda: on_latents("bfloat16"), **makers}
    return [Side(name, made()) for name, made in makers.items()]


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
    parser.add_argument("--encoder", type=Path, help="encoder artefact; the default one untrained if left out")
    options = parser.parse_args()
    limit_threads(options.threads)
    measured = sides(options.encoder)
    for side in measured:  # the first rollout pays for memory and for choosing kernels
        side.model.learn(1)
    for number in range(options.repeats):
        for side in measured:
            side.repeat(options.steps)
        print(f"repeat {number + 1}: " + ", ".join(f"{side.wall[-1]:.0f}" for side in measured), flush=True)
    print(f"\n{platform.machine()}, {options.threads} thread(s), torch {torch.__version__}\n\n{table(measured)}")
    for side in measured:
        if side.model.env is not None:
            side.model.env.close()


if __name__ == "__main__":
    main()
