"""Training in segments, so that a run that was killed goes on to the same bytes as one that never was.

SB3 draws from the global generators of Python, NumPy and PyTorch, and an environment in the middle of an
episode cannot be written down. Neither is saved here. Instead the run is cut into segments of about ten
thousand environment steps, and each begins with a seed of its own for the generators and for every
environment, and with fresh episodes; in an uninterrupted run exactly as in a resumed one. What is left to
save at the end of a segment is plain numbers.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from darla.agents.config import ActConfig
from darla.agents.policy_io import save_weights, snapshot_file
from darla.agents.training.checkpoints import load_checkpoint, save_checkpoint
from darla.agents.training.learning_curve import LearningCurve
from darla.common import InputError, Progress, seed_for
from darla.common.artefact import CHECKPOINT, TENSORBOARD

_STEPS_BETWEEN_LOOKS = 512
"""Environment steps between two looks at the weights and the curve; a rollout of DQN is one step long."""


@dataclass
class RunState:
    """What a run must remember beside the algorithm's own state."""

    curve: LearningCurve
    segment: int = 0
    """Number of the segment that is being trained, or would be next."""
    snapshot_steps: list[int] = field(default_factory=list)
    """Environment steps at each snapshot so far."""
    seconds: float = 0.0
    """Time spent on training, all interrupted parts together."""

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON takes it."""
        return {
            "curve": self.curve.to_dict(),
            "segment": self.segment,
            "snapshot_steps": self.snapshot_steps,
            "seconds": self.seconds,
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Go on from what `to_dict` returned."""
        self.curve.restore(record["curve"])
        self.segment, self.snapshot_steps = record["segment"], list(record["snapshot_steps"])
        self.seconds = record["seconds"]


def begin_segment(model: BaseAlgorithm, seed: int, number: int) -> None:
    """Seed everything that training draws from, and begin fresh episodes.

    Args:
        model: what is trained.
        seed: master seed of the run.
        number: of the segment, from 0.
    """
    assert model.env is not None
    model.set_random_seed(seed_for(seed, "segment", number))
    model._last_obs = model.env.reset()  # type: ignore[assignment]
    model._last_episode_starts = np.ones(model.env.num_envs, dtype=bool)


class Segments(BaseCallback):
    """Watches over a run: segments, checkpoints, snapshots, learning curve, progress, numbers gone wrong.

    Args:
        config: what was asked.
        seed: master seed of the run.
        folder: the artefact that is being written.
        state: where the run stands.
        progress: told about every step.
    """

    def __init__(
        self,
        config: ActConfig,
        seed: int,
        folder: Path,
        state: RunState,
        progress: Progress,
    ) -> None:
        super().__init__()
        self.config, self.seed, self.state = config, seed, state
        self.folder, self.progress = folder, progress
        self._looked = self._next_look = 0
        self._clock = time.monotonic()

    def _on_training_start(self) -> None:
        self._looked = self.model.num_timesteps
        self._plan()
        self._clock = time.monotonic()

    def _on_step(self) -> bool:
        if not np.isfinite(self.locals["rewards"]).all():
            raise InputError(f"the environment gave a reward that is not finite at step {self.model.num_timesteps}")
        for info in self.locals["infos"]:
            if "episode" in info:
                self.state.curve.add(info["episode"]["r"], info["episode"]["l"])
        return True

    def _on_rollout_start(self) -> None:
        # The one moment at which the update before is done, and nothing of the next rollout has been drawn.
        steps = self.model.num_timesteps
        segment_over = steps >= (self.state.segment + 1) * self.config.checkpoint_interval
        if segment_over or steps >= self._next_look:
            self._look()
        if segment_over:
            self._checkpoint()
            begin_segment(self.model, self.seed, self.state.segment)

    def finish(self) -> None:
        """Note the end of the run: last snapshot, last row of the curve, and a checkpoint that says so."""
        self._look(last=True)
        self._checkpoint()

    def _look(self, *, last: bool = False) -> None:
        steps = self.model.num_timesteps
        self.check_weights()
        self.state.curve.advance(steps, last=last)
        taken = self.state.snapshot_steps
        # Several may fall due within one rollout; they would be the same, and are one.
        if self._due(steps) > self._due(taken[-1] if taken else 0) or (last and taken[-1:] != [steps]):
            taken.append(steps)
            save_weights(self.folder / snapshot_file(len(taken)), self.model.policy)
        recent = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        numbers = {"return": float(np.mean(recent))} if recent else {}
        self.progress.update(min(steps, self.progress.total) - min(self._looked, self.progress.total), **numbers)
        self._looked = steps
        self._plan()

    def _plan(self) -> None:
        """Choose when to look again: soon, and at once when a snapshot falls due."""
        next_snapshot = -(-(self._due(self._looked) + 1) * self.config.env_steps // self.config.snapshots)
        self._next_look = min(self._looked + _STEPS_BETWEEN_LOOKS, next_snapshot)

    def _due(self, steps: int) -> int:
        """Return how many of the evenly spaced points lie at or before `steps`, the run's end aside."""
        return min(steps * self.config.snapshots // self.config.env_steps, self.config.snapshots - 1)

    def _checkpoint(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self._clock
        self._clock = now
        self.state.segment = self.model.num_timesteps // self.config.checkpoint_interval
        save_checkpoint(self.folder / CHECKPOINT, self.model, self.state.to_dict())

    def check_weights(self) -> None:
        """Check that every weight of the policy is a finite number.

        Raises:
            InputError: one is not.
        """
        for name, tensor in self.model.policy.named_parameters():
            if not torch.isfinite(tensor).all():
                rate = self.model.policy.optimizer.param_groups[0]["lr"]
                raise InputError(
                    f"training diverged before {self.model.num_timesteps} environment steps: the policy's"
                    f" {name!r} is not finite any more; lower the learning rate (now {rate:g})"
                )


def train(model: BaseAlgorithm, config: ActConfig, seed: int, folder: Path, label: str, log_interval: int) -> RunState:
    """Train an algorithm from its beginning, or from the checkpoint that an interrupted run has left.

    Args:
        model: freshly built.
        config: what was asked.
        seed: master seed of the run.
        folder: the artefact that is being written; checkpoints and TensorBoard events go below it.
        label: what progress calls the run.
        log_interval: of SB3's logger: rollouts for on-policy algorithms, episodes for off-policy ones.

    Returns:
        Where the run stands at its end.

    Raises:
        InputError: a reward or a weight is not finite, or the checkpoint is damaged.
    """
    state = RunState(LearningCurve(config.log_window))
    if (record := load_checkpoint(folder / CHECKPOINT, model)) is not None:
        state.restore(record)
    done = model.num_timesteps
    if done >= config.env_steps:
        return state
    model.set_logger(Logger(None, [_TensorBoard(folder / TENSORBOARD, done)]))
    try:
        with Progress(config.env_steps, label, "step", done=done) as progress:
            segments = Segments(config, seed, folder, state, progress)
            begin_segment(model, seed, state.segment)
            try:
                model.learn(config.env_steps - done, segments, log_interval, reset_num_timesteps=False)
            except InputError:
                raise
            except ValueError:
                # SB3's distributions refuse NaN before the next look at the weights does.
                segments.check_weights()
                raise
            segments.finish()
    finally:
        model.logger.close()
    return state


class _TensorBoard(TensorBoardOutputFormat):
    """SB3's TensorBoard writer, which on resuming hides what was logged after the checkpoint."""

    def __init__(self, folder: Path, done: int) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=done or None)
        self._is_closed = False
