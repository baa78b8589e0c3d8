"""Learning concepts: from an encoder and images with known attributes to an artefact of kind `concepts`."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    open_artefact,
    rng_for,
    seed_for,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.artefact import CHECKPOINT
from darla.common.csv_rows import write_numbers
from darla.common.files import save_tensors, write_json
from darla.common.speeds.meter import measuring
from darla.envs.domains.value_codes import ANY, any_but
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.ground_truth import GroundTruthData
from darla.vision.concepts.joint_vae import JointVAE
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.concepts.learning.examples import (
    Examples,
    Split,
    contains,
    draw_examples,
    exceptions,
    operands,
    split_concepts,
    sub_concepts,
)
from darla.vision.concepts.learning.expected_time import OPERATORS_LABEL, concepts_parts
from darla.vision.concepts.learning.load import KIND, RECOMBINATOR, SYMBOLS, VISION, build_symbols
from darla.vision.concepts.operators import EXCEPT, OPERATORS
from darla.vision.concepts.recombination import Recombinator
from darla.vision.concepts.scan import SCAN
from darla.vision.concepts.space import Concepts, ConceptSpace, space_of
from darla.vision.concepts.symbol_networks import pack
from darla.vision.concepts.system import encode_concepts
from darla.vision.encoders.encode import batches, posterior_of
from darla.vision.encoders.load import load
from darla.vision.models.base import VisionModel
from darla.vision.training.loop import build_seeded, train_model
from darla.vision.training.units import Units

CONCEPTS = "concepts.json"
"""The concepts that were trained and those that were held out, as text."""
_VARIANTS = 64
"""Parts of a concept, and pairs of operands, that are drawn for each image."""
_BARE = 0.25
"""Share of the instructions with EXCEPT in training that begin with it."""


@writes_nothing_if_refused
def train_concepts(
    encoder: Artefact | Path | str,
    data: GroundTruthData | FrameSet,
    out: Path | str,
    config: ConceptsConfig | None = None,
    *,
    seed: int = 0,
) -> Artefact:
    """Learn concepts on top of an encoder; a call that was interrupted resumes where it stopped.

    Args:
        encoder: an encoder artefact with a decoder; SCAN leaves it as it is, JMVAE and TrELBO train it further.
        data: whose attributes the concepts specify, and of which the examples are.
        out: the artefact's folder.
        config: which system, from how many examples.
        seed: master seed; concepts and examples depend on it and not on the method.

    Returns:
        An artefact of kind `concepts`: weights of the encoder, of the symbols and of the operators, the concepts that
        were trained and held out (`concepts.json`), and the histories of both trainings (`symbols.csv`,
        `operators.csv`).

    Raises:
        InputError: the encoder cannot decode, reads other images, or cannot be trained further; too few concepts.
        TrainingDivergedError: a loss or a gradient was not finite.
    """
    config = config or ConceptsConfig()
    source = open_artefact(encoder, "encoder")
    space = space_of(data)
    record = {
        "concepts": config.to_dict(),
        "attributes": space.to_list(),
        "see": source.config["see"],
        "image_shape": source.config["image_shape"],
        "encoder": source.digest,
        "data": data.digest if isinstance(data, FrameSet) else data.name,
        "operators": list(OPERATORS),
        "seed": seed,
    }
    out = start_artefact(out, KIND, record)
    if is_complete(out):
        return Artefact.load(out, KIND)
    with measuring("learn concepts", concepts_parts(config, record["see"], tuple(record["image_shape"]))):
        return _train(config, source, data, space, record, out, seed)


def _train(
    config: ConceptsConfig,
    source: Artefact,
    data: FrameSet | GroundTruthData,
    space: ConceptSpace,
    record: dict[str, Any],
    out: Path,
    seed: int,
) -> Artefact:
    vision = load(source, config.trained.device)
    _check(vision, data, source)
    unseen = np.stack([space.parse(text) for text in config.unseen]) if config.unseen else None
    shown = space.values_of(data.contexts) if isinstance(data, FrameSet) else None
    if shown is not None and unseen is not None:
        shown = shown[~contains(shown, unseen)]
    split = split_concepts(space, config.concepts, config.held_out, seed, unseen=unseen, shown=shown)
    examples = draw_examples(data, space, split.train, config.images, seed, unseen=unseen)
    model = build_seeded(lambda: build_symbols(config, vision, space.symbol_size), seed_for(seed, config.method))
    inputs = encode_examples(vision, examples) if isinstance(model, SCAN) else examples.images
    numbers = space.rows_of(split.held_out)
    rows, concepts = _named(space, split, examples, numbers, config.parts, seed)
    units = Units(rows[:, None], {"symbols": space.symbols(concepts)})
    first = train_model(
        model,
        inputs,
        config.trained,
        out / CHECKPOINT / "symbols",
        seed_for(seed, "symbols"),
        units=units,
        label=config.method,
    )
    model.requires_grad_(False)
    seen = inputs if isinstance(model, SCAN) else encode_examples(vision, examples)
    operators = build_seeded(lambda: Recombinator(vision.latent_dim), seed_for(seed, "operators"))
    second = train_model(
        operators,
        seen,
        config.operators,
        out / CHECKPOINT / "operators",
        seed_for(seed, "operator training"),
        units=_recombined(space, split, examples, numbers, model, seed),
        label=OPERATORS_LABEL,
    )
    if isinstance(model, SCAN):
        save_tensors(out / VISION, vision.state_dict())
    save_tensors(out / SYMBOLS, model.state_dict())
    save_tensors(out / RECOMBINATOR, operators.state_dict())
    named = {name: [space.text(each) for each in getattr(split, name)] for name in ("train", "held_out")}
    write_json(out / CONCEPTS, named)
    for name, training in (("symbols", first), ("operators", second)):
        write_numbers(out / f"{name}.csv", training.history, first=("step", "learning_rate", "loss"))
    return complete_artefact(
        out,
        KIND,
        record,
        seed=seed,
        inputs={"encoder": source.digest} | ({"frames": data.digest} if isinstance(data, FrameSet) else {}),
        wall_seconds=first.seconds + second.seconds,
        extra={"supervision": "symbols", "examples": len(examples.images)},
    )


def encode_examples(vision: VisionModel, examples: Examples) -> npt.NDArray[np.float32]:
    """Return q(z|x) of all images as `pack` writes posteriors, float32 (N, 2 D)."""
    inputs = batches(vision, examples.images, np.arange(len(examples.images)))
    packed: npt.NDArray[np.float32] = pack(posterior_of(vision.eval(), inputs)).cpu().numpy()
    return packed


def _named(
    space: ConceptSpace,
    split: Split,
    examples: Examples,
    held_out: npt.NDArray[np.int64],
    parts: bool,
    seed: int,
) -> tuple[npt.NDArray[np.int64], Concepts]:
    """Return pairs of image and concept to train on: rows of the images, (P,), and concepts, (P, A)."""
    rows = np.arange(len(examples.concept))
    concepts = split.train[examples.concept]
    if not parts:
        return rows, concepts
    many = np.repeat(rows, _VARIANTS)
    some = sub_concepts(concepts[many], rng_for(seed, "parts"))
    kept = ~np.isin(space.rows_of(some), held_out)
    return np.concatenate([rows, many[kept]]), np.concatenate([concepts, some[kept]])


def _recombined(
    space: ConceptSpace,
    split: Split,
    examples: Examples,
    held_out: npt.NDArray[np.int64],
    model: SCAN | JointVAE,
    seed: int,
) -> Units:
    """Return images of concepts, each with an operator and the posteriors of two concepts that it is to combine."""
    rng = rng_for(seed, "recombined")
    rows = np.repeat(np.arange(len(examples.concept)), _VARIANTS)
    concepts = split.train[examples.concept[rows]]
    targets = np.where(rng.random((len(rows), 1)) < 0.5, concepts, sub_concepts(concepts, rng))
    numbers = rng.integers(0, len(OPERATORS), len(rows))
    first, second = operands(numbers, targets, space.sizes, rng)
    excepting = numbers == OPERATORS.index(EXCEPT)
    values = examples.values[rows[excepting]]
    first[excepting], second[excepting], targets[excepting] = _excepted(space, targets[excepting], values, rng)
    barred = [np.isin(space.rows_of(each), held_out) for each in (targets, first, second)]
    kept = ~np.any(barred, axis=0)
    known = {
        name: pack(encode_concepts(model, space, each[kept])).cpu().numpy()
        for name, each in (("first", first), ("second", second))
    }
    return Units(rows[kept][:, None], {"operators": numbers[kept], **known})


def _excepted(
    space: ConceptSpace, concepts: Concepts, values: Concepts, rng: np.random.Generator
) -> tuple[Concepts, Concepts, Concepts]:
    """Draw what EXCEPT takes from what, so that images with these values show it; and what it comes to, (N, A) each."""
    rows = np.arange(len(concepts))
    first = concepts.copy()
    first[rows, rng.integers(0, len(space.sizes), len(rows))] = ANY
    first[rng.random(len(rows)) < _BARE] = ANY
    second = exceptions(first, space.sizes, rng, values)
    return first, second, space.checked(np.where(second == ANY, first, any_but(second)))


def _check(vision: VisionModel, data: GroundTruthData | FrameSet, encoder: Artefact) -> None:
    """Refuse an encoder that concepts cannot be built on.

    Raises:
        InputError: it has no decoder, or reads other images.
    """
    if not vision.has_decoder:
        raise InputError(f"{encoder.folder} has no decoder, and images of concepts are decoded from its latents")
    if tuple(data.image_shape) != vision.image_shape:
        raise InputError(
            f"the examples are images {tuple(data.image_shape)}, but the encoder {encoder.folder} reads "
            f"{vision.image_shape}"
        )
