"""Concepts on top of an encoder: learn them, imagine them, name what an image shows, and measure all of it."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    open_artefact,
    rng_for,
    seed_for,
    start_artefact,
    unknown_name,
    writes_nothing_if_refused,
)
from darla.common.artefact import CHECKPOINT, CONFIG
from darla.common.checked_config import CheckedConfig, checked_arguments, checked_arguments_but, require_at_least_one
from darla.common.files import read_json, save_tensors, write_bytes, write_json
from darla.common.json_records import as_written, from_json
from darla.common.speeds.meter import measuring
from darla.envs.domains.value_codes import ANY
from darla.envs.frames.frame_set import FrameSet
from darla.envs.image_data.ground_truth import GroundTruthData, Images
from darla.envs.image_data.registry import IMAGE_DATA, image_data
from darla.learn_to_see import Source, open_frames
from darla.reports.tables.concepts import markdown, score_rows
from darla.reports.tables.transfer import listed
from darla.vision.concepts.learning.attribute_classifier import JUDGE_TRAINING, AttributeClassifier
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.concepts.learning.examples import Examples, draw_examples, exceptions, operands
from darla.vision.concepts.learning.expected_time import JUDGE_LABEL, judge_parts, measure_parts
from darla.vision.concepts.learning.load import KIND, load_concepts
from darla.vision.concepts.learning.measures import (
    score_img2sym,
    score_real_images,
    score_reconstructions,
    score_sym2img,
)
from darla.vision.concepts.learning.train_concepts import CONCEPTS, train_concepts
from darla.vision.concepts.operators import EXCEPT, OPERATORS, Instruction, combine, parse_instruction
from darla.vision.concepts.space import Concepts, ConceptSpace, space_of
from darla.vision.concepts.system import ConceptSystem
from darla.vision.encoders.load import load_weights
from darla.vision.encoders.traversals import grid, write_png
from darla.vision.training.config import TrainingConfig
from darla.vision.training.loop import build_seeded, train_model
from darla.vision.training.units import Units

JUDGE, SCORES = "concept-judge", "concept-scores"
"""Kinds of artefacts."""
RESULTS, TABLE = "scores.json", "table.md"
_MODEL = "model.safetensors"


@dataclass(frozen=True)
class JudgeConfig(CheckedConfig):
    """The classifier that judges imagined images."""

    images: int = 30_000
    """Images that it is trained on, as they come from the data."""
    held_out: int = 2000
    """Further images that it is checked on."""
    training: TrainingConfig = JUDGE_TRAINING
    """Its training."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        require_at_least_one(self, "images", "held_out")


@dataclass(frozen=True)
class ConceptScoresConfig(CheckedConfig):
    """How a system of concepts is measured."""

    images: int = 128
    """Images that are imagined of each concept."""
    concepts: int = 50
    """Concepts of each kind, at most: trained, held out, and for each operator."""
    samples: int = 8
    """Samples of z for each image that is described."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        require_at_least_one(self, "images", "concepts", "samples")


@contextmanager
def _opened(data: str | Path | Source, out: Path | str) -> Iterator[GroundTruthData | FrameSet]:
    """Open data with attributes: image data by name, frames, or images of a user with a table of factors."""
    opened = image_data(data) if isinstance(data, str) and data in IMAGE_DATA else open_frames(data, out)
    try:
        yield opened
    finally:
        close = getattr(opened, "close", None)
        if close is not None:
            close()


@checked_arguments_but("data")
def associate(
    encoder: Artefact | Path | str,
    out: Path | str,
    config: ConceptsConfig | None = None,
    *,
    data: str | Path | Source | None = None,
    seed: int = 0,
) -> Artefact:
    """Learn concepts on top of an encoder (SCAN, Higgins et al. 2018, or a baseline).

    Args:
        encoder: an encoder artefact.
        out: folder of the artefact; an interrupted call resumes there.
        config: which system, from how many examples.
        data: whose attributes concepts specify: `sprites`, `rooms`, or frames with factors; None for the image data
            that the encoder was trained on.
        seed: master seed.

    Returns:
        An artefact of kind `concepts`.

    Raises:
        InputError: the encoder or the data cannot be used.
    """
    source = open_artefact(encoder, "encoder")
    if data is None:
        data = str((source.card["extra"].get("domain") or {}).get("name"))
        if data not in IMAGE_DATA:
            raise InputError(
                f"{source.folder} was not trained on image data with known attributes; name some with --data: "
                f"{', '.join(IMAGE_DATA)}, or frames with factors"
            )
    with _opened(data, out) as opened:
        return train_concepts(source, opened, out, config, seed=seed)


@checked_arguments_but("data")
@writes_nothing_if_refused
def train_judge(
    data: str | Path | Source, out: Path | str, config: JudgeConfig | None = None, *, seed: int = 0
) -> Artefact:
    """Train the classifier that judges imagined images, and check it on images that it has not seen.

    Args:
        data: `sprites`, `rooms`, or frames with factors.
        out: folder of the artefact.
        config: how it is trained.
        seed: master seed.

    Returns:
        An artefact of kind `concept-judge`; `scores.json` has its accuracy for each attribute on held-out images.

    Raises:
        InputError: the data cannot be used.
    """
    config = config or JudgeConfig()
    with _opened(data, out) as opened:
        space = space_of(opened)
        record: dict[str, Any] = {
            "attributes": space.to_list(),
            "image_shape": list(opened.image_shape),
            "data": opened.digest if isinstance(opened, FrameSet) else opened.name,
            "images": config.images,
            "held_out": config.held_out,
            "training": asdict(config.training),
            "seed": seed,
        }
        folder = start_artefact(out, JUDGE, record)
        if is_complete(folder):
            return Artefact.load(folder, JUDGE)
        with measuring("judge", judge_parts(config.training, tuple(record["image_shape"]), config.images)):
            whole = _labeled(opened, space, config.images + config.held_out, seed)
            return _train_judge(config, space, record, whole, folder, seed)


def _train_judge(
    config: JudgeConfig, space: ConceptSpace, record: dict[str, Any], whole: Examples, folder: Path, seed: int
) -> Artefact:
    count = len(whole.images) - min(config.held_out, len(whole.images) // 2)
    shape = record["image_shape"]
    model = build_seeded(lambda: AttributeClassifier(space, tuple(shape)), seed_for(seed, "judge"))
    units = Units(np.arange(count)[:, None], {"values": whole.values[:count]})
    training = train_model(
        model, whole.images, config.training, folder / CHECKPOINT / "judge", seed_for(seed, "judged"), units=units,
        label=JUDGE_LABEL,
    )  # fmt: skip
    save_tensors(folder / _MODEL, model.state_dict())
    write_json(folder / RESULTS, score_real_images(model, whole.images[count:], whole.values[count:]))
    return complete_artefact(folder, JUDGE, record, seed=seed, inputs={}, wall_seconds=training.seconds)


@checked_arguments
def load_judge(judge: Artefact | Path | str) -> AttributeClassifier:
    """Load the classifier of a `concept-judge` artefact."""
    artefact = open_artefact(judge, JUDGE)
    with as_written(artefact.folder / CONFIG):
        height, width, channels = artefact.config["image_shape"]
        model = AttributeClassifier(ConceptSpace.from_list(artefact.config["attributes"]), (height, width, channels))
    load_weights(model, artefact.tensors(), artefact.folder)
    return model.requires_grad_(False).eval()


def accuracies_of(judge: Artefact) -> Mapping[str, float]:
    """Return how often a judge is right about real images that it was not trained on, by name of the attribute.

    Raises:
        ArtefactError: its results are damaged.
    """
    path = judge.folder / RESULTS
    accuracies: Mapping[str, float] = from_json(Mapping[str, float], read_json(path), path)
    return accuracies


@checked_arguments_but("data")
@writes_nothing_if_refused
def score_concepts(
    run: Artefact | Path | str,
    judge: Artefact | Path | str,
    out: Path | str,
    config: ConceptScoresConfig | None = None,
    *,
    data: str | Path | Source | None = None,
    seed: int = 0,
) -> Artefact:
    """Measure a system of concepts: accuracy and diversity of what it imagines, by symbols and by operators.

    Args:
        run: an artefact of `associate`.
        judge: an artefact of `train_judge` on the same attributes.
        out: folder of the artefact.
        config: how much is imagined.
        data: of the images that are described (img2sym); None for the image data that the system was trained on.
        seed: of concepts and samples.

    Returns:
        An artefact of kind `concept-scores`: `scores.json`, and `table.md`.

    Raises:
        InputError: the judge knows other attributes, or the data are not there.
    """
    started = time.monotonic()
    config = config or ConceptScoresConfig()
    trained, judged = open_artefact(run, KIND), open_artefact(judge, JUDGE)
    if trained.config["attributes"] != judged.config["attributes"]:
        raise InputError(f"{judged.folder} judges other attributes than {trained.folder} has")
    name = data if data is not None else trained.config["data"]
    if isinstance(name, str) and name not in IMAGE_DATA and not Path(name).is_dir():
        raise InputError(f"name with --data the frames that {trained.folder} was trained on")
    record = {"run": trained.digest, "judge": judged.digest, "seed": seed, **asdict(config)}
    folder = start_artefact(out, SCORES, record)
    if is_complete(folder):
        return Artefact.load(folder, SCORES)
    parts = measure_parts(trained.config["see"], config.images, config.concepts, config.samples)
    with measuring("measure concepts", parts) as meter:
        meter.announce()
        results = _measured(trained, judged, name, config, folder, seed)
    write_json(folder / RESULTS, results)
    write_bytes(folder / TABLE, table(results).encode())
    inputs = {"concepts": trained.digest, "judge": judged.digest}
    paths = {"run_path": os.path.relpath(trained.folder.resolve(), folder.resolve())}
    seconds = time.monotonic() - started
    return complete_artefact(folder, SCORES, record, seed=seed, inputs=inputs, wall_seconds=seconds, paths=paths)


def _measured(
    trained: Artefact,
    judged: Artefact,
    data: str | Path | Source,
    config: ConceptScoresConfig,
    folder: Path,
    seed: int,
) -> dict[str, Any]:
    """Return what `scores.json` has."""
    system, classifier = load_concepts(trained), load_judge(judged)
    space = system.space
    with as_written(trained.folder / CONCEPTS):
        named = read_json(trained.folder / CONCEPTS)
        groups = {
            group: np.stack([space.parse(text) for text in named[group][: config.concepts]])
            for group in ("train", "held_out")
        }
    accuracies = accuracies_of(judged)
    scores: dict[str, Any] = {}
    for group, concepts in groups.items():
        stream = seed_for(seed, group)
        scores[f"symbol, {group}"] = score_sym2img(system, classifier, concepts, config.images, stream).to_dict()
        for operator in system.operators.operators if system.operators else ():
            made = _instructions(operator, concepts, space, seed)
            if made:
                asked, targets = zip(*made, strict=True)
                stream = seed_for(seed, group, operator)
                score = score_sym2img(system, classifier, np.stack(targets), config.images, stream, instructions=asked)
                scores[f"{operator}, {group}"] = score.to_dict()
    with _opened(data, folder) as opened:
        images = _labeled(opened, space, 1000, seed_for(seed, "described"))
    return {
        "sym2img": scores,
        "img2sym": score_img2sym(system, images, config.samples, seed),
        "judge": dict(accuracies),
        "ceiling": score_reconstructions(system, classifier, images),
    }


@checked_arguments
def imagine(
    run: Artefact | Path | str, instruction: str | Sequence[str], out: Path | str, *, count: int = 24, seed: int = 0
) -> Path:
    """Write a sheet of images that a concept, or an instruction with operators, describes (sym2img).

    Args:
        run: an artefact of `associate`.
        instruction: such as `wall=cyan object=key`, `(wall=cyan) AND (object=key)` or `EXCEPT object=key` (see
            `darla.vision.concepts.operators`); an operator is computed by the network that was trained for it. Several
            have their images below each other.
        out: the PNG to write.
        count: images of each.
        seed: of the samples.

    Returns:
        The path of the file.

    Raises:
        InputError: an instruction cannot be read, has no meaning, or names what is not there; or the file is no PNG.
    """
    out = _png(out)
    system = load_concepts(run)
    texts = [instruction] if isinstance(instruction, str) else list(instruction)
    parsed = [parse_instruction(system.space, text) for text in texts]
    images = [system.sym2img(each, count, seed) for each in parsed]
    write_png(out, sheet(list(zip(texts, images, strict=True))))
    return out


@checked_arguments
def combine_concepts(
    run: Artefact | Path | str,
    first: str,
    operator: str,
    second: str,
    out: Path | str,
    *,
    count: int = 12,
    seed: int = 0,
) -> Path:
    """Write sheets of two concepts, and of what an operator makes of them.

    Args:
        run: an artefact of `associate`.
        first: a concept or an instruction.
        operator: `AND`, `IN COMMON`, `IGNORE` or `EXCEPT`.
        second: another.
        out: the PNG to write.
        count: images of each.
        seed: of the samples.

    Returns:
        The path of the file.

    Raises:
        InputError: an instruction cannot be read or has no meaning, there is no such operator, or the file is no PNG.
    """
    out = _png(out)
    if operator not in OPERATORS:
        raise unknown_name("operator", operator, OPERATORS)
    system = load_concepts(run)
    parts = parse_instruction(system.space, first), parse_instruction(system.space, second)
    whole = Instruction(operator=operator, parts=parts)
    return _write_parts(system, [(first, parts[0]), (second, parts[1]), (operator, whole)], out, count, seed)


@checked_arguments
def combine_instruction(
    run: Artefact | Path | str, instruction: str, out: Path | str, *, count: int = 12, seed: int = 0
) -> Path:
    """Write sheets of both sides of an instruction's last operator, and of the whole.

    Args:
        run: an artefact of `associate`.
        instruction: with an operator, such as `EXCEPT object=key`.
        out: the PNG to write.
        count: images of each.
        seed: of the samples.

    Returns:
        The path of the file.

    Raises:
        InputError: the instruction cannot be read, has no operator or no meaning, or the file is no PNG.
    """
    out = _png(out)
    system = load_concepts(run)
    whole = parse_instruction(system.space, instruction)
    if whole.parts is None:
        raise InputError(f"{instruction!r} combines nothing: it has no operator, which is {listed(OPERATORS, 'or')}")
    sides = [(each.text(system.space), each) for each in whole.parts]
    return _write_parts(system, [*sides, (whole.operator, whole)], out, count, seed)


def _write_parts(
    system: ConceptSystem, rows: Sequence[tuple[str, Instruction]], out: Path, count: int, seed: int
) -> Path:
    """Write images of both sides of an operator, and of the whole, which is the last."""
    rows[-1][1].meaning(system.space)  # refuses what contradicts itself before anything is imagined
    sheets = [(label, system.sym2img(each, count, seed)) for label, each in rows]
    write_png(out, sheet(sheets, columns=count))
    return out


@checked_arguments
def describe(run: Artefact | Path | str, image: Path | str, *, samples: int = 64, seed: int = 0) -> str:
    """Return what a system sees in an image, with probabilities (img2sym), as lines of text.

    Args:
        run: an artefact of `associate`.
        image: a file that Pillow reads, of the size that the encoder reads; its colors become the encoder's channels.
        samples: of z, over which probabilities are averaged.
        seed: of the samples.

    Raises:
        InputError: the image cannot be read, or is of another size than the encoder reads.
    """
    system = load_concepts(run)
    channels = system.vision.image_shape[2]
    try:
        with Image.open(image) as opened:
            pixels = np.asarray(opened.convert({1: "L", 3: "RGB", 4: "RGBA"}.get(channels, "RGB")))
    except (OSError, ValueError) as error:
        raise InputError(f"could not read the image {image}: {getattr(error, 'strerror', None) or error}") from error
    images = pixels.reshape(1, *pixels.shape[:2], -1)
    lines = []
    for each, part in zip(system.space.attributes, system.describe(images, samples, seed), strict=True):
        likely = np.argsort(-part[0], kind="stable")[:3]
        named = ", ".join(f"{each.values[number]} {part[0, number]:.2f}" for number in likely)
        lines.append(f"{each.name}: {named}")
    return "\n".join(lines)


def sheet(rows: Sequence[tuple[str, Images]], columns: int = 12) -> npt.NDArray[np.uint8]:
    """Return images in rows of `columns`, each with its caption in the first, uint8 (height, width, 3)."""
    parts = []
    for caption, images in rows:
        label = "\n".join(caption.split())
        for start in range(0, len(images), columns):
            parts.append(("" if start else label, images[start : start + columns]))
    drawn: npt.NDArray[np.uint8] = grid(parts)
    return drawn


def table(results: Mapping[str, Any]) -> str:
    """Return the scores of a system as Markdown."""
    lines = [markdown(score_rows(results))]
    for name, title in (("img2sym", "img2sym"), ("ceiling", "reconstructions"), ("judge", "judge, real images")):
        lines.append(f"\n{title}: " + ", ".join(f"{key} {value:.3f}" for key, value in results[name].items()))
    return "\n".join(lines) + "\n"


def _png(out: Path | str) -> Path:
    """Return where a sheet is written, before any work is done for it."""
    if Path(out).suffix.lower() != ".png":
        raise InputError(f"{out} must end in .png")
    return Path(out)


def _instructions(
    operator: str, concepts: Concepts, space: ConceptSpace, seed: int
) -> list[tuple[Instruction, Concepts]]:
    """Return instructions with an operator, each with what it comes to.

    They come to concepts of `concepts`; EXCEPT takes a value from one of them, and makes another. AND needs concepts of
    two attributes or more, the others need an attribute that is open.
    """
    given = (concepts != ANY).sum(axis=1)
    useful = concepts[given >= 2] if operator == "AND" else concepts[given < concepts.shape[1]]
    rng = rng_for(seed, "instructions", operator)
    if operator == EXCEPT:
        first, second = useful, exceptions(useful, space.sizes, rng)
    else:
        first, second = operands(np.full(len(useful), OPERATORS.index(operator)), useful, space.sizes, rng)
    made = []
    for left, right in zip(first, second, strict=True):
        parts = (Instruction(concept=tuple(left.tolist())), Instruction(concept=tuple(right.tolist())))
        made.append((Instruction(operator=operator, parts=parts), combine(space, operator, left, right)))
    return made


def _labeled(data: GroundTruthData | FrameSet, space: ConceptSpace, count: int, seed: int) -> Examples:
    """Return random images with all their values; of frames at most as many as there are."""
    nothing = np.full((1, len(space.attributes)), ANY, np.int64)
    return draw_examples(data, space, nothing, count, seed)
