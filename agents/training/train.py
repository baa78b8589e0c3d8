"""The second stage, learn to act: from a configuration and an encoder to an agent artefact."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stable_baselines3.common.vec_env import VecEnv, VecFrameStack

from darla.agents.actions import bounds_of, count
from darla.agents.agent import Actor, Agent
from darla.agents.algorithms.build import build, policy_space
from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.algorithms.settings import Observation, Precision
from darla.agents.config import ActConfig
from darla.agents.expected_time import act_parts
from darla.agents.fine_tuning import copy_encoder_into, encoder_network, extractor_arguments
from darla.agents.policy_io import (
    WEIGHTS,
    PolicyDescription,
    load_weights,
    save_description,
    snapshot_file,
)
from darla.agents.training.callback import train
from darla.agents.training.learning_curve import HEADER
from darla.agents.training.snapshot_selection import best, score_snapshots
from darla.agents.vec_env.augmentation import AugmentedVecEnv
from darla.agents.vec_env.latents import FrozenEncoder, LatentVecEnv, fastest_precision
from darla.agents.vec_env.local import LocalVecEnv
from darla.agents.vec_env.make_vec import make_vec
from darla.agents.vec_env.spaces import image_shape
from darla.agents.vec_env.state import StateVecEnv
from darla.agents.vec_env.workers import WorkerVecEnv
from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    limit_threads,
    note_packages,
    open_artefact,
    seed_for,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.artefact import ENCODER_PATH
from darla.common.checked_config import checked_arguments
from darla.common.csv_rows import write_rows
from darla.common.files import write_bytes
from darla.common.speeds.meter import measuring

if TYPE_CHECKING:
    from darla.envs.domains.domain import AnyDomain

KIND = "agent"
CURVE = "learning_curve.csv"
VALIDATION = "validation.csv"


@checked_arguments
@writes_nothing_if_refused
def train_agent(
    config: ActConfig,
    domain: "AnyDomain",
    encoder: Artefact | Path | str | None,
    out: Path | str,
    seed: int,
    *,
    validation: "AnyDomain | None" = None,
    workers: int = 1,
    threads: int = 1,
    device: str = "cpu",
    label: str = "act",
) -> Artefact:
    """Train a policy in a domain: on the codes of a frozen encoder, on pixels, or on the ground-truth state.

    An interrupted run resumes from its last checkpoint, and a finished one is returned as it is. On a CPU, with the
    same number of threads, the artefact's bytes depend on configuration, domain, encoder and seed alone.

    Args:
        config: how to train and for how long.
        domain: where the policy acts, and it acts nowhere else: the domain that `config.train_domain` names in a task.
        encoder: the encoder that the policy uses frozen, or that is fine-tuned: its folder, or the artefact already
            opened, whose files are then not hashed again. None trains end to end on pixels, or on the state.
        out: the folder to write.
        seed: master seed.
        validation: the source validation split; needed for, and only for, `selection="validation"`.
        workers: processes that share the environments; they change the speed alone.
        threads: of PyTorch, in this process. One is fastest for policies on codes and for runs side by side (SB3 #413).
        device: where the encoder runs, or the policy on pixels: `cpu`, `cuda`, `cuda:1`, ..., or `auto`, a GPU if there
            is one. A policy on codes or on the state always runs on the CPU, where it is fastest.
        label: name of this run in progress lines.

    Returns:
        The agent: `policy.json`, `policy.safetensors`, `snapshots/`, `learning_curve.csv`.

    Raises:
        InputError: encoder and environment do not fit, a reward is not finite, `out` holds something else, or there is
            no such device.
        TrainingDivergedError: a weight of the policy is no longer finite.
    """
    if (validation is not None) != (config.selection == "validation"):
        raise InputError(
            "selection='validation' needs the source validation split"
            if validation is None
            else "the validation split would be ignored with selection='last'; leave it out"
        )
    limit_threads(threads)
    config = config.for_domain(domain)
    observation = config.policy_input(on_encoder=encoder is not None)
    device = _choose_device(device, observation)
    encoder_artefact = None if encoder is None else open_artefact(encoder, kind="encoder")
    loaded = _load_encoder(config, encoder_artefact, device)
    precision = loaded.precision if loaded else _pixel_precision(config, observation, device)
    # A fine-tuned policy starts with a copy of the encoder inside it; any other uses the encoder frozen.
    init_encoder, frozen_encoder = (loaded, None) if config.fine_tune else (None, loaded)
    record = _record(config, domain, observation, loaded, precision, seed, validation)
    if is_complete(out):
        start_artefact(out, KIND, record)  # refuses a folder that was begun with another configuration
        return Artefact.load(out, KIND)
    parts = act_parts(
        config,
        domain,
        None if encoder_artefact is None else encoder_artefact.config["see"],
        numbers=precision if observation == "pixels" or frozen_encoder else "none",
        device=_device_name(device, observation),
        label=label,
        workers=workers,
        threads=threads,
    )
    with measuring(label, parts):
        algorithm, settings = ALGORITHMS[config.algorithm], config.resolve(observation)
        vision = encoder_network(encoder_artefact) if config.fine_tune and encoder_artefact is not None else None
        fingerprint = loaded.fingerprint() if loaded else ""
        env = make_vec(domain, settings.n_envs, seed, workers)
        try:
            inputs = _policy_env(config, observation, env, frozen_encoder)
            if init_encoder is not None and image_shape(env.observation_space) != init_encoder.image_shape:
                raise InputError(
                    f"the encoder reads images of shape {init_encoder.image_shape}, but the environment shows"
                    f" {image_shape(env.observation_space)}; train an encoder on frames of this environment"
                )
            model = build(
                config.algorithm,
                settings,
                inputs,
                seed_for(seed, "policy"),
                device if observation == "pixels" else "cpu",
                extractor_arguments(vision, config.stacked),
                precision if observation == "pixels" else "float32",
            )
            if init_encoder is not None:
                # After the policy is built: SB3 reinitializes its features extractor in between.
                copy_encoder_into(model.policy, init_encoder.model)
            # Only now that everything fits is anything written.
            folder = start_artefact(out, KIND, record)
            note_packages(folder, env.packages())
            state = train(model, config, seed, folder, label, algorithm.log_interval(settings))
            note_packages(folder, env.packages())  # again: some are imported where the first image is drawn
        finally:
            env.close()
        if loaded is not None and loaded.fingerprint() != fingerprint:
            raise RuntimeError("the frozen encoder changed during training; this is a bug of darla, please report it")
        started = time.monotonic()
        description = PolicyDescription(
            algorithm=config.algorithm,
            observation=observation,
            architecture=algorithm.architecture(settings),
            image_shape=image_shape(env.observation_space),
            n_actions=count(env.action_space),
            action_bounds=bounds_of(env.action_space),
            frame_stack=config.stacked,
            latent_dim=None if observation == "pixels" else _width(inputs) // config.stacked,
            encoder=loaded.digest if loaded else None,
            precision=record["act"]["precision"],
            exploration=algorithm.exploration(settings),
            env_steps=state.snapshot_steps[-1],
            snapshot_steps=tuple(state.snapshot_steps),
            vision=vision,
        )
        description = _select(config, description, frozen_encoder, folder, seed, validation, workers)
        write_rows(folder / CURVE, [dict(zip(HEADER, row, strict=True)) for row in state.curve.rows], HEADER)
        save_description(folder, description)
        return complete_artefact(
            folder,
            KIND,
            record,
            seed=seed,
            inputs={"encoder": loaded.digest} if loaded and loaded.digest else {},
            wall_seconds=state.seconds + time.monotonic() - started,
            paths={} if encoder_artefact is None else {ENCODER_PATH: os.path.relpath(encoder_artefact.folder, folder)},
        )


def _choose_device(device: str, observation: Observation) -> str:
    """Return the device by its full name; an unknown one, or one that would be ignored, raises."""
    from darla.vision.training.devices import choose_device

    chosen = choose_device(device)
    if observation == "state":
        if device not in ("auto", "cpu"):
            raise InputError(f"device {device!r} would be ignored: a policy on the state runs on the CPU")
        return "cpu"
    return str(chosen)


def _device_name(device: str, observation: Observation) -> str:
    """Return what decides the speed of the device."""
    if observation == "state":
        return "cpu"
    from darla.vision.training.devices import choose_device, device_name

    return device_name(choose_device(device))


def _load_encoder(config: ActConfig, encoder: Artefact | None, device: str) -> FrozenEncoder | None:
    if encoder is not None:
        precision = None if config.precision == "auto" or config.precision == "fastest" else config.precision
        return FrozenEncoder.load(encoder, "float32" if config.fine_tune else precision, device)
    return None


def _pixel_precision(config: ActConfig, observation: Observation, device: str) -> Precision:
    """Return the arithmetic of a policy's own network on pixels."""
    if observation != "pixels":
        return "float32"
    if not ALGORITHMS[config.algorithm].has_bfloat16_pixels:
        if config.precision in ("float32", "bfloat16"):
            raise InputError(
                f"precision {config.precision!r} would be ignored: a policy of {config.algorithm!r} on pixels computes"
                " in float32"
            )
        return "float32"
    if config.precision == "fastest":
        return fastest_precision(device)
    return "float32" if config.precision == "auto" else config.precision


def _record(
    config: ActConfig,
    domain: "AnyDomain",
    observation: Observation,
    encoder: FrozenEncoder | None,
    precision: Precision,
    seed: int,
    validation: "AnyDomain | None",
) -> dict[str, Any]:
    """Return everything that the bytes of the artefact depend on."""
    act = config.to_dict(observation)
    return {
        # A policy on pixels has none where it computes as SB3 does.
        "act": {**act, "precision": precision if observation == "latents" or precision == "bfloat16" else None},
        "observation": observation,
        "source": domain.to_dict(),
        "validation": None if validation is None else validation.to_dict(),
        "encoder": encoder.digest if encoder else None,
        "seed": seed,
    }


def _policy_env(
    config: ActConfig, observation: Observation, env: LocalVecEnv | WorkerVecEnv, encoder: FrozenEncoder | None
) -> VecEnv:
    """Return environments whose observations are the policy's input: codes, images or states, stacked if configured.

    Raises:
        InputError: the images do not fit the encoder, are too small for a policy on pixels, or come without a state.
    """
    inputs: VecEnv = env
    if observation == "state":
        env.draw_images(False)
        inputs = StateVecEnv(env)
    elif encoder is not None:
        inputs = LatentVecEnv(env, encoder)
    elif not config.fine_tune:
        policy_space("pixels", image_shape(env.observation_space), config.stacked)  # refuses small images
    if config.stacked > 1:
        inputs = VecFrameStack(inputs, config.stacked)
    # Around the stack, so that all frames of it are augmented alike.
    return AugmentedVecEnv(inputs, config.augment) if config.augment else inputs


def _width(env: VecEnv) -> int:
    """Return the length of the vectors that environments show."""
    assert env.observation_space.shape is not None
    return int(env.observation_space.shape[-1])


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
        write_rows(folder / VALIDATION, scores)
        chosen = best(scores).snapshot
    write_bytes(folder / WEIGHTS, (folder / snapshot_file(chosen)).read_bytes())
    return replace(last, env_steps=last.snapshot_steps[chosen - 1])
