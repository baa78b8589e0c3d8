"""The demonstration of concepts: everything small, from frames to one page with sheets, tables and a film strip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from darla.collect_frames import collect
from darla.common import Artefact
from darla.envs.frames.collect import CollectConfig
from darla.experiments.families import FAMILIES
from darla.experiments.follow_instructions import FollowConfig, follow
from darla.learn_concepts import (
    ConceptScoresConfig,
    JudgeConfig,
    associate,
    score_concepts,
    sheet,
    train_judge,
)
from darla.learn_to_see import see
from darla.reports.document import Document, FigureBlock, Section, Text
from darla.reports.page import write_document
from darla.reports.sections.concepts import follower_blocks, score_blocks
from darla.vision.concepts.learning.config import ConceptsConfig
from darla.vision.concepts.learning.load import load_concepts
from darla.vision.concepts.operators import parse_instruction
from darla.vision.concepts.system import ConceptSystem

SHOWN = ("wall=cyan", "wall=red floor=green", "object=duckie", "wall=amber floor=blue color=green object=office_chair")
"""Concepts of which the page has a sheet."""
INSTRUCTIONS = (
    "(wall=cyan) AND (floor=red)",
    "(wall=cyan object=key) IN COMMON (wall=cyan floor=green)",
    "(wall=violet floor=yellow) IGNORE (floor=yellow)",
    "EXCEPT wall=red",
)
"""Instructions of which the page has a sheet."""


def concept_demo(out: Path | str, *, scale: float = 1.0, seed: int = 0) -> Path:
    """Collect rooms, learn to see, to name and to follow instructions, and write a page; what is done is kept.

    Args:
        out: folder to write everything to.
        scale: multiplies frames and training steps; 1 takes some minutes on two cores.
        seed: master seed.

    Returns:
        The path of the page.
    """
    out = Path(out)

    def scaled(number: int) -> int:
        return max(32, round(scale * number))

    frames = collect(CollectConfig(task="rooms", frames=scaled(12_000), seed=seed), out / "frames")
    settings = FAMILIES["rooms"]["beta-tc"].change(training__steps=scaled(1500), latent_dim=16)
    encoder = see(frames, out / "encoder", settings, seed=seed)
    judge_config = JudgeConfig(images=scaled(12_000), held_out=scaled(1000))
    training = replace(judge_config.training, steps=scaled(1500))
    judge = train_judge("rooms", out / "judge", replace(judge_config, training=training), seed=seed)
    config = ConceptsConfig()
    quick = replace(
        config,
        training=replace(config.trained, steps=scaled(6000)),
        operators=replace(config.operators, steps=scaled(2000)),
    )
    scan = associate(encoder, out / "scan", quick, seed=seed)
    measured = ConceptScoresConfig(images=scaled(64), concepts=max(2, round(30 * min(1.0, scale))))
    scores = score_concepts(scan, judge, out / "scores", measured, seed=seed)
    # Policies of one seed, to be seen at work; `darla concepts act` compares them.
    policies = FollowConfig(seeds=1, steps=scaled(40_000), searches=scaled(400), evaluated=scaled(100))
    followers = follow(scan, out / "followers", policies, seed=seed)
    page, _ = write_document(_document(scan, scores, followers, seed), out / "page")
    return page


def _document(scan: Artefact, scores: Artefact, followers: Artefact, seed: int) -> Document:
    system = load_concepts(scan)
    figures = [_figure(system, text, f"concept-{number}", seed) for number, text in enumerate(SHOWN)]
    combined = [_figure(system, text, f"instruction-{number}", seed) for number, text in enumerate(INSTRUCTIONS)]
    return Document(
        "Concepts: SCAN on rooms",
        f"{scan.card['extra']['examples']} images with symbols, seed {seed}",
        (
            Section("What symbols show", (Text("Every image is of another sample of the concept."), *figures)),
            Section("What operators make", tuple(combined)),
            Section("Accuracy and diversity", tuple(score_blocks(scores))),
            Section("An agent that follows instructions", tuple(follower_blocks(followers))),
        ),
    )


def _figure(system: ConceptSystem, text: str, name: str, seed: int) -> FigureBlock:
    images = system.sym2img(parse_instruction(system.space, text), 12, seed)
    picture = Image.fromarray(np.asarray(sheet([("", images)])))
    return FigureBlock(name, picture, f"`{text}`", f"Twelve images imagined of {text}", ground="white")
