"""The section of a report on concepts: what they show, and how agents follow instructions."""

from pathlib import Path

from PIL import Image

from darla.common import Artefact
from darla.common.files import read_json
from darla.common.json_records import as_written
from darla.reports.document import Block, Bullets, FigureBlock, Section, Text
from darla.reports.tables.concepts import accuracy_table, success_of_followers
from darla.reports.tables.transfer import LEAKS, percent

CONCEPT_SCORES, FOLLOWERS = "concept-scores", "followers"
"""Kinds of the artefacts that the section is made of."""
_SCORES, _STRIP = "scores.json", "strip.png"
_JUDGE = (
    "What an image shows is decided by a judge, a classifier that was trained on real images and the factors behind "
    "them. Imagined images can show no more than reconstructions do, and be judged no better than real ones:"
)
_NEW = {"symbol, train": "symbols of training", "symbol, held_out": "symbols that training never named"}


def concepts_section(scores: list[Artefact], followers: list[Artefact]) -> Section | None:
    """Return the section, or None where there is nothing for it.

    Args:
        scores: of systems of concepts, from `darla concepts measure`.
        followers: agents that follow instructions, from `darla concepts act`.
    """
    blocks: list[Block] = []
    for artefact in scores:
        blocks += score_blocks(artefact, artefact.folder.name if len(scores) > 1 else "")
    for number, artefact in enumerate(followers):
        blocks += follower_blocks(artefact, artefact.folder.name if len(followers) > 1 else "", number)
    return Section("Concepts", tuple(blocks)) if blocks else None


def _meaning(leak: str) -> str:
    return f", {LEAKS[leak]}" if leak in LEAKS else ""


def concepts_opening(scores: list[Artefact], followers: list[Artefact]) -> Text | None:
    """Return sentences on what concepts show and on who follows instructions; None where there is neither.

    Args:
        scores: as of `concepts_section`; the sentences are about the first.
        followers: likewise.

    Raises:
        ArtefactError: the scores are damaged.
    """
    sentences = []
    for artefact in scores[:1]:
        with as_written(artefact.folder / _SCORES):
            asked = read_json(artefact.folder / _SCORES)["sym2img"]
            parts = [f"{percent(asked[name]['accuracy'])} of {words}" for name, words in _NEW.items() if name in asked]
        if parts:
            sentences.append(f"Imagined images show the values that were asked for in {' and '.join(parts)}.")
    for artefact in followers[:1]:
        with as_written(artefact.folder / _SCORES):
            success = read_json(artefact.folder / _SCORES)["success"].get("trained, source", {})
            parts = [f"**{percent(part['mean'])}** told {_told(told)}" for told, part in success.items()]
        if parts:
            sentences.append(
                "With the instructions and in the rooms of training, agents take what is named in "
                f"{', '.join(parts)}; who ignores instructions is right in 25 %."
            )
    return Text(" ".join(sentences)) if sentences else None


def _told(told: str) -> str:
    return told if told == "nothing" else f"a {told}"


def score_blocks(scores: Artefact, name: str = "") -> list[Block]:
    """Return accuracy and diversity of a system of concepts, and what bounds them; `name` where there are several.

    Raises:
        ArtefactError: the scores are damaged.
    """
    path = scores.folder / _SCORES
    with as_written(path):
        results = read_json(path)
        seen, judged = results["ceiling"], results["judge"]
        bounds = tuple(
            f"**{attribute}**: reconstructions of real images show it in {percent(seen[attribute])}, and the judge is "
            f"right about it in {percent(judged[attribute], 1)} of real images."
            for attribute in seen
        )
        return [accuracy_table(results, name), Text(_JUDGE), Bullets(bounds)]


def follower_blocks(followers: Artefact, name: str = "", number: int = 0) -> list[Block]:
    """Return how agents follow instructions, and their film strip; `name` and `number` where there are several.

    Raises:
        ArtefactError: the scores are damaged.
    """
    path = followers.folder / _SCORES
    with as_written(path):
        results = read_json(path)
        table = success_of_followers(results, name)
        leaks = [
            Text(f"Leak level of the {target}: *{leak}*{_meaning(leak)}.")
            for target, leak in sorted(results["leak"].items())
        ]
    return [table, *leaks, _strip(followers.folder / _STRIP, number)]


def _strip(path: Path, number: int) -> FigureBlock:
    with as_written(path), Image.open(path) as opened:
        strip = opened.convert("RGB")
    return FigureBlock(
        f"followers-{number}",
        strip,
        "What an agent sees in the same four rooms under two instructions, and what it takes at the end. Rooms have "
        "floors that it has not been trained in.",
        "Film strips of an agent under two instructions",
        ground="white",
    )
