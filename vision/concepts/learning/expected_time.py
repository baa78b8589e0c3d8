"""What decides how long it takes to learn concepts, to train their judge and to measure them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from darla.common.speeds.records import Work, settings_of, spread
from darla.common.speeds.wording import Part
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.encoders.expected_time import encoder_facts, training_parts
from darla.vision.training.config import TrainingConfig

OPERATORS_LABEL, JUDGE_LABEL = "operators", "judge"
"""Labels of the `Progress` that counts steps; those of a system have its method's name."""


def concepts_parts(
    config: ConceptsConfig,
    see: Mapping[str, Any] | None,
    image_shape: tuple[int, ...] | None,
    *,
    on_any_device: bool = False,
) -> list[Part]:
    """Return the parts of learning concepts.

    Args:
        config: what to learn.
        see: configuration of the encoder, as plain values; None for any encoder.
        image_shape: of its images; None for any.
        on_any_device: whether a speed of any device and number format will do.
    """
    encoder = {} if see is None else encoder_facts(see)
    system = {"of": f"{config.method} {settings_of(asdict(config.objective))}", **encoder}
    operators = {"of": OPERATORS_LABEL, **encoder}
    shown = config.concepts * config.images

    def parts(label: str, facts: dict[str, str], training: TrainingConfig) -> list[Part]:
        return training_parts("concepts", label, facts, training, image_shape, shown, on_any_device=on_any_device)

    steps, rest = parts(config.method, system, config.trained)
    return [steps, parts(OPERATORS_LABEL, operators, config.operators)[0], rest]


def judge_parts(
    training: TrainingConfig,
    image_shape: tuple[int, ...] | None,
    images: int | None,
    *,
    on_any_device: bool = False,
) -> list[Part]:
    """Return the parts of training a judge on a number of images of a shape (H, W, C); None is any."""
    return training_parts(
        "concepts", JUDGE_LABEL, {"of": JUDGE_LABEL}, training, image_shape, images, on_any_device=on_any_device
    )


def measure_parts(see: Mapping[str, Any], images: int, concepts: int, samples: int) -> list[Part]:
    """Return the one part of measuring concepts.

    Args:
        see: configuration of the encoder, as plain values.
        images: that are imagined of each concept.
        concepts: of each group.
        samples: that describe an image.
    """
    facts = {"of": "measure", "images": str(images), "concepts": str(concepts), "samples": str(samples)}
    return [Part(Work("concepts", "run", {**facts, **encoder_facts(see)}, spread()), 1)]
