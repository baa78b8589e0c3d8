"""The section of a report on concepts: what they show, and how agents follow instructions."""

from pathlib import Path

from PIL import Image

from darla.common import Artefact
from darla.common.files import read_json
from darla.reports.document import Block, Bullets, FigureBlock, Section, Text
from darla.reports.tables.concepts import accuracy_table, success_of_followers

CONCEPT_SCORES, FOLLOWERS = "concept-scores", "followers"
"""Kinds of the artefacts that the section is made of."""
_SCORES, _STRIP = "scores.json", "strip.png"


def concepts_section(scores: list[Artefact], followers: list[Artefact]) -> Section | None:
    """Return the section, or None where there is nothing for it.

    Args:
        scores: of systems of concepts, from `darla concepts measure`.
        followers: agents that follow instructions, from `darla concepts act`.
    """
    blocks: list[Block] = []
    for artefact in scores:
        results = read_json(artefact.folder / _SCORES)
        blocks.append(accuracy_table(results, artefact.folder.name if len(scores) > 1 else ""))
        seen, judged = results["ceiling"], results["judge"]
        blocks.append(
            Bullets(
                tuple(
                    f"**{name}**: reconstructions of real images show it in {seen[name]:.0%}, and the judge is right "
                    f"about it in {judged[name]:.1%} of real images."
                    for name in seen
                )
            )
        )
    for number, artefact in enumerate(followers):
        results = read_json(artefact.folder / _SCORES)
        blocks.append(success_of_followers(results, artefact.folder.name if len(followers) > 1 else ""))
        blocks += [
            Text(f"Leak level of the {target}: {leak}.") for target, leak in sorted(results.get("leak", {}).items())
        ]
        blocks.append(follower_strip(artefact.folder / _STRIP, number))
    return Section("Concepts", tuple(blocks)) if blocks else None


def follower_strip(path: Path, number: int = 0) -> FigureBlock:
    """Return the film strip of a run of agents that follow instructions."""
    with Image.open(path) as opened:
        strip = opened.convert("RGB")
    return FigureBlock(
        f"followers-{number}",
        strip,
        "What an agent sees in the same four rooms under two instructions, and what it takes at the end. Rooms have "
        "floors that it has not been trained in.",
        "Film strips of an agent under two instructions",
        ground="white",
    )
