"""The whole way of DARLA, at a share of the demonstration's sizes, against the same in plain libraries.

    python -m benchmarks.whole_way [--scale 0.25] [--repeats 1]

Both sides collect images of D_U, train a denoising autoencoder and a β-VAE on its features, train PPO on the codes in
`new_room`, and evaluate it and random play in the source and in every target; the numbers of images, of training and
environment steps and of episodes are the same. The plain side is what one writes down first: stock MiniWorld, PyTorch
in float32, a wrapper that encodes the image of each environment, Stable-Baselines3's PPO and `evaluate_policy`. It has
it easier in places: it collects every image of a random walk, its autoencoder repairs rectangles alone, its world has
nothing to collect, and it writes no file. Each side runs in a fresh process with one thread of PyTorch, in turn. The
time of darla has everything that its commands do.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

TASK = "new_room"
SIDES = ("plain", "darla")
_EPISODE = 150
"""Environment steps of an episode."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    frames: int
    dae_steps: int
    steps: int
    env_steps: int
    episodes: int

    @classmethod
    def of(cls, scale: float) -> "Sizes":
        """Return a share of the demonstration's sizes."""
        from darla.experiments.demos import demo_study
        from darla.vision.presets import DARLA

        study = demo_study("demo")
        whole = (study.frames, DARLA.dae_training.steps, DARLA.training.steps, study.env_steps, study.transfer.episodes)
        return cls(*(max(1, round(scale * size)) for size in whole))


Seconds = dict[str, float]


@contextmanager
def timed(seconds: Seconds, stage: str) -> Iterator[None]:
    """Note the time of a block as that of a stage."""
    begun = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begun


def run_darla(sizes: Sizes) -> Seconds:
    """Return the seconds of each stage here."""
    import darla
    from darla.agents.presets import AGENTS
    from darla.envs.frames.collect import CollectConfig
    from darla.vision.presets import DARLA
    from darla.zero_shot import TransferConfig

    seconds: Seconds = {}
    see = DARLA.change(dae_training__steps=sizes.dae_steps, training__steps=sizes.steps)
    act = replace(AGENTS["ppo"], env_steps=sizes.env_steps)
    evaluated = TransferConfig(
        episodes=sizes.episodes, splits=("source", "target"), snapshot_eval_episodes=0, strip_frames=0
    )
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        with timed(seconds, "collect"):
            frames = darla.collect(CollectConfig(TASK, frames=sizes.frames), out / "frames")
        with timed(seconds, "see"):
            encoder = darla.see(frames, out / "encoder", see)
        with timed(seconds, "act"):
            agent = darla.act(TASK, out / "agent", act, encoder=encoder)
        with timed(seconds, "transfer"):
            darla.transfer(TASK, [agent], out / "transfer", evaluated)
    return seconds


def run_plain(sizes: Sizes) -> Seconds:
    """Return the seconds of each stage in plain libraries."""
    # darla turns Mesa's threads off for its process; here they are as they come.
    os.environ["LP_NUM_THREADS"] = str(os.cpu_count() or 1)
    import gymnasium
    import torch
    from gymnasium import spaces
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    from benchmarks.vae_training import PlainVAE, plain_denoiser, plain_side
    from darla.agents import ALGORITHMS, PPOSettings
    from darla.envs import AnyDomain, tasks
    from darla.envs.seek_avoid.env import SeekAvoid
    from tests.helpers.stock_miniworld import StockSeekAvoid

    torch.set_num_threads(1)
    seconds: Seconds = {}
    task, rng = tasks.get(TASK), np.random.default_rng(0)

    class Encoded(gymnasium.ObservationWrapper[Any, Any, Any]):
        """Stock MiniWorld with the code of its image as observation."""

        def __init__(self, domain: AnyDomain) -> None:
            world = SeekAvoid(domain)
            world.reset(seed=0)
            super().__init__(StockSeekAvoid(world))
            self.observation_space = spaces.Box(-np.inf, np.inf, (32,), np.float32)
            self.action_space = spaces.Discrete(3)

        def observation(self, observation: Any) -> Any:
            image = torch.from_numpy(observation.copy()).permute(2, 0, 1)[None].float() / 255
            with torch.no_grad():
                return vae.encoder(image)[0, :32].numpy()

    def play(env: gymnasium.Env[Any, Any], steps: int) -> Iterator[Any]:
        """Yield the observations of a random walk."""
        observation, _ = env.reset(seed=0)
        for _ in range(steps):
            yield observation
            observation, _, terminated, truncated, _ = env.step(int(rng.integers(3)))
            if terminated or truncated:
                observation, _ = env.reset()

    with timed(seconds, "collect"):
        world = SeekAvoid(task.unlabeled)
        world.reset(seed=0)
        frames = np.stack([image.copy() for image in play(StockSeekAvoid(world), sizes.frames)])
    with timed(seconds, "see"):
        repair = plain_denoiser(frames, reduced=False)
        for _ in range(sizes.dae_steps):
            repair()
        step = plain_side(frames, "features", reduced=False)
        for _ in range(sizes.steps):
            step()
    vae = PlainVAE()
    with timed(seconds, "act"):
        settings = ALGORITHMS["ppo"].preset("latents")
        assert isinstance(settings, PPOSettings)
        together = DummyVecEnv([lambda: Monitor(Encoded(task.source))] * settings.n_envs)
        policy = PPO(
            "MlpPolicy",
            together,
            learning_rate=settings.learning_rate,
            n_steps=settings.n_steps,
            batch_size=settings.batch_size,
            n_epochs=settings.n_epochs,
            policy_kwargs={"net_arch": list(settings.net_arch)},
        )
        policy.learn(sizes.env_steps)
    with timed(seconds, "transfer"):
        for domain in (task.source, *task.targets.values()):
            env = Monitor(Encoded(domain))
            evaluate_policy(policy, env, sizes.episodes, deterministic=False)
            for _ in play(env, sizes.episodes * _EPISODE):
                pass
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.25, help="share of the demonstration's sizes")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each side")
    parser.add_argument("--side", choices=SIDES, help="run one side in this process and print its seconds as JSON")
    options = parser.parse_args()
    sizes = Sizes.of(options.scale)
    if options.side:
        print(json.dumps({"plain": run_plain, "darla": run_darla}[options.side](sizes)))
        return
    runs: dict[str, list[Seconds]] = {side: [] for side in SIDES}
    for _ in range(options.repeats):
        for side in SIDES:
            command = [sys.executable, "-m", "benchmarks.whole_way", "--side", side, "--scale", str(options.scale)]
            ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs[side].append(json.loads(ran.stdout.splitlines()[-1]))
    print(f"{sizes}\n\n| stage | plain libraries, s | darla, s | ratio |\n|---|---:|---:|---:|")
    for stage in (*runs["darla"][0], "all"):
        plain, ours = (
            statistics.median(sum(run.values()) if stage == "all" else run[stage] for run in runs[side])
            for side in SIDES
        )
        print(f"| {stage} | {plain:.0f} | {ours:.0f} | {plain / ours:.2f} |")


if __name__ == "__main__":
    main()
