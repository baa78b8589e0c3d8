"""What decides how fast encoders and denoising autoencoders are trained, and how fast an encoder encodes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from darla.common.speeds.records import Work, settings_of, spread
from darla.common.speeds.wording import Part
from darla.vision.encoders.config import SeeConfig
from darla.vision.training.config import TrainingConfig
from darla.vision.training.devices import DevicePrecision, device_name

SEE_LABEL, DAE_LABEL = "learn to see", "denoising autoencoder"
"""Labels of the `Progress` that counts steps."""


def encoder_facts(see: Mapping[str, Any]) -> dict[str, str]:
    """Return what decides how fast an encoder is, from its configuration as plain values (`SeeConfig.to_dict`)."""
    return {"encoder": f"{see['model']} {settings_of(see['vae'])}"}


def see_parts(
    config: SeeConfig,
    image_shape: tuple[int, ...] | None,
    *,
    frames: int | None = None,
    watch: Sequence[str] = (),
    processes: int = 1,
    jobs: int | None = None,
    on_any_device: bool = False,
) -> list[Part]:
    """Return the parts of training an encoder, its denoising autoencoder aside.

    Args:
        config: what to train.
        image_shape: of the frames; None for any.
        frames: how many there are; None for any number.
        watch: metrics that are computed in between.
        processes: that train together.
        jobs: jobs of a study side by side; those beside this process if None.
        on_any_device: whether a speed of any device and number format will do.
    """
    facts = encoder_facts(config.to_dict())
    if config.vae.needs_dae:
        facts["features"] = settings_of(config.to_dict()["dae"])
    if watch:
        facts["watch"] = " ".join(sorted(watch))
    return training_parts("see", SEE_LABEL, facts, config.training, image_shape, frames, processes, jobs, on_any_device)


def dae_parts(
    config: SeeConfig,
    image_shape: tuple[int, ...] | None,
    *,
    frames: int | None = None,
    processes: int = 1,
    jobs: int | None = None,
    on_any_device: bool = False,
) -> list[Part]:
    """Return the parts of training a denoising autoencoder; see `see_parts`."""
    facts = {"encoder": f"dae {settings_of(config.to_dict()['dae'])}"}
    training = config.dae_training
    return training_parts("see", DAE_LABEL, facts, training, image_shape, frames, processes, jobs, on_any_device)


def training_parts(
    stage: str,
    label: str,
    facts: dict[str, str],
    training: TrainingConfig,
    image_shape: tuple[int, ...] | None,
    frames: int | None = None,
    processes: int = 1,
    jobs: int | None = None,
    on_any_device: bool = False,
) -> list[Part]:
    """Return the steps of a training, and what is done beside them.

    Args:
        stage: that it is a part of.
        label: of the `Progress` that counts its steps.
        facts: what decides how fast a step is, device and batch aside.
        training: its settings.
        image_shape: as of `see_parts`, and likewise what follows.
        frames: see there.
        processes: see there.
        jobs: see there.
        on_any_device: see there.
    """
    if not on_any_device:
        precision = DevicePrecision.choose(training.precision, training.device)
        facts |= {"device": device_name(precision.device), "numbers": str(precision.reduced or torch.float32)}
    facts |= {"batch": str(training.batch_size), "split": str(training.micro_batches)}
    if image_shape is not None:
        facts["image"] = "x".join(map(str, image_shape))
    threads = torch.get_num_threads() if jobs is None else 1
    how = spread(jobs, threads=threads, processes=processes)
    # Probes, features of all images, pictures: once, and longer for more frames.
    rest = Work(stage, "run", {**facts, "of": label}, how if frames is None else {**how, "frames": str(frames)})
    return [Part(Work(stage, "step", facts, how), training.steps, label), Part(rest, 1)]
