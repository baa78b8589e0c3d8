"""The second stage, learn to act: from a configuration and an encoder to an agent artefact."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gymnasium.spaces import Discrete
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack

from darla.agents.agent import ENCODER_PATH, Actor, Agent
from darla.agents.algorithms.registry import build, policy_space, table_of
from darla.agents.algorithms.settings import DQNSettings, MFECSettings, Observation, Settings
from darla.agents.config import ActConfig
from darla.agents.fine_tuning import extractor_arguments, initialise, vision_of
from darla.agents.policy_io import (
    WEIGHTS,
    PolicyDescription,
    load_weights,
    save_description,
    snapshot_file,
)
from darla.agents.training.callback import train
from darla.agents.training.snapshot_selection import best, csv, score_snapshots
from darla.agents.vec_env.augmentation import AugmentedVecEnv
from darla.agents.vec_env.latents import FrozenEncoder, LatentVecEnv
from darla.agents.vec_env.make_vec import make_vec
from darla.agents.vec_env.spaces import image_shape
from darla.agents.vec_env.state import StateVecEnv
from darla.common import Artefact, InputError, complete_artefact, is_complete, limit_threads, seed_for, start_artefact
from darla.common.files import write_bytes

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain

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
    """Train a policy in a domain: on the codes of a frozen encoder, on pixels, or on the ground truth.

    A run that was interrupted goes on where its last checkpoint left it, and a finished one is returned as it
    is. On a CPU, with the same number of threads, the artefact's bytes depend on configuration, domain,
    encoder and seed alone.

    Args:
        config: what to train and for how long.
        domain: where the policy acts, and it acts nowhere else: what `config.train_domain` says of a task.
        encoder_folder: the encoder artefact that the policy stands on, or begins with where it is fine-tuned; None
            trains end to end on pixels, or on the ground truth.
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
    observation = config.policy_input(on_encoder=encoder_folder is not None)
    encoder = _load_encoder(config, encoder_folder, device)
    # A fine-tuned policy begins with a copy of the encoder and has it inside; it does not stand on it.
    begins_with = encoder if config.fine_tune else None
    stands_on = None if config.fine_tune else encoder
    record = _record(config, domain, observation, encoder, seed, validation)
    if is_complete(out):
        start_artefact(out, KIND, record)  # refuses a folder that was begun with another configuration
        return Artefact.load(out, KIND)
    settings = config.resolve(observation)
    vision = None
    if begins_with is not None and encoder_folder is not None:
        vision = vision_of(Artefact.load(encoder_folder, kind="encoder"))
    fingerprint = encoder.fingerprint() if encoder else ""
    env = make_vec(domain, settings.n_envs, seed, workers)
    try:
        seen = _seen(config, observation, env, stands_on)
        if begins_with is not None and image_shape(env.observation_space) != begins_with.image_shape:
            raise InputError(
                f"the encoder reads images of shape {begins_with.image_shape}, but the environment shows"
                f" {image_shape(env.observation_space)}; train an encoder on frames of this environment"
            )
        model = build(
            config.algorithm,
            settings,
            seen,
            seed_for(seed, "policy"),
            device if observation == "pixels" else "cpu",
            extractor_arguments(vision, config.frame_stack),
        )
        if begins_with is not None:
            initialise(model.policy, begins_with.model)
        # Only now that everything fits is anything written.
        folder = start_artefact(out, KIND, record)
        state = train(model, config, seed, folder, label, _log_interval(settings))
    finally:
        env.close()
    if encoder is not None and encoder.fingerprint() != fingerprint:
        raise RuntimeError("the frozen encoder changed during training; this is a fault of darla, please report it")
    started = time.monotonic()
    description = PolicyDescription(
        algorithm=config.algorithm,
        observation=observation,
        hidden=settings.hidden,
        image_shape=image_shape(env.observation_space),
        n_actions=_n_actions(env),
        frame_stack=config.frame_stack,
        latent_dim=None if observation == "pixels" else _numbers(seen) // config.frame_stack,
        encoder=encoder.digest if encoder else None,
        precision=stands_on.precision if stands_on else None,
        exploration=settings.exploration_final if isinstance(settings, DQNSettings | MFECSettings) else 0.0,
        env_steps=state.snapshot_steps[-1],
        snapshot_steps=tuple(state.snapshot_steps),
        vision=vision,
        table=table_of(settings),
    )
    description = _select(config, description, stands_on, folder, seed, validation, workers)
    write_bytes(folder / CURVE, state.curve.csv().encode())
    save_description(folder, description)
    return complete_artefact(
        folder,
        KIND,
        record,
        seed=seed,
        inputs={"encoder": encoder.digest} if encoder and encoder.digest else {},
        wall_seconds=state.seconds + time.monotonic() - started,
        extra={} if encoder_folder is None else {ENCODER_PATH: os.path.relpath(encoder_folder, folder)},
    )


def _load_encoder(config: ActConfig, folder: Path | str | None, device: str) -> FrozenEncoder | None:
    if folder is not None and config.fine_tune:
        return FrozenEncoder.load(folder, "float32", device)
    if folder is not None:
        return FrozenEncoder.load(folder, None if config.precision == "auto" else config.precision, device)
    if config.precision != "auto":
        raise InputError(f"precision {config.precision!r} would be ignored: a policy on pixels has no encoder")
    return None


def _record(
    config: ActConfig,
    domain: "AnyDomain",
    observation: Observation,
    encoder: FrozenEncoder | None,
    seed: int,
    validation: "AnyDomain | None",
) -> dict[str, Any]:
    """Return everything that the bytes of the artefact depend on."""
    act = config.to_dict(observation)
    return {
        "act": {**act, "precision": encoder.precision if encoder and observation == "latents" else None},
        "observation": observation,
        "source": domain.to_dict(),
        "validation": None if validation is None else validation.to_dict(),
        "encoder": encoder.digest if encoder else None,
        "seed": seed,
    }


def _seen(config: ActConfig, observation: Observation, env: VecEnv, encoder: FrozenEncoder | None) -> VecEnv:
    """Return the environments as the policy sees them: codes, images or states, a stack of them if asked.

    Raises:
        InputError: the images do not fit the encoder, are too small for a policy on pixels, or have no state behind
            them.
    """
    seen: VecEnv = env
    if observation == "state":
        seen = StateVecEnv(env)
    elif encoder is not None:
        seen = LatentVecEnv(env, encoder)
    elif not config.fine_tune:
        policy_space("pixels", image_shape(env.observation_space), config.frame_stack)
    if config.frame_stack > 1:
        seen = VecFrameStack(seen, config.frame_stack)
    # Above the stack, so that all frames of it are changed alike.
    return AugmentedVecEnv(seen, config.augment) if config.augment else seen


def _numbers(env: VecEnv) -> int:
    """Return the length of the vectors that environments show."""
    assert env.observation_space.shape is not None
    return int(env.observation_space.shape[-1])


def _n_actions(env: VecEnv) -> int:
    assert isinstance(env.action_space, Discrete)
    return int(env.action_space.n)


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
    if isinstance(settings, DQNSettings | MFECSettings):
        return _EPISODES_BETWEEN_LOGS
    return max(1, _STEPS_BETWEEN_LOGS // settings.rollout_steps)
