"""The second stage, learn to act: from a configuration and an encoder to an agent artefact."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack
from torch.utils.tensorboard import SummaryWriter

from darla.agents.agent import ENCODER_PATH, Actor, Agent
from darla.agents.algorithms import build, policy_space
from darla.agents.config import ActConfig
from darla.agents.latents import FrozenEncoder, LatentVecEnv
from darla.agents.policy_io import (
    WEIGHTS,
    PolicyDescription,
    load_weights,
    save_description,
    snapshot_file,
)
from darla.agents.segments import train
from darla.agents.selection import best, csv, score_snapshots
from darla.agents.settings import DQNSettings, Observation, Settings
from darla.agents.spaces import image_shape
from darla.agents.vec import make_vec
from darla.base import Artefact, InputError, begin, finish, is_complete, limit_threads, seed_for
from darla.base.artefact import CHECKPOINT, TENSORBOARD
from darla.base.files import write_bytes

if TYPE_CHECKING:
    from darla.envs.domains import AnyDomain

KIND = "agent"
CURVE = "learning_curve.csv"
VALIDATION = "validation.csv"

_STEPS_BETWEEN_LOGS = 1_000
_EPISODES_BETWEEN_LOGS = 8


def train_agent(
    config: ActConfig,
    domain: "AnyDomain",
    encoder_folder: Path | str | None,
    out: Path | str,
    seed: int,
    *,
    validation: "AnyDomain | None" = None,
    workers: int = 1,
    threads: int = 1,
    device: str = "cpu",
    label: str = "act",
) -> Artefact:
    """Train a policy in a source domain, on the codes of a frozen encoder or end to end on pixels.

    A run that was interrupted goes on where its last checkpoint left it, and a finished one is returned as it
    is. On a CPU, with the same number of threads, the artefact's bytes depend on configuration, domain,
    encoder and seed alone.

    Args:
        config: what to train and for how long.
        domain: the source; the policy acts nowhere else.
        encoder_folder: the encoder artefact that the policy stands on; None trains end to end on pixels.
        out: the folder to write.
        seed: master seed.
        validation: the source validation split; needed for, and only for, `selection="validation"`.
        workers: processes that share the environments; changes the speed alone.
        threads: of PyTorch, in this process. One is fastest for a policy on codes, and for runs side by side.
        device: where the encoder runs, or the policy on pixels. A policy on codes is fastest on the CPU.
        label: what progress calls this run.

    Returns:
        The agent: `policy.json`, `policy.safetensors`, `snapshots/`, `learning_curve.csv`.

    Raises:
        InputError: encoder and environment do not fit, `out` holds something else, the disk is full, or
            training diverged.
    """
    if (validation is not None) != (config.selection == "validation"):
        raise InputError(
            "selection='validation' needs the source validation split"
            if validation is None
            else "the validation split would be ignored with selection='last'; leave it out"
        )
    limit_threads(threads)
    encoder = _load_encoder(config, encoder_folder, device)
    record = _record(config, domain, encoder, seed, validation)
    folder = begin(out, KIND, record)
    if is_complete(folder):
        return Artefact.load(folder, KIND)
    observation: Observation = "pixels" if encoder is None else "latents"
    settings = config.resolve(observation)
    fingerprint = encoder.fingerprint() if encoder else ""
    env = make_vec(domain, settings.n_envs, seed, workers)
    try:
        shape = image_shape(env.observation_space)
        n_actions = int(env.action_space.n)  # type: ignore[attr-defined]
        policy_space(
            observation, shape, config.frame_stack
        )  # refuses images too small before anything is built
        seen = _seen(env, encoder, config.frame_stack)
        model = build(
            config.algorithm, settings, seen, seed_for(seed, "policy"), device if encoder is None else "cpu"
        )
        board = folder / TENSORBOARD
        state = train(
            model,
            config,
            seed,
            folder,
            folder / CHECKPOINT,
            label,
            _log_interval(settings),
            lambda done: model.set_logger(_logger(board, done)),
        )
    finally:
        env.close()
    if encoder is not None and encoder.fingerprint() != fingerprint:
        raise RuntimeError(
            "the frozen encoder changed during training; this is a fault of darla, please report it"
        )
    description = PolicyDescription(
        algorithm=config.algorithm,
        observation=observation,
        hidden=settings.hidden,
        image_shape=shape,
        n_actions=n_actions,
        frame_stack=config.frame_stack,
        latent_dim=encoder.latent_dim if encoder else None,
        encoder=encoder.digest if encoder else None,
        precision=encoder.precision if encoder else None,
        exploration=settings.exploration_final if isinstance(settings, DQNSettings) else 0.0,
        env_steps=state.snapshot_steps[-1],
        snapshot_steps=tuple(state.snapshot_steps),
    )
    started = time.monotonic()
    description = _select(config, description, encoder, folder, seed, validation, workers)
    write_bytes(folder / CURVE, state.curve.csv().encode())
    save_description(folder, description)
    return finish(
        folder,
        KIND,
        record,
        seed=seed,
        inputs={"encoder": encoder.digest} if encoder and encoder.digest else {},
        wall_seconds=state.seconds + time.monotonic() - started,
        extra={} if encoder_folder is None else {ENCODER_PATH: os.path.relpath(encoder_folder, folder)},
    )


def _load_encoder(config: ActConfig, folder: Path | str | None, device: str) -> FrozenEncoder | None:
    if folder is not None:
        return FrozenEncoder.load(folder, None if config.precision == "auto" else config.precision, device)
    if config.precision != "auto":
        raise InputError(
            f"precision {config.precision!r} would be ignored: a policy on pixels has no encoder"
        )
    return None


def _record(
    config: ActConfig,
    domain: "AnyDomain",
    encoder: FrozenEncoder | None,
    seed: int,
    validation: "AnyDomain | None",
) -> dict[str, Any]:
    """Return everything that the bytes of the artefact depend on."""
    act = config.to_dict("pixels" if encoder is None else "latents")
    return {
        "act": {**act, "precision": encoder.precision if encoder else None},
        "observation": "pixels" if encoder is None else "latents",
        "source": domain.to_dict(),
        "validation": None if validation is None else validation.to_dict(),
        "encoder": encoder.digest if encoder else None,
        "seed": seed,
    }


def _seen(env: VecEnv, encoder: FrozenEncoder | None, frame_stack: int) -> VecEnv:
    """Put between environment and policy what the policy looks through; codes are stacked, not images."""
    seen = env if encoder is None else LatentVecEnv(env, encoder)
    return seen if frame_stack == 1 else VecFrameStack(seen, frame_stack)


def _select(
    config: ActConfig,
    last: PolicyDescription,
    encoder: FrozenEncoder | None,
    folder: Path,
    seed: int,
    validation: "AnyDomain | None",
    workers: int,
) -> PolicyDescription:
    """Make one snapshot the policy: the last, or the best on the source validation split."""
    chosen = len(last.snapshot_steps)
    if validation is not None:
        actors: list[Actor] = []
        for number in range(1, len(last.snapshot_steps) + 1):
            policy = last.build()
            load_weights(folder / snapshot_file(number), policy)
            actors.append(Agent(last, policy, encoder))
        scores = score_snapshots(
            actors, list(last.snapshot_steps), validation, config.episodes_per_snapshot(), seed, workers
        )
        write_bytes(folder / VALIDATION, csv(scores).encode())
        chosen = best(scores).snapshot
    write_bytes(folder / WEIGHTS, (folder / snapshot_file(chosen)).read_bytes())
    return replace(last, env_steps=last.snapshot_steps[chosen - 1])


def _log_interval(settings: Settings) -> int:
    """Return how often SB3 writes its log, in its own unit: rollouts on policy, episodes off policy."""
    if isinstance(settings, DQNSettings):
        return _EPISODES_BETWEEN_LOGS
    return max(1, _STEPS_BETWEEN_LOGS // settings.rollout_steps)


class _TensorBoard(TensorBoardOutputFormat):
    """SB3's TensorBoard writer, which on resuming hides what was logged after the checkpoint."""

    def __init__(self, folder: Path, done: int) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=done or None)
        self._is_closed = False


def _logger(folder: Path, done: int) -> Logger:
    return Logger(str(folder), [_TensorBoard(folder, done)])
