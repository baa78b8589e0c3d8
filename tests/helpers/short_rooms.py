"""A transfer task of SeekAvoid with short episodes, and agents that have hardly learnt."""

from pathlib import Path
from typing import Any

from darla.agents import ActConfig, PPOSettings, train_agent
from darla.common import Artefact
from darla.envs import EnvDomain, TransferTask
from darla.envs.domains.tasks import environment_task
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.vision import MODELS, SeeConfig, train_encoder

STEPS = 12


def room(name: str, *walls: float) -> EnvDomain:
    """Rooms with these wall hues; the seed of an episode draws one of them."""
    variants: tuple[dict[str, Any], ...] = tuple({"domain": {"wall_hue": hue}, "steps": STEPS} for hue in walls)
    return EnvDomain(name, "darla/SeekAvoid-v0", variants)


def short_task(name: str = "short") -> TransferTask:
    """Source with two hues; one target that D_U shows, and one that it does not."""
    return environment_task(
        name,
        room("unlabeled", 0.1, 0.3, 0.5),
        room("source", 0.1, 0.3),
        {"shown": room("shown", 0.5), "new": room("new", 0.8)},
    )


def hasty_encoder(out: Path, model: str = "beta_vae") -> Artefact:
    """Train an encoder for a few steps on a few frames of the task's D_U."""
    collect(CollectConfig(frames=40, sampling="random_policy"), out / "frames", domain=short_task().unlabeled)
    steps = 4 if MODELS[model].is_trained else 0
    config = SeeConfig().change(
        model=model, training__steps=steps, training__batch_size=16, dae_training__steps=4, dae_training__batch_size=16
    )
    return train_encoder(config, FrameSet.open(out / "frames"), out / "encoder", seed=0)


def hasty_agent(out: Path, seed: int, domain: EnvDomain | None = None, encoder: Artefact | None = None) -> Artefact:
    """Train for a few steps, with two snapshots; end to end if there is no encoder."""
    settings = PPOSettings(n_envs=2, n_steps=32, batch_size=32, n_epochs=1)
    config = ActConfig(env_steps=128, settings=settings, snapshots=2, checkpoint_interval=64)
    stands_on = None if encoder is None else encoder.folder
    return train_agent(config, domain or short_task().source, stands_on, out, seed)
