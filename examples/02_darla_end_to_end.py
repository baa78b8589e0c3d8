"""DARLA in five calls: collect frames, learn to see, learn to act, transfer, report.

    python examples/02_darla_end_to_end.py --out runs/darla

About half an hour on two cores; `--frames 300 --steps 40 --env-steps 2048 --episodes 4` goes through all of it in two
minutes and learns nothing.
"""

from dataclasses import replace
from pathlib import Path

import tyro

import darla
from darla.agents.presets import agent
from darla.envs.frames.collect import CollectConfig
from darla.vision.presets import encoder
from darla.zero_shot import TransferConfig


def main(
    out: Path = Path("runs/darla"),
    task: str = "new_room",
    frames: int = 36_000,
    steps: int = 5_000,
    env_steps: int = 80_000,
    episodes: int = 64,
) -> None:
    """Compare DARLA with an agent that learns end to end from pixels.

    Args:
        out: folder for everything.
        task: a transfer task; the policies act in its source only.
        frames: images of the unlabeled domain.
        steps: training steps of the encoder and of its denoising autoencoder.
        env_steps: environment steps of each policy.
        episodes: evaluation episodes in each domain.
    """
    images = darla.collect(CollectConfig(task, frames), out / "frames", workers=2)
    see = encoder("darla")
    see = replace(see, training=replace(see.training, steps=steps), dae_training=replace(see.dae_training, steps=steps))
    vision = darla.see(images, out / "encoder", see)

    act = replace(agent("ppo"), env_steps=env_steps)
    on_codes = darla.act(task, out / "agent", act, encoder=vision)
    on_pixels = darla.act(task, out / "pixels", act)

    evaluation = TransferConfig(episodes=episodes)
    scores = darla.transfer(task, [("DARLA", on_codes), ("end to end", on_pixels)], out / "transfer", evaluation)
    page = darla.report(scores, out / "report")
    print("report:", page.folder / "report.html")


if __name__ == "__main__":
    tyro.cli(main)
