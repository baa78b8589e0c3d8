"""A transfer task of SeekAvoid with short episodes, and agents that have hardly learnt."""

from pathlib import Path
from typing import Any

from darla.agents import ActConfig, PPOSettings, train_agent
from darla.base import Artefact
from darla.envs import EnvDomain, TransferTask
from darla.envs.tasks import environment_task

STEPS = 12


def room(name: str, *walls: float) -> EnvDomain:
    """Rooms with these wall hues; the seed of an episode draws one of them."""
    variants: tuple[dict[str, Any], ...] = tuple({"domain": {"wall_hue": hue}, "steps": STEPS} for hue in walls)
    return EnvDomain(name, "darla/SeekAvoid-v0", variants)


def short_task(name: str = "short") -> TransferTask:
    """Source with two hues; one target that D_U shows, and one that it does not."""
    return environment_task(
        name,
        room("unlabelled", 0.1, 0.3, 0.5),
        room("source", 0.1, 0.3),
        {"shown": room("shown", 0.5), "new": room("new", 0.8)},
    )


def hasty_agent(out: Path, seed: int, domain: EnvDomain | None = None) -> Artefact:
    """Train end to end for a few steps, with two snapshots."""
    settings = PPOSettings(n_envs=2, n_steps=32, batch_size=32, n_epochs=1)
    config = ActConfig(env_steps=128, settings=settings, snapshots=2, segment_steps=64)
    return train_agent(config, domain or short_task().source, None, out, seed)
