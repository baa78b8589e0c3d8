"""A run whose numbers are made up: real frames; encoders and transfers written by hand in their formats."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from darla.common import Artefact, complete_artefact, start_artefact
from darla.common.csv_rows import write_rows
from darla.common.files import write_bytes, write_json
from darla.common.json_records import to_json
from darla.envs import leak_level, tasks
from darla.envs.frames.collect import CollectConfig, collect
from darla.evaluation.episode_records import Episode, EpisodeRecord, write_episodes
from darla.evaluation.film_strips import RecordedEpisode, draw
from darla.evaluation.score_types import AgentRecord, StripRecord, TransferScores
from darla.evaluation.scores import score
from darla.evaluation.transfer_config import Resampling, TransferConfig
from darla.evaluation.transfer_files import CURVE_COLUMNS

EPISODES = 4
METHODS = ("random", "end to end", "DARLA (β-VAE, β = 4)", "DARLA (β-VAE_DAE)")
_ENCODERS = {"DARLA (β-VAE, β = 4)": "beta-4", "DARLA (β-VAE_DAE)": "dae"}


def make_run(folder: Path, names: tuple[str, ...] = ("conjunction", "recolor"), seeds: int = 3) -> Path:
    """Write frames, two encoders and a transfer for each task below `folder`."""
    frames = collect(CollectConfig(frames=30, shard_size=30), folder / "frames")
    encoders = {
        "beta-4": make_encoder(folder / "beta-4", frames, {"loss": "pixel", "beta": 4.0}, 0.6),
        "dae": make_encoder(
            folder / "dae", frames, {"loss": "perceptual", "beta": 1.0, "perceptual": {"layer": "conv4"}}, 0.7
        ),
    }
    for name in names:
        make_transfer(folder / name, name, {key: made.digest for key, made in encoders.items()}, seeds)
    return folder


def make_encoder(folder: Path, frames: Artefact, vae: dict[str, Any], skill: float) -> Artefact:
    """Write an encoder artefact without a network, with what a report reads from it."""
    see = {"model": "beta_vae", "vae": vae, "training": {}, "dae": {}, "dae_training": {}}
    config = {"see": see, "image_shape": [64, 64, 3], "frames": frames.digest, "seed": 0, "dae": None}
    start_artefact(folder, "encoder", config)
    probe = {"linear": skill, "nonlinear": skill + 0.1, "chance": 0.25, "ceiling": 1.0}
    write_json(
        folder / "probes.json",
        {
            "kind": {**probe, "measure": "balanced accuracy"},
            "bearing": {**probe, "chance": 0.0, "measure": "R2"},
            "kl": {"total": 14.2, "active_units": 8, "per_latent": [14.2]},
            "reconstruction": {"mean_squared_error": 0.004},
        },
    )
    for name, size in (("reconstructions", (120, 40)), ("traversals", (60, 160))):
        data = io.BytesIO()
        Image.new("RGB", size, (90, 120, 60)).save(data, "PNG")
        write_bytes(folder / f"{name}.png", data.getvalue())
    return complete_artefact(folder, "encoder", config, seed=0, inputs={"frames": frames.digest}, wall_seconds=65.0)


def usual_level(method: str, split: str) -> float:
    """The mean return of a method in the source or in a target."""
    return 0.0 if method == "random" else 10.0 if split == "source" or method in _ENCODERS else 3.0


def make_transfer(
    folder: Path,
    name: str,
    encoders: dict[str, str],
    seeds: int = 3,
    level: Callable[[str, str], float] = usual_level,
) -> Artefact:
    """Write a transfer artefact with returns drawn from a generator around a level for each method and split."""
    task, rng = tasks.get(name), np.random.default_rng(3)
    domains = [
        ("source", "source", ""),
        *((target, "target", leak_level(task, target)) for target in task.targets),
    ]
    agents = [
        AgentRecord(
            method=method,
            seed=seed,
            digest=f"{method} {seed}",
            encoder=encoders.get(_ENCODERS.get(method, "")),
            algorithm="random" if method == "random" else "ppo",
        )
        for method in METHODS
        for seed in range(1 if method == "random" else seeds)
    ]
    settings = TransferConfig(episodes=EPISODES, snapshot_eval_episodes=2, baseline="end to end")
    record = {"task": task.to_dict(), "transfer": to_json(settings), "agents": to_json(agents)}
    start_artefact(folder, "transfer", record)
    rows, curves, strips = [], [], []
    for method in METHODS:
        for seed in range(1 if method == "random" else seeds):
            digest = f"{method} {seed}"
            for domain, split, leak in domains:
                totals = np.round(level(method, split) + rng.normal(0, 1.5, size=EPISODES))
                rows += [
                    EpisodeRecord(
                        method=method,
                        seed=seed,
                        agent=digest,
                        domain=domain,
                        split="source" if split == "source" else "target",
                        leak=leak,
                        episode=Episode(
                            number=number,
                            seed=number,
                            return_=float(total),
                            length=150,
                            success=bool(total >= 5),
                            truncated=True,
                            collected_good=int(max(total, 0)),
                            collected_bad=1,
                        ),
                    )
                    for number, total in enumerate(totals)
                ]
                if method != "random":
                    curves += [(method, seed, domain, split, step, 2, step / 1000) for step in (1000, 2000)]
        if method != "random":
            for target in task.targets:
                file = f"{len(strips):02d}.png"
                _strip(folder / "strips" / file, target)
                episode = RecordedEpisode("", (), [1.0, -1.0, 1.0], {}).summary()
                strips.append(StripRecord(method, 0, target, file, 7, 1, episode, episode))
    scores = score(
        rows,
        {agent.digest: agent.encoder for agent in agents},
        baseline="end to end",
        resampling=Resampling(resamples=200),
    )
    content = TransferScores(
        **vars(scores),
        task=name,
        settings=settings,
        agents=tuple(agents),
        episode_seeds={domain: tuple(range(EPISODES)) for domain, _, _ in domains},
        strips=tuple(strips),
    )
    write_json(folder / "scores.json", to_json(content))
    write_episodes(folder / "episodes.csv", rows)
    write_rows(folder / "curves.csv", [dict(zip(CURVE_COLUMNS, row, strict=True)) for row in curves], CURVE_COLUMNS)
    return complete_artefact(folder, "transfer", record, seed=2017, inputs={}, wall_seconds=75.0)


def _strip(path: Path, target: str) -> None:
    frames = [np.full((64, 64, 3), 60 * number, np.uint8) for number in range(4)]
    episodes = [RecordedEpisode(label, frames, [1.0, -1.0, 1.0], {}) for label in ("source", target)]
    data = io.BytesIO()
    draw(episodes, interval=1, columns=4).save(data, "PNG")
    write_bytes(path, data.getvalue())
