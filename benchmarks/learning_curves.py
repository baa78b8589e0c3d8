"""Learning curves of PPO end to end on pixels: as Stable-Baselines3 computes it, in float32, and in bfloat16.

    python -m benchmarks.learning_curves runs/curves
    python -m benchmarks.learning_curves runs/curves --task new_room --seeds 3 --env-steps 40000

Both sides have the same settings, seeds and first weights and differ in arithmetic alone (`darla.agents.pixels`). The
table has the return of training episodes by side, averaged over seeds. An interrupted run resumes.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from darla.agents import ActConfig, train_agent
from darla.agents.training.train import CURVE
from darla.common import Artefact
from darla.common.csv_rows import read_numbers
from darla.envs import tasks

SIDES: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")


def curve(agent: Artefact, env_steps: int, bins: int) -> np.ndarray[Any, Any]:
    """Return the mean return of the training episodes that ended in each of `bins` equal parts of a training."""
    totals, episodes = np.zeros(bins), np.zeros(bins)
    for row in read_numbers(agent.folder / CURVE):
        part = min(int((row["env_steps"] - 1) * bins // env_steps), bins - 1)
        totals[part] += row["mean_return"] * row["episodes"]
        episodes[part] += row["episodes"]
    return totals / episodes


def table(curves: Mapping[str, list[np.ndarray[Any, Any]]], env_steps: int) -> str:
    """Return a Markdown table: a row for each seed of each side, and one for each side's mean."""
    bins = len(next(iter(curves.values()))[0])
    ends = [f"{(part + 1) * env_steps // bins:,}" for part in range(bins)]
    lines = [f"| arithmetic, seed | {' | '.join(ends)} |", f"| --- |{' ---: |' * bins}"]
    for side, of_seeds in curves.items():
        named = [
            *((f"{side}, {seed}", each) for seed, each in enumerate(of_seeds)),
            (f"**{side}, mean**", sum(of_seeds) / len(of_seeds)),
        ]
        lines += [f"| {name} | {' | '.join(f'{value:.1f}' for value in values)} |" for name, values in named]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the trained agents")
    parser.add_argument("--task", default="conjunction", help="the agents are trained in its source")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each side")
    parser.add_argument("--env-steps", type=int, default=40_000, help="environment steps of each training")
    parser.add_argument("--bins", type=int, default=5, help="columns of the table")
    options = parser.parse_args()
    curves: dict[str, list[np.ndarray[Any, Any]]] = {side: [] for side in SIDES}
    for seed in range(options.seeds):
        for side in SIDES:
            config = ActConfig(env_steps=options.env_steps, log_window=1_000, precision=side)
            out = options.out / f"{side}-{seed}"
            agent = train_agent(config, tasks.get(options.task).source, None, out, seed, label=out.name)
            curves[side].append(curve(agent, options.env_steps, options.bins))
        print(f"\n{table(curves, options.env_steps)}", flush=True)


if __name__ == "__main__":
    main()
