"""Environment steps a second of an evaluation, in one process, of each kind of agent; two builds beside each other.

    python -m benchmarks.evaluation_steps
    python -m benchmarks.evaluation_steps --build ../older-checkout

Each agent plays whole episodes in the source of `new_room`, sixteen side by side, as `darla transfer` lets it play. The
policies are untrained, which changes nothing about their speed. Each kind runs in a process of its own; with `--build`
the code of another checkout takes turns with that of this one. The table counts processor time, `--wall-time` the
clock. Both builds play the same episodes: their returns are compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darla.agents import Actor

KINDS = ("latents", "pixels", "pixels, bfloat16", "state", "random")
HERE = Path(__file__).parents[1]
_N_ENVS = 16


def make_actor(kind: str) -> "Actor":
    """Return an untrained agent that plays in SeekAvoid; seeded, so that it is the same in both builds."""
    import torch

    from darla.agents import ALGORITHMS, Agent, FrozenEncoder, RandomAgent, make_vec
    from darla.agents.policy_io import PolicyDescription
    from darla.agents.vec_env.state import StateVecEnv
    from darla.envs import tasks
    from darla.vision import SeeConfig
    from darla.vision.encoders.load import build_model

    if kind == "random":
        return RandomAgent(3)
    torch.manual_seed(0)
    encoder, width = None, None
    if kind == "latents":
        encoder = FrozenEncoder(build_model(SeeConfig(), (64, 64, 3)), "untrained", "bfloat16")
        width = encoder.latent_dim
    elif kind == "state":
        states = StateVecEnv(make_vec(tasks.get("new_room").source, 1, seed=0))
        width = states.size
        states.close()
    observation: Any = kind.partition(",")[0]
    description = PolicyDescription(
        algorithm="ppo",
        observation=observation,
        architecture=ALGORITHMS["ppo"].architecture(ALGORITHMS["ppo"].preset(observation)),
        image_shape=(64, 64, 3),
        n_actions=3,
        action_bounds=None,
        frame_stack=1,
        latent_dim=width,
        encoder=encoder and encoder.digest,
        precision="bfloat16" if encoder or "bfloat16" in kind else None,
        exploration=0.0,
        env_steps=1,
        snapshot_steps=(1,),
        vision=None,
    )
    return Agent(description, description.build("cpu"), encoder)


def measure(kind: str, episodes: int) -> dict[str, Any]:
    """Return steps a second of both clocks in this process, and the sum of the returns."""
    from darla.common import limit_threads
    from darla.envs import tasks
    from darla.evaluation.rollout import VecEvaluator
    from darla.evaluation.transfer_config import EvaluationProtocol

    limit_threads(1)
    actor = make_actor(kind)
    with VecEvaluator(tasks.get("new_room").source, _N_ENVS) as evaluator:
        evaluator.evaluate(actor, EvaluationProtocol(_N_ENVS, _N_ENVS))  # compiles kernels and loads meshes
        cpu, wall = time.process_time(), time.perf_counter()
        played = evaluator.evaluate(actor, EvaluationProtocol(episodes, _N_ENVS))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    steps = sum(episode.length for episode in played)
    return {"cpu": steps / cpu, "wall": steps / wall, "returns": sum(episode.return_ for episode in played)}


def run(kind: str, episodes: int, build: Path) -> dict[str, Any] | None:
    """Measure in a new process with the code of a checkout; None where that has no such agent."""
    process = subprocess.run(
        [sys.executable, __file__, "--kind", kind, "--episodes", str(episodes)],
        cwd=build,
        env={**os.environ, "PYTHONPATH": str(build), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        print(f"{build.name}, {kind}: {process.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    measured: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return measured


def main() -> int:
    """Run every side in turn and print a table; return 1 if the builds' episodes differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, help="another checkout to measure as well")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--episodes", type=int, default=64, help="a repeat")
    parser.add_argument("--wall-time", action="store_true", help="count seconds on the clock")
    parser.add_argument("--kind", choices=KINDS, help="measure one kind in this process and print the numbers as JSON")
    options = parser.parse_args()
    if options.kind:
        print(json.dumps(measure(options.kind, options.episodes)))
        return 0
    builds = [HERE, *([options.build.resolve()] if options.build else [])]
    clock, differ = "wall" if options.wall_time else "cpu", 0
    names = " | ".join(f"{build.name}, steps/s" for build in builds)
    print(f"| agent | {names} |{' ratio |' if options.build else ''}")
    print("|---|" + "---:|" * (len(builds) + bool(options.build)))
    for kind in KINDS:
        measured: dict[Path, list[dict[str, Any]]] = {build: [] for build in builds}
        for repeat in range(options.repeats):
            for build in builds if repeat % 2 == 0 else builds[::-1]:
                if (result := run(kind, options.episodes, build)) is not None:
                    measured[build].append(result)
        medians = [statistics.median(each[clock] for each in rows) if rows else None for rows in measured.values()]
        shown = [f"{median:,.0f}" if median else "–" for median in medians]
        if options.build:
            shown.append(f"{medians[0] / medians[1]:.2f}" if medians[0] and medians[1] else "–")
        print(f"| {kind} | {' | '.join(shown)} |", flush=True)
        if len({each["returns"] for rows in measured.values() for each in rows}) > 1:
            print(f"{kind}: the builds play other episodes", file=sys.stderr)
            differ = 1
    return differ


if __name__ == "__main__":
    sys.exit(main())
