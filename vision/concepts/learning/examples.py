"""Which concepts are trained, which are held out, and the images that are examples of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError, rng_for
from darla.envs.domains.value_codes import ANY, allows
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.ground_truth import GroundTruthData, Images
from darla.vision.concepts.space import Concepts, ConceptSpace, matches

DRAWS = 200_000
"""Concepts that are drawn, at most, to find some that may be used."""
_AT_ONCE = 128
"""Concepts that are compared with all images at once."""


@dataclass(frozen=True)
class Split:
    """Concepts to train on, and concepts that training never names."""

    train: Concepts
    """(N, A)."""
    held_out: Concepts
    """(M, A)."""


@dataclass(frozen=True)
class Examples:
    """Images with the number of the concept that each is an example of."""

    images: Images
    """uint8 (N, height, width, channels)."""
    concept: npt.NDArray[np.int64]
    """(N,): row of the concepts that were asked for."""
    values: Concepts
    """(N, A): all values that each image has, also those that its concept leaves open."""


def split_concepts(
    space: ConceptSpace,
    count: int,
    held_out: int,
    seed: int,
    *,
    unseen: Concepts | None = None,
    shown: Concepts | None = None,
) -> Split:
    """Draw different concepts, each equally likely, to train on and to hold out.

    Args:
        space: of all concepts.
        count: concepts to train on.
        held_out: concepts to hold out.
        seed: of the draw.
        unseen: concepts (U, A), of which no image is to be an example: none that is trained on contains one of them,
            while those that are held out may.
        shown: values of the images that there are, (M, A): each concept that is trained on describes one of them; None
            where there are images of everything.

    Raises:
        InputError: there are not so many.
    """
    for name, number in (("concepts", count), ("held_out", held_out)):
        if number < 1:
            raise InputError(f"{name} must be at least 1, not {number}")
    if count + held_out > len(space):
        raise InputError(
            f"{count} concepts to train on and {held_out} held out are more than the {len(space)} there are"
        )
    rng = rng_for(seed, "concepts")
    order = rng.permutation(len(space)) if len(space) <= DRAWS else rng.choice(len(space), DRAWS, replace=False)
    concepts = space.concepts_at(order)
    barred = np.zeros(len(concepts), bool) if unseen is None else contains(concepts, unseen)
    allowed = np.flatnonzero(~barred)
    if shown is not None:
        allowed = _described(concepts, allowed, np.unique(shown, axis=0), count)
    if len(allowed) < count:
        some = "have an image and contain" if shown is not None else "contain"
        raise InputError(f"only {len(allowed)} concepts {some} none of those to be unseen, but {count} are needed")
    rest = np.delete(np.arange(len(concepts)), allowed[:count])
    return Split(concepts[allowed[:count]], concepts[rest[:held_out]])


def _described(concepts: Concepts, rows: npt.NDArray[np.int64], shown: Concepts, count: int) -> npt.NDArray[np.int64]:
    """Return those of some rows of concepts that describe an image of values `shown`; the first `count` will do."""
    kept: list[int] = []
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        kept += part[matches(concepts[part], shown).any(axis=1)].tolist()
        if len(kept) >= count:
            break
    return np.array(kept, np.int64)


def contains(concepts: Concepts, parts: Concepts) -> npt.NDArray[np.bool_]:
    """Return which concepts, (N, A), say at least all that one of the parts, (M, A), does: bool (N,)."""
    contained: npt.NDArray[np.bool_] = np.any(matches(parts, concepts), axis=0)
    return contained


def draw_examples(
    data: GroundTruthData | FrameSet,
    space: ConceptSpace,
    concepts: Concepts,
    count: int,
    seed: int,
    *,
    unseen: Concepts | None = None,
) -> Examples:
    """Draw images of concepts; whatever a concept leaves open is drawn at random.

    Args:
        data: ground-truth data, of which images are rendered; or frames, of which those are taken that match.
        space: of the concepts.
        concepts: (N, A).
        count: images of each concept; of frames as many as there are, if there are fewer.
        seed: of the draw.
        unseen: concepts (U, A) of which no image may be an example.

    Raises:
        InputError: no image may show one of the concepts.
    """
    if count < 1:
        raise InputError(f"images of each concept must be at least 1, not {count}")
    rng = rng_for(seed, "examples")
    if isinstance(data, FrameSet):
        values = space.values_of(data.contexts)
        allowed = np.ones(len(values), bool) if unseen is None else ~contains(values, unseen)
        rows, owner = [], []
        for number, concept in enumerate(concepts):
            candidates = np.flatnonzero(matches(concept[None], values)[0] & allowed)
            if not len(candidates):
                raise InputError(f"there is no image of {space.text(concept)!r} in {data.artefact.folder}")
            rows.append(rng.choice(candidates, min(count, len(candidates)), replace=False))
            owner.append(np.full(len(rows[-1]), number))
        chosen = np.concatenate(rows)
        return Examples(data[chosen], np.concatenate(owner), values[chosen])
    owner_rows = np.repeat(np.arange(len(concepts)), count)
    factors = draw_factors(data, space, concepts[owner_rows], rng, unseen=unseen)
    return Examples(data.render(factors), owner_rows, values_at(data, space, factors))


def draw_factors(
    data: GroundTruthData,
    space: ConceptSpace,
    concepts: Concepts,
    rng: np.random.Generator,
    *,
    unseen: Concepts | None = None,
) -> npt.NDArray[np.int64]:
    """Draw the factors of one image of each concept, int64 (N, factors); see `draw_examples`."""
    columns = [data.factor_names.index(each.factor) for each in space.attributes]
    factors = data.sample_factors(len(concepts), rng)
    for _ in range(1000):
        for column, place in enumerate(columns):
            given = concepts[:, column] >= 0
            factors[given, place] = concepts[given, column]
        # What has an excluded value is drawn anew, which keeps the distribution of the others.
        barred = ~allows(concepts, factors[:, columns]).all(axis=1)
        if unseen is not None:
            barred |= contains(factors[:, columns], unseen)
        if not barred.any():
            return factors
        factors[barred] = data.sample_factors(int(barred.sum()), rng)
    raise InputError(
        f"every image of {space.text(concepts[np.flatnonzero(barred)[0]])!r} would show what is to be unseen"
    )


def values_at(data: GroundTruthData, space: ConceptSpace, factors: npt.NDArray[np.int64]) -> Concepts:
    """Return the values of images from their factors, (N, factors): int64 (N, A)."""
    return factors[:, [data.factor_names.index(each.factor) for each in space.attributes]]


def sub_concepts(concepts: Concepts, rng: np.random.Generator) -> Concepts:
    """Draw for each concept one that specifies a part of what it does, but not nothing: int64 (N, A)."""
    kept = rng.random(concepts.shape) < 0.5
    one = (rng.random(concepts.shape) * (concepts != ANY)).argmax(axis=1)
    kept[np.arange(len(concepts)), one] = True
    return np.where(kept, concepts, ANY)


def operands(
    operators: npt.NDArray[np.int64], targets: Concepts, sizes: Sequence[int], rng: np.random.Generator
) -> tuple[Concepts, Concepts]:
    """Draw two concepts for each operator so that it makes `targets` of them; see `darla.vision.concepts.operators`.

    Args:
        operators: (N,), numbers in `PAPER_OPERATORS`; for EXCEPT see `exceptions`.
        targets: (N, A), none of which specifies nothing or excludes a value.
        sizes: how many values each attribute has.
        rng: of the draw.

    Returns:
        The concepts before and behind the operator, int64 (N, A) each. Of AND each specifies a part of the target, of
        IN COMMON and IGNORE both specify something that the operator removes again, where there is room for it.
    """
    shape = targets.shape
    left = rng.random(shape) < 0.5
    overlap = rng.random(shape) < 0.1
    union = np.where(left | overlap, targets, ANY), np.where(~left | overlap, targets, ANY)
    extra: Any = np.stack([rng.integers(0, size, shape[0]) for size in sizes], axis=1)
    owner = rng.integers(0, 3, shape)  # of an open attribute: the first, the second or neither
    is_open = targets == ANY
    common = tuple(np.where(is_open & (owner == number), extra, targets) for number in (0, 1))
    removed = np.where(is_open & (owner > 0), extra, ANY)
    ignore = np.where(is_open & (owner > 0), extra, targets), removed
    picked = operators[:, None]
    first, second = (
        np.where(picked == 0, union[side], np.where(picked == 1, common[side], ignore[side])) for side in (0, 1)
    )
    return first, second


def exceptions(
    concepts: Concepts, sizes: Sequence[int], rng: np.random.Generator, values: Concepts | None = None
) -> Concepts:
    """Draw for each concept another, of one value alone, that EXCEPT can take from it: int64 (N, A).

    The value is of an attribute that the concept leaves open, each equally likely.

    Args:
        concepts: (N, A), each of which leaves an attribute open.
        sizes: how many values each attribute has.
        rng: of the draw.
        values: of an image of each concept, (N, A): it does not have the value that is drawn.
    """
    rows = np.arange(len(concepts))
    column = ((concepts == ANY) * rng.random(concepts.shape)).argmax(axis=1)
    size = np.array(sizes)[column]
    drawn = rng.integers(0, size if values is None else size - 1)
    if values is not None:
        drawn += drawn >= values[rows, column]
    excluded = np.full_like(concepts, ANY)
    excluded[rows, column] = drawn
    return excluded
