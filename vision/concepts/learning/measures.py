"""How good concepts are, judged by a classifier of images that was trained on the ground truth.

Higgins et al. 2018 (SCAN, arXiv 1707.03389), section 5:

    accuracy   how often an imagined image has the values that its concept specifies; 1 is best
    diversity  KL(histogram of an open attribute's values || uniform) in nats; 0 is best, log n for one value of n

Of an attribute of which one value of n is excluded, which is beyond the paper, accuracy is the share of images without
that value, and an image of which nothing is known has (n - 1) / n; diversity is that of the n - 1 values that are left,
over the images that have one of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError, seed_for
from darla.envs.domains.value_codes import ANY, allows, any_but, excludes
from darla.envs.image_data.ground_truth import Images
from darla.vision.concepts.learning.attribute_classifier import AttributeClassifier
from darla.vision.concepts.learning.examples import Examples
from darla.vision.concepts.operators import Instruction
from darla.vision.concepts.space import Concepts
from darla.vision.concepts.system import ConceptSystem
from darla.vision.encoders.encode import decode_codes, encode_images
from darla.vision.models.base import Posterior


@dataclass(frozen=True)
class ConceptScore:
    """Accuracy and diversity over some concepts."""

    accuracy: float
    """Mean over concepts of the mean over what they specify."""
    diversity: float | None
    """Mean over concepts of the mean over what they leave open; None where they leave nothing open."""
    per_attribute: Mapping[str, float]
    """Accuracy of each attribute, over the concepts that specify it; attributes that none specifies are missing."""
    concepts: int
    """How many."""
    chance: float | None = None
    """Accuracy of images of which nothing is known; None in scores of earlier versions."""
    excluded: float | None = None
    """Accuracy of excluded attributes alone, the mean over concepts; None where no value is excluded."""
    excluded_chance: float | None = None
    """The same of images of which nothing is known."""

    def to_dict(self) -> dict[str, Any]:
        """Return the score as plain data."""
        return {**asdict(self), "per_attribute": dict(self.per_attribute)}


def diversity_of(values: npt.NDArray[np.int64], size: int) -> float:
    """Return KL(histogram || uniform) in nats of values in [0, size), (N,)."""
    shares = np.bincount(values, minlength=size) / len(values)
    present = shares[shares > 0]
    return max(0.0, float(np.log(size) + (present * np.log(present)).sum()))


def score_images(concepts: Concepts, seen: npt.NDArray[np.int64], sizes: Iterable[int]) -> tuple[Any, Any]:
    """Return accuracy and diversity of imagined images by concept and attribute, float64 (N, A), NaN where undefined.

    Args:
        concepts: (N, A).
        seen: values of the images of each concept, (N, images, A).
        sizes: how many values each attribute has.
    """
    right = np.where(concepts != ANY, allows(concepts[:, None], seen).mean(axis=1), np.nan)
    spread = np.full(concepts.shape, np.nan)
    for column, size in enumerate(sizes):
        for row in np.flatnonzero(concepts[:, column] < 0):
            values, without = seen[row, :, column], any_but(concepts[row, column])
            if concepts[row, column] == ANY:
                spread[row, column] = diversity_of(values, size)
            elif len(left := values[values != without]):
                spread[row, column] = diversity_of(left - (left > without), size - 1)
    return right, spread


def chance_levels(concepts: Concepts, sizes: Iterable[int]) -> npt.NDArray[np.float64]:
    """Return the accuracy of images of which nothing is known, (N, A): 1 / n, (n - 1) / n of an excluded value, or NaN.

    Args:
        concepts: (N, A).
        sizes: how many values each attribute has.
    """
    share = 1 / np.array(list(sizes))
    return np.where(concepts == ANY, np.nan, np.where(excludes(concepts), 1 - share, share))


def score_sym2img(
    system: ConceptSystem,
    classifier: AttributeClassifier,
    concepts: Concepts,
    images: int,
    seed: int,
    instructions: Iterable[Instruction] | None = None,
) -> ConceptScore:
    """Score the images that a system imagines.

    Args:
        system: what imagines.
        classifier: what judges.
        concepts: (N, A), what the images should show.
        images: of each concept.
        seed: of the samples.
        instructions: N of them that come to the concepts; if None the concepts' own symbols are used.

    Raises:
        InputError: there are no concepts.
    """
    if not len(concepts):
        raise InputError("there are no concepts to score")
    concepts = system.space.checked(concepts)
    posteriors: list[Posterior]
    if instructions is None:
        whole = system.posterior_of(concepts)
        posteriors = [whole.rows(slice(row, row + 1)) for row in range(len(concepts))]
    else:
        posteriors = [system.follow(each) for each in instructions]
    seen = np.stack(
        [
            classifier.values_of(system.imagine(each, images, seed_for(seed, "imagine", number), concept))
            for number, (each, concept) in enumerate(zip(posteriors, concepts, strict=True))
        ]
    )
    right, spread = score_images(concepts, seen, system.space.sizes)
    names = [each.name for each in system.space.attributes]
    used = [column for column in range(len(names)) if not np.isnan(right[:, column]).all()]
    open_ones = ~np.isnan(spread).all(axis=1)
    excluding = excludes(concepts)
    some = excluding.any(axis=1)
    chance = chance_levels(concepts, system.space.sizes)
    without = [np.nanmean(np.where(excluding, each, np.nan)[some], axis=1) for each in (right, chance)]
    return ConceptScore(
        accuracy=float(np.nanmean(right, axis=1).mean()),
        diversity=float(np.nanmean(spread[open_ones], axis=1).mean()) if open_ones.any() else None,
        per_attribute={names[column]: float(np.nanmean(right[:, column])) for column in used},
        concepts=len(concepts),
        chance=float(np.nanmean(chance, axis=1).mean()),
        excluded=float(without[0].mean()) if some.any() else None,
        excluded_chance=float(without[1].mean()) if some.any() else None,
    )


def score_img2sym(system: ConceptSystem, examples: Examples, samples: int, seed: int) -> dict[str, float]:
    """Return how often the most probable value of each attribute is the image's, by name of the attribute."""
    probabilities = system.describe(examples.images, samples, seed)
    return {
        each.name: float((part.argmax(axis=1) == examples.values[:, column]).mean())
        for column, (each, part) in enumerate(zip(system.space.attributes, probabilities, strict=True))
    }


def score_reconstructions(
    system: ConceptSystem, classifier: AttributeClassifier, examples: Examples
) -> dict[str, float]:
    """Return how often reconstructions show the values of their images, by name of the attribute.

    This bounds the accuracy of imagined images: what the encoder has lost no symbol brings back.
    """
    codes = encode_images(system.vision, examples.images)
    return score_real_images(classifier, decode_codes(system.vision, codes), examples.values)


def specificity(system: ConceptSystem, concept: Concepts) -> npt.NDArray[np.float64]:
    """Return for each latent KL(q(z_j|y) || N(0, 1)) in nats, (D,): how much the concept, (A,), says about it."""
    posterior = system.posterior_of(concept[None])
    return posterior.kl_per_latent()[0].cpu().numpy().astype(np.float64)


def score_real_images(classifier: AttributeClassifier, images: Images, values: Concepts) -> dict[str, float]:
    """Return how often the classifier is right about real images, by name of the attribute."""
    right = classifier.values_of(images) == values
    return {each.name: float(right[:, column].mean()) for column, each in enumerate(classifier.space.attributes)}
