"""A transfer task of your own, from any Gymnasium environments that show images: here MiniWorld's Hallway.

    python examples/04_your_own_task.py --out runs/own

The target is the same hallway with its parameters randomized: light, camera, colors (docs: Your own environment).
"""

from dataclasses import replace
from pathlib import Path

import tyro

import darla
from darla.agents.presets import agent
from darla.envs import EnvDomain, TransferTask
from darla.envs.frames.collect import CollectConfig
from darla.vision.presets import encoder
from darla.zero_shot import TransferConfig

HALLWAY = "miniworld:MiniWorld-Hallway-v0"  # MODULE:ID; the module is imported, which registers the id
PLAIN = {"obs_width": 64, "obs_height": 64}
RANDOMIZED = {**PLAIN, "domain_rand": True}


def main(
    out: Path = Path("runs/own"), frames: int = 20_000, steps: int = 5_000, env_steps: int = 40_000, episodes: int = 64
) -> None:
    """Train in the plain hallway, evaluate in the randomized one.

    Args:
        out: folder for everything.
        frames: images of random walks in both.
        steps: training steps of the encoder.
        env_steps: environment steps of the policy.
        episodes: evaluation episodes in each domain.
    """
    plain = EnvDomain("plain", HALLWAY, (PLAIN,))
    task = TransferTask(
        name="hallway",
        unlabeled=EnvDomain("both", HALLWAY, (PLAIN, RANDOMIZED)),  # what the encoder sees
        source=plain,  # where the policy learns
        validation=plain,  # the same contexts, other episodes
        targets={"randomized": EnvDomain("randomized", HALLWAY, (RANDOMIZED,))},  # where it has never acted
    )
    walks = CollectConfig(task.name, frames, sampling="random_policy")
    images = darla.collect(walks, out / "frames", task=task)
    see = encoder("beta-4")
    vision = darla.see(images, out / "encoder", replace(see, training=replace(see.training, steps=steps)))
    policy = darla.act(task, out / "agent", replace(agent("ppo"), env_steps=env_steps), encoder=vision)
    scores = darla.transfer(task, [("β-VAE", policy)], out / "transfer", TransferConfig(episodes=episodes))
    print("report:", darla.report(scores, out / "report").folder / "report.html")


if __name__ == "__main__":
    tyro.cli(main)
