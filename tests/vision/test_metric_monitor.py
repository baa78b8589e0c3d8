"""Metrics during training, on TensorBoard and as a table: the requested ones, without an effect on training."""

from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import darla
from darla.common import InputError
from darla.common.csv_rows import read_numbers
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.vision import SeeConfig, TrainingConfig
from darla.vision.encoders.load import build_model
from darla.vision.training.metric_monitor import METRICS_FILE, MetricMonitor

SHORT = SeeConfig().change(training=TrainingConfig(steps=4, batch_size=16), latent_dim=4, held_out=0.5, loss="pixel")


def test_watched_metrics_are_written_and_leave_the_encoder_as_it_was(tmp_path: Path) -> None:
    frames = collect(CollectConfig(task="sprites", frames=200), tmp_path / "frames")
    watched = darla.see(frames, tmp_path / "watched", SHORT, watch=("mig", "modularity"))
    unwatched = darla.see(frames, tmp_path / "unwatched", SHORT)
    assert (watched.folder / "model.safetensors").read_bytes() == (unwatched.folder / "model.safetensors").read_bytes()
    assert watched.digest == unwatched.digest
    events = EventAccumulator(str(watched.folder / "tensorboard")).Reload()
    scores = {tag for tag in events.Tags()["scalars"] if tag.startswith("metrics/")}
    assert {"metrics/mig", "metrics/modularity", "metrics/mig/scale"} <= scores
    assert all(0.0 <= event.value <= 1.0 for tag in scores - {"metrics/kl"} for event in events.Scalars(tag))
    (row,) = read_numbers(watched.folder / METRICS_FILE)
    assert row["step"] == 4
    assert row.keys() >= {"kl", "mig", "mig/position_x", "modularity"}
    assert not (unwatched.folder / METRICS_FILE).exists()
    with pytest.raises(InputError, match="did you mean 'mig'"):
        darla.see(frames, tmp_path / "typo", SHORT, watch=("mgi",))


def test_a_repeated_evaluation_replaces_the_rows_after_it(tmp_path: Path) -> None:
    """As when a training is interrupted and resumes from a checkpoint before its last evaluation."""
    frames = FrameSet.open(collect(CollectConfig(task="sprites", frames=60), tmp_path / "frames").folder)
    model = build_model(SHORT, frames.image_shape).eval()
    for steps in ((10, 20, 30), (20,)):
        watch = MetricMonitor(frames, np.arange(60), ("mig",), tmp_path, seed=0)
        for step in steps:
            watch(model, step)
    assert [row["step"] for row in read_numbers(tmp_path / METRICS_FILE)] == [10, 20]
