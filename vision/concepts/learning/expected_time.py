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


def concepts_parts(config: ConceptsConfig, see: Mapping[str, Any], image_shape: tuple[int, ...]) -> list[Part]:
    """Return the parts of learning concepts.

    Args:
        config: what to learn.
        see: configuration of the encoder, as plain values.
        image_shape: of its images.
    """
    shown = config.concepts * config.images
    system = {"of": f"{config.method} {settings_of(asdict(config.objective))}", **encoder_facts(see)}
    steps, rest = training_parts("concepts", config.method, system, config.trained, image_shape, shown)
    operators = {"of": "operators", **encoder_facts(see)}
    second, _ = training_parts("concepts", OPERATORS_LABEL, operators, config.operators, image_shape, shown)
    return [steps, second, rest]


def judge_parts(training: TrainingConfig, image_shape: tuple[int, ...], images: int) -> list[Part]:
    """Return the parts of training a judge on a number of images of a shape (H, W, C)."""
    return training_parts("concepts", JUDGE_LABEL, {"of": "judge"}, training, image_shape, images)


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
