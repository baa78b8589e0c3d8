"""Learning concepts, from examples to an artefact, on images whose attributes are easy to see."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from patches import Patches, tiny_encoder

from darla.common import ArtefactError, InputError
from darla.common.files import save_tensors
from darla.envs.domains.value_codes import ANY
from darla.vision.concepts.learning.config import METHODS, ConceptsConfig
from darla.vision.concepts.learning.examples import (
    contains,
    draw_examples,
    exceptions,
    operands,
    split_concepts,
    sub_concepts,
)
from darla.vision.concepts.learning.load import RECOMBINATOR, load_concepts
from darla.vision.concepts.learning.measures import specificity
from darla.vision.concepts.learning.train_concepts import train_concepts
from darla.vision.concepts.operators import EXCEPT, PAPER_OPERATORS, combine, parse_instruction
from darla.vision.concepts.space import space_of
from darla.vision.concepts.system import encode_concepts
from darla.vision.training.config import TrainingConfig

DATA = Patches()
SPACE = space_of(DATA)
QUICK = TrainingConfig(steps=6, batch_size=8, log_every=3, checkpoint_every=3, precision="float32", device="cpu")
SHORT = {"concepts": 12, "images": 3, "held_out": 6, "training": QUICK, "operators": QUICK}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("vision"))


def test_concepts_are_split_without_overlap_and_the_unseen_are_part_of_none() -> None:
    unseen = SPACE.parse("left=1 right=2")[None]
    split = split_concepts(SPACE, 12, 6, seed=0, unseen=unseen)
    rows = SPACE.rows_of(np.concatenate([split.train, split.held_out]))
    assert len(set(rows.tolist())) == 18
    assert not contains(split.train, unseen).any()
    other = split_concepts(SPACE, 12, 6, seed=1)
    assert not np.array_equal(split.train, other.train)
    with pytest.raises(InputError, match=f"more than the {len(SPACE)} there are"):
        split_concepts(SPACE, len(SPACE), 1, seed=0)


def test_examples_show_their_concept_vary_in_the_rest_and_never_show_the_unseen() -> None:
    concepts = np.stack([SPACE.parse("left=1"), SPACE.parse("right=0 left=2")])
    unseen = SPACE.parse("left=1 right=2")[None]
    examples = draw_examples(DATA, SPACE, concepts, 40, seed=0, unseen=unseen)
    assert examples.images.shape == (80, 16, 16, 3)
    specified = concepts[examples.concept]
    assert ((specified == ANY) | (specified == examples.values)).all()
    assert len(np.unique(examples.values[:40, 1])) == 2  # two of three: the third is unseen
    assert not contains(examples.values, unseen).any()
    with pytest.raises(InputError, match="would show what is to be unseen"):
        draw_examples(DATA, SPACE, concepts, 2, seed=0, unseen=concepts[:1])


def test_parts_of_a_concept_contain_it_and_are_never_empty() -> None:
    concepts = SPACE.concepts_at(np.arange(len(SPACE)))
    for seed in range(5):
        some = sub_concepts(concepts, np.random.default_rng(seed))
        assert ((some == ANY) | (some == concepts)).all()
        assert (some != ANY).any(axis=1).all()


def test_operands_come_to_their_target_whatever_the_operator() -> None:
    targets = np.tile(SPACE.concepts_at(np.arange(len(SPACE))), (30, 1))
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3, len(targets))
    first, second = operands(numbers, targets, SPACE.sizes, rng)
    differ = 0
    for number, a, b, target in zip(numbers, first, second, targets, strict=True):
        np.testing.assert_array_equal(combine(SPACE, PAPER_OPERATORS[number], a, b), target)
        differ += not np.array_equal(a, target)
    assert differ > len(targets) / 4  # there is something for the operators to do


def test_what_is_excepted_is_of_an_open_attribute_and_not_a_value_of_the_image() -> None:
    concepts = np.tile(np.stack([SPACE.parse("left=1"), SPACE.parse("right=2"), np.full(2, ANY)]), (200, 1))
    rng = np.random.default_rng(0)
    values = np.stack([rng.integers(0, size, len(concepts)) for size in SPACE.sizes], axis=1)
    free, other = exceptions(concepts, SPACE.sizes, rng), exceptions(concepts, SPACE.sizes, rng, values)
    for second in (free, other):
        assert ((second != ANY).sum(axis=1) == 1).all()
        assert not ((second != ANY) & (concepts != ANY)).any()
        for row in range(6):
            combine(SPACE, EXCEPT, concepts[row], second[row])  # is not refused
    assert not (other == values).any()
    # Values are equally likely, whatever the image has.
    counts = np.bincount(free[0::3, 1][free[0::3, 1] >= 0], minlength=3)
    np.testing.assert_allclose(counts / counts.sum(), 1 / 3, atol=0.12)
    left = other[1::3, 0], values[1::3, 0]
    counts = np.bincount((left[0] - left[1]) % 4, minlength=4)
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:] / counts.sum(), 1 / 3, atol=0.12)


def test_examples_of_a_concept_that_excludes_are_without_the_value_and_of_all_others() -> None:
    concepts = np.stack([SPACE.parse("left!=1 right=0"), SPACE.parse("right!=2")])
    examples = draw_examples(DATA, SPACE, concepts, 200, seed=0)
    first, second = examples.values[:200], examples.values[200:]
    assert (first[:, 1] == 0).all()
    np.testing.assert_allclose(np.bincount(first[:, 0]) / 200, [1 / 3, 0, 1 / 3, 1 / 3], atol=0.1)
    np.testing.assert_allclose(np.bincount(second[:, 1]) / 200, [1 / 2, 1 / 2], atol=0.1)
    np.testing.assert_allclose(np.bincount(second[:, 0]) / 200, 1 / 4, atol=0.1)
    # What is to be unseen is part of whatever says as much.
    unseen = SPACE.parse("left!=1")[None]
    named = np.stack([SPACE.parse(text) for text in ("left=2", "left!=1", "left=1", "right=0")])
    assert contains(named, unseen).tolist() == [True, True, False, False]


def test_excluded_values_come_from_the_operator_and_never_from_a_symbol(encoder: Path, tmp_path: Path) -> None:
    system = load_concepts(train_concepts(encoder, DATA, tmp_path / "run", ConceptsConfig(**SHORT), seed=3))
    texts = "left!=2 right=1", "right=1", "left!=2", "left=0"
    concepts = np.stack([SPACE.parse(text) for text in texts])
    whole = system.posterior_of(concepts)
    instructions = "right=1 EXCEPT left=2", "right=1", "EXCEPT left=2", "left=0"
    for row, (text, instruction) in enumerate(zip(texts, instructions, strict=True)):
        for each in (text, instruction):
            followed = system.follow(parse_instruction(SPACE, each))
            torch.testing.assert_close(followed.mean[0], whole.mean[row])
            torch.testing.assert_close(followed.log_variance[0], whole.log_variance[row])
    named = encode_concepts(system.symbols, SPACE, concepts[[1, 3]])
    torch.testing.assert_close(named.mean, whole.mean[[1, 3]])
    with pytest.raises(InputError, match="'left!=2 right=1' excludes a value, which no symbol says"):
        encode_concepts(system.symbols, SPACE, concepts)
    with pytest.raises(InputError, match="no image has both 'left=1' and 'left!=1'"):
        system.follow(parse_instruction(SPACE, "left=1 AND (EXCEPT left=1)"))
    assert (specificity(system, concepts[2]) >= 0).all()


def test_concepts_of_before_there_was_except_follow_their_three_operators(encoder: Path, tmp_path: Path) -> None:
    run = train_concepts(encoder, DATA, tmp_path / "run", ConceptsConfig(**SHORT), seed=3)
    now = load_concepts(run)
    # What such a run has: no list of operators, and six outputs in place of eight.
    tensors = run.tensors(RECOMBINATOR)
    old = {name: value[:6] if name.startswith("layers.2.") else value for name, value in tensors.items()}
    config = {name: value for name, value in run.config.items() if name != "operators"}
    shutil.copytree(run.folder, tmp_path / "old")
    save_tensors(tmp_path / "old" / RECOMBINATOR, old)
    before = load_concepts(replace(run, folder=tmp_path / "old", config=config))
    for text in ("left=1 AND right=2", "left=1 right=2 IGNORE right=2", "left=1 IN COMMON (left=1 right=0)"):
        instruction = parse_instruction(SPACE, text)
        torch.testing.assert_close(before.follow(instruction).mean, now.follow(instruction).mean)
    for text in ("EXCEPT left=1", "left!=1"):
        with pytest.raises(InputError, match="know no EXCEPT: their operators are AND, IN COMMON, IGNORE; train them"):
            before.follow(parse_instruction(SPACE, text))
    with pytest.raises(InputError, match="know no AND: no operators were trained"):
        replace(now, operators=None).follow(parse_instruction(SPACE, "left=1 AND right=2"))
    with pytest.raises(ArtefactError, match=r"config\.json"):
        load_concepts(replace(run, config={**run.config, "operators": ["AND", "OR"]}))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_writes_an_artefact_that_imagines_and_describes(
    method: str, encoder: Path, tmp_path: Path
) -> None:
    run = train_concepts(encoder, DATA, tmp_path / "run", ConceptsConfig(method=method, **SHORT), seed=3)
    system = load_concepts(run)
    posterior = system.posterior_of(SPACE.parse("left=1")[None])
    images = system.imagine(posterior, 5, seed=0)
    assert images.shape == (5, 16, 16, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, load_concepts(run.folder).imagine(posterior, 5, seed=0))
    assert (images != system.imagine(posterior, 5, seed=1)).any()
    np.testing.assert_array_equal(images, system.imagine(posterior, 5, 0, SPACE.parse("left=1")))  # excludes nothing
    without = parse_instruction(SPACE, "EXCEPT left=1")
    again = system.imagine(system.follow(without), 5, seed=0, meaning=without.meaning(SPACE))
    np.testing.assert_array_equal(again, system.sym2img(without, 5, seed=0))
    parts = system.describe(images, samples=4, seed=0)
    assert [part.shape for part in parts] == [(5, 4), (5, 3)]
    assert all((part >= 0).all() and (part <= 1).all() for part in parts)
    for text in ("left=1 AND (right=2 IGNORE right=2)", "EXCEPT left=1 AND right=2"):
        assert torch.isfinite(system.follow(parse_instruction(SPACE, text)).mean).all()
    same = train_concepts(encoder, DATA, tmp_path / "run", ConceptsConfig(method=method, **SHORT), seed=3)
    assert same.digest == run.digest


def test_a_training_that_was_stopped_ends_with_the_same_bytes(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ConceptsConfig(**SHORT)
    whole = train_concepts(encoder, DATA, tmp_path / "whole", config)
    import darla.vision.concepts.learning.train_concepts as module

    def stopped(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "Recombinator", stopped)
        with pytest.raises(KeyboardInterrupt):
            train_concepts(encoder, DATA, tmp_path / "parts", config)
    resumed = train_concepts(encoder, DATA, tmp_path / "parts", config)
    assert resumed.digest == whole.digest


def test_an_encoder_is_left_as_it_is_by_scan_and_trained_by_jmvae(encoder: Path, tmp_path: Path) -> None:
    from darla.vision import load

    before = load(encoder).state_dict()
    for method, same in (("scan", True), ("jmvae", False)):
        run = train_concepts(encoder, DATA, tmp_path / method, ConceptsConfig(method=method, **SHORT))
        after = load_concepts(run).vision.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items()) == same


def test_what_cannot_be_used_is_refused(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'scan'"):
        ConceptsConfig(method="scann")
    with pytest.raises(InputError, match="images must be at least 1"):
        ConceptsConfig(images=0)
    with pytest.raises(InputError, match="value of attribute 'left'"):
        train_concepts(encoder, DATA, tmp_path / "a", ConceptsConfig(unseen=("left=9",), **SHORT))
    with pytest.raises(InputError, match=r"the encoder .* reads"):
        train_concepts(encoder, Patches(side=32), tmp_path / "b", ConceptsConfig(**SHORT))
    with pytest.raises(ArtefactError, match="holds an 'encoder' artefact, but a 'concepts' artefact is needed"):
        load_concepts(encoder)
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
