"""What decides how long scoring an encoder takes."""

from collections.abc import Mapping
from typing import Any

import torch

from darla.common.speeds.records import Work, spread
from darla.common.speeds.wording import Part
from darla.vision.encoders.expected_time import encoder_facts
from darla.vision.metrics.config import MetricsConfig
from darla.vision.metrics.core.registry import METRICS
from darla.vision.training.devices import choose_device, device_name

ENCODING_LABEL = "encoding"
"""Label of the `Progress` that counts images."""
_READ = {"log_variances"}
"""Arrays by row that `darla metrics` gives to metrics."""


def metrics_parts(
    config: MetricsConfig,
    see: Mapping[str, Any],
    *,
    data: str,
    images: int,
    image_shape: tuple[int, ...],
    latents: int,
    factors: int,
    device: str,
) -> list[Part]:
    """Return the parts of scoring an encoder: images to encode, one part for each metric, and the rest.

    Args:
        config: which metrics, and how.
        see: the encoder's configuration as plain values.
        data: name of the images.
        images: how many there are.
        image_shape: of an image.
        latents: of the encoder.
        factors: of the images.
        device: that encodes and scores.
    """
    place = {"device": device_name(choose_device(device))}
    how = spread(threads=torch.get_num_threads())
    sizes = {"data": data, "images": str(images), "latents": str(latents), "factors": str(factors)}
    sizes |= {"preset": config.preset, **place}
    encoded = {**encoder_facts(see), "image": "x".join(map(str, image_shape)), "data": data, **place}
    names = config.names or [name for name, metric in METRICS.items() if set(metric.reads) <= _READ]
    return [
        Part(Work("metrics", "image", encoded, how), images, ENCODING_LABEL),
        *(Part(Work("metrics", "run", {"metric": name, **sizes}, how), 1, name) for name in names),
        Part(Work("metrics", "run", {**sizes, "resamples": _resamples(config)}, how), 1),
    ]


def _resamples(config: MetricsConfig) -> str:
    """Return what decides how long intervals take, which are computed after all scores."""
    return f"{config.interval} of {' '.join(sorted(config.names)) or 'all'}" if config.interval else "none"
