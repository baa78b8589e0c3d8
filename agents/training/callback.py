"""Training in segments, so that a run that was killed resumes to the same bytes as an uninterrupted one.

SB3 draws from the global generators of Python, NumPy and PyTorch, and an environment in the middle of an episode cannot
be saved. Neither is saved here. Instead the run is divided into segments of `ActConfig.checkpoint_interval` environment
steps. Each begins with a seed of its own for the generators and for every environment, and with new episodes, whether
the run was interrupted or not. What remains to be saved at the end of a segment are tensors and counters.
"""

import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat

from darla.agents.config import ActConfig
from darla.agents.policy_io import save_weights, snapshot_file
from darla.agents.training.checkpoints import load_checkpoint, save_checkpoint
from darla.agents.training.learning_curve import HEADER, LearningCurve
from darla.common import DarlaError, InputError, Progress, TrainingDivergedError, seed_for
from darla.common.artefact import CHECKPOINT, TENSORBOARD
from darla.common.jobs.interrupts import Interrupts, delayed_interrupts
from darla.common.tracking.event_files import open_event_writer

_STEPS_BETWEEN_CHECKS = 512
"""Environment steps between two checks of weights and learning curve; one rollout of DQN is too short for them."""


@dataclass
class RunState:
    """State of a run beside the state of its algorithm."""

    curve: LearningCurve
    segment: int = 0
    """Number of the current segment, or of the next between two."""
    snapshot_steps: list[int] = field(default_factory=list)
    """Environment steps at each snapshot so far."""
    seconds: float = 0.0
    """Time spent on training, summed over interruptions."""

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON values."""
        return {
            "curve": self.curve.to_dict(),
            "segment": self.segment,
            "snapshot_steps": self.snapshot_steps,
            "seconds": self.seconds,
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Resume from what `to_dict` returned."""
        self.curve.restore(record["curve"])
        self.segment, self.snapshot_steps = record["segment"], list(record["snapshot_steps"])
        self.seconds = record["seconds"]


def begin_segment(model: BaseAlgorithm, seed: int, number: int) -> None:
    """Seed everything that training draws from, and begin new episodes.

    Args:
        model: the algorithm in training.
        seed: master seed of the run.
        number: of the segment, from 0.
    """
    assert model.env is not None
    model.set_random_seed(seed_for(seed, "segment", number))
    model._last_obs = model.env.reset()  # type: ignore[assignment]
    model._last_episode_starts = np.ones(model.env.num_envs, dtype=bool)
    if (remembered := getattr(model, "_last_lstm_states", None)) is not None:
        for tensor in (*remembered.pi, *remembered.vf):
            tensor.zero_()


class Segments(BaseCallback):
    """Callback of a run: segments, checkpoints, snapshots, learning curve, progress, checks for numbers not finite.

    Args:
        config: configuration of the run.
        seed: master seed of the run.
        folder: the artefact that is being written.
        state: the run's state, which is updated.
        progress: shows the steps.
        interrupts: a Ctrl-C that has arrived; obeyed after a checkpoint.
    """

    def __init__(
        self,
        config: ActConfig,
        seed: int,
        folder: Path,
        state: RunState,
        progress: Progress,
        interrupts: Interrupts,
    ) -> None:
        super().__init__()
        self.config, self.seed, self.state = config, seed, state
        self.folder, self.progress, self.interrupts = folder, progress, interrupts
        self._checked = self._next_check = 0
        self._clock = time.monotonic()

    def _on_training_start(self) -> None:
        self._checked = self.model.num_timesteps
        self._plan()
        self._clock = time.monotonic()

    def _on_step(self) -> bool:
        if not np.isfinite(self.locals["rewards"]).all():
            raise InputError(f"the environment returned a reward that is not finite at step {self.model.num_timesteps}")
        for info in self.locals["infos"]:
            if "episode" in info:
                self.state.curve.add(info["episode"]["r"], info["episode"]["l"])
        return True

    def _on_rollout_start(self) -> None:
        # Here the last update is done and the next rollout has drawn nothing yet, on policy and off policy alike.
        steps = self.model.num_timesteps
        segment_over = steps >= (self.state.segment + 1) * self.config.checkpoint_interval
        if segment_over or steps >= self._next_check:
            self._check()
        if segment_over:
            self._checkpoint()
            if self.interrupts.requested:
                self.interrupts.stop()
            begin_segment(self.model, self.seed, self.state.segment)

    def finish(self) -> None:
        """End the run: last snapshot, last row of the curve, and a checkpoint."""
        self._check(last=True)
        self._checkpoint()

    def _check(self, *, last: bool = False) -> None:
        steps = self.model.num_timesteps
        self.check_weights()
        self.state.curve.advance(steps, last=last)
        taken = self.state.snapshot_steps
        # Several snapshots may be due within one rollout. They would be equal, so only one is saved.
        if self._due(steps) > self._due(taken[-1] if taken else 0) or (last and taken[-1:] != [steps]):
            taken.append(steps)
            save_weights(self.folder / snapshot_file(len(taken)), self.model.policy)
        recent = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        numbers = {"return": float(np.mean(recent))} if recent else {}
        self.progress.update(min(steps, self.progress.total) - min(self._checked, self.progress.total), **numbers)
        self._checked = steps
        self._plan()

    def _plan(self) -> None:
        """Set the step of the next check: after `_STEPS_BETWEEN_CHECKS`, or where the next snapshot is due."""
        next_snapshot = -(-(self._due(self._checked) + 1) * self.config.env_steps // self.config.snapshots)
        self._next_check = min(self._checked + _STEPS_BETWEEN_CHECKS, next_snapshot)

    def _due(self, steps: int) -> int:
        """Return how many snapshots are due at or before `steps`, not counting the one at the end of the run."""
        return min(steps * self.config.snapshots // self.config.env_steps, self.config.snapshots - 1)

    def _checkpoint(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self._clock
        self._clock = now
        self.state.segment = self.model.num_timesteps // self.config.checkpoint_interval
        snapshots = [self.folder / snapshot_file(number) for number in range(1, len(self.state.snapshot_steps) + 1)]
        save_checkpoint(self.folder / CHECKPOINT, self.model, self.state.to_dict(), snapshots)

    def check_weights(self) -> None:
        """Check that every weight of the policy is a finite number.

        Raises:
            TrainingDivergedError: one is not.
        """
        for name, tensor in self.model.policy.named_parameters():
            if not torch.isfinite(tensor).all():
                optimizer = getattr(self.model.policy, "optimizer", None)
                rate = f" (now {optimizer.param_groups[0]['lr']:g})" if optimizer else ""
                raise TrainingDivergedError(
                    f"training diverged before {self.model.num_timesteps} environment steps: the policy's"
                    f" {name!r} is no longer finite; lower the learning rate{rate}"
                )


def train(model: BaseAlgorithm, config: ActConfig, seed: int, folder: Path, label: str, log_interval: int) -> RunState:
    """Train an algorithm from the beginning, or from the checkpoint of an interrupted run.

    Args:
        model: newly built.
        config: configuration of the run.
        seed: master seed of the run.
        folder: the artefact that is being written; checkpoints and TensorBoard events go below it.
        label: name of the run in progress lines.
        log_interval: of SB3's logger: rollouts for on-policy algorithms, episodes for off-policy ones.

    Returns:
        The state of the run at its end.

    Raises:
        InputError: a reward is not finite.
        TrainingDivergedError: a weight is not finite.
        ArtefactError: the checkpoint is damaged.
    """
    state = RunState(LearningCurve(config.log_window))
    if (record := load_checkpoint(folder / CHECKPOINT, model)) is not None:
        state.restore(record)
    done = model.num_timesteps
    if done >= config.env_steps:
        return state
    board = _TensorBoard(folder / TENSORBOARD, done)
    model.set_logger(Logger(None, [board]))
    try:
        # In the middle of a segment there is nothing to resume from: environments cannot be saved.
        announcement = (
            f"{label}: stopping at the next checkpoint, at most {config.checkpoint_interval:,} steps away; Ctrl-C "
            "again stops at once, and the same command then resumes from the last one"
        )
        with (
            delayed_interrupts([signal.SIGINT], announcement=announcement) as interrupts,
            Progress(config.env_steps, label, "step", done=done) as progress,
        ):
            segments = Segments(config, seed, folder, state, progress, interrupts)
            begin_segment(model, seed, state.segment)
            try:
                model.learn(config.env_steps - done, segments, log_interval, reset_num_timesteps=False)
            except DarlaError:
                raise
            except ValueError:
                # PyTorch's distributions raise it for NaN, mostly before the next check of the weights does.
                segments.check_weights()
                raise
            segments.finish()
            board.log_the_end(model)
            board.events.add_table("learning_curve", HEADER, state.curve.rows, model.num_timesteps)
    finally:
        model.logger.close()
    return state


class _TensorBoard(TensorBoardOutputFormat):
    """SB3's TensorBoard writer; on resuming it hides events that were logged after the checkpoint (`purge_step`)."""

    def __init__(self, folder: Path, done: int) -> None:
        self.events = open_event_writer(folder, done or None)
        self.writer = self.events  # as SB3 calls it
        self._is_closed = False
        self._logged = -1

    def write(self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0) -> None:
        """Write what the algorithm logs."""
        super().write(key_values, key_excluded, step)
        self._logged = step

    def log_the_end(self, model: BaseAlgorithm) -> None:
        """Write the numbers since the algorithm logged last, of which a short run has no others."""
        if self._logged == model.num_timesteps:
            model.logger.dump(model.num_timesteps)
        else:
            model.dump_logs()
