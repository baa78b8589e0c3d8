"""Metrics on TensorBoard during training: those that were asked for, and nothing else changes."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import darla
from darla.base import InputError
from darla.envs.collect import CollectConfig, collect
from darla.vision import SeeConfig, TrainingConfig

SHORT = SeeConfig().change(training=TrainingConfig(steps=4, batch_size=16), latent_dim=4, held_out=0.5, loss="pixel")


def test_watched_metrics_are_written_and_leave_the_encoder_as_it_was(tmp_path: Path) -> None:
    frames = collect(CollectConfig(task="sprites", frames=200), tmp_path / "frames")
    watched = darla.see(frames, tmp_path / "watched", SHORT, watch=("mig", "modularity"))
    unwatched = darla.see(frames, tmp_path / "unwatched", SHORT)
    assert (watched.folder / "model.safetensors").read_bytes() == (unwatched.folder / "model.safetensors").read_bytes()
    assert watched.digest == unwatched.digest
    events = EventAccumulator(str(watched.folder / "tensorboard")).Reload()
    scores = {tag for tag in events.Tags()["scalars"] if tag.startswith("metrics/")}
    assert scores == {"metrics/mig", "metrics/modularity"}
    assert all(0.0 <= event.value <= 1.0 for tag in scores for event in events.Scalars(tag))
    with pytest.raises(InputError, match="did you mean 'mig'"):
        darla.see(frames, tmp_path / "typo", SHORT, watch=("mgi",))
