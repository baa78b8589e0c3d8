"""The report: what agents did in the domains they had never acted in, and what their encoders had kept.

One HTML page that stands alone, and the same as Markdown with its pictures beside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from darla.analysis.study_scores import study_rows
from darla.common import Artefact
from darla.common.files import write_bytes
from darla.evaluation.performance_profiles import profiles
from darla.evaluation.scores import ALL_TARGETS, RANDOM
from darla.reports.data import ReportData, TransferData
from darla.reports.document import Block, Bullets, Collapsible, Document, Picture, Section, Text
from darla.reports.figures.profiles import profile_figure
from darla.reports.figures.scores import score_figure
from darla.reports.html import to_html
from darla.reports.markdown import to_markdown
from darla.reports.sections.learning_curves import curves_section
from darla.reports.sections.protocol import protocol_section, provenance_section
from darla.reports.sections.transfer_causes import why_section
from darla.reports.sections.vision import vision_section
from darla.reports.tables.paper import difference_table, return_table
from darla.reports.tables.transfer import (
    aggregate_table,
    comparison_table,
    count,
    estimate,
    number,
    score_table,
    success_table,
)

PAGE, TEXT = "report.html", "report.md"


def write_document(document: Document, out: Path) -> tuple[Path, Path]:
    """Write a document as `report.html`, as `report.md` and as the pictures beside that."""
    text, pictures = to_markdown(document)
    for path, data in pictures.items():
        write_bytes(out / path, data)
    write_bytes(out / TEXT, text.encode())
    write_bytes(out / PAGE, to_html(document).encode())
    return out / PAGE, out / TEXT


def compose(material: ReportData) -> Document:
    """Put the report together, before it is a page or a text."""
    transfers = material.transfers
    vision = vision_section(material)
    sections = [
        _summary(transfers),
        _per_task("Scores", transfers, _scores),
        curves_section(material),
        _per_task(
            "RecordedEpisode strips",
            [transfer for transfer in transfers if transfer.scores["strips"]],
            _strips,
            "One episode in the source and again in the target, as the agent saw it, with the same "
            "start wherever the domains allow it. Triangles on the time line are rewards: up for a good "
            "object, down for a bad one.",
        ),
        vision,
        why_section(material),
        protocol_section(transfers),
        provenance_section(material),
    ]
    names = [transfer.scores["task"] for transfer in transfers]
    title = f"Zero-shot transfer: {', '.join(names)}" if names else "Learning to see"
    return Document(title, _subtitle(material), tuple(section for section in sections if section and section.blocks))


def _subtitle(material: ReportData) -> str:
    said = []
    if material.transfers:
        scores = material.transfers[0].scores
        learnt = [method for method in scores["methods"] if method["method"] != RANDOM]
        seeds = sorted({len(method["seeds"]) for method in learnt})
        said += [
            count(len(learnt), "method"),
            f"{' to '.join(map(str, {seeds[0]: 0, seeds[-1]: 0}))} seed{'s' * (seeds[-1] > 1)} each",
            f"{scores['settings']['episodes']} episodes for each agent and domain",
        ]
    elif material.encoders:
        said.append(count(len(material.encoders), "encoder"))
    every = material.all()
    if every:
        said.append(f"darla {every[-1].card['versions'].get('darla', '')}".strip())
    return " · ".join(said)


def _per_task(
    title: str, transfers: Sequence[TransferData], blocks: Callable[[TransferData], list[Block]], intro: str = ""
) -> Section | None:
    """Make a section of a part for each task; with one task alone it needs no heading of its own."""
    if not transfers:
        return None
    first = [Text(intro)] if intro else []
    if len(transfers) == 1:
        return Section(title, (*first, *blocks(transfers[0])))
    parts = [Section(f"Task {transfer.scores['task']}", tuple(blocks(transfer))) for transfer in transfers]
    return Section(title, (*first, *parts))


def _summary(transfers: Sequence[TransferData]) -> Section | None:
    if not transfers:
        return None
    blocks: list[Block] = [
        Text(
            "Policies that had learnt in one source domain were run, unchanged, in target domains in "
            "which they had never acted. The encoders behind them learnt from unlabelled frames alone "
            "and were frozen throughout. A random agent was measured along with them on the same "
            "episodes."
        )
    ]
    for transfer in transfers:
        findings = tuple(_findings(transfer.scores))
        if findings:
            blocks += [Text(f"**Task {transfer.scores['task']}.**")] if len(transfers) > 1 else []
            blocks.append(Bullets(findings))
        blocks.append(score_table(transfer.scores))
    return Section("Summary", (*blocks[:1], *_study(transfers), *blocks[1:]))


def _study(transfers: Sequence[TransferData]) -> list[Block]:
    """Show all tasks and learners in one table, and what each learner's methods gain; nothing where one is all."""
    named: dict[str, Artefact] = {}
    for transfer in transfers:
        task = str(transfer.scores["task"])
        twins = sum(name.split(", again")[0] == task for name in named)
        named[f"{task}, again {twins}" if twins else task] = transfer.artefact
    rows = study_rows(named, overall=True)
    if len({(row.task, row.learner) for row in rows if row.learner != RANDOM}) < 2:
        return []
    tables = return_table(rows), difference_table(rows)
    return [table for table in tables if any(cell.text not in ("–", "") for row in table.rows for cell in row[1:])]


def _findings(scores: Mapping[str, Any]) -> Iterable[str]:
    """Say in a sentence for each method what it scores over all targets, in the order of the table."""
    targets = [domain["name"] for domain in scores["domains"] if domain["split"] == "target"]
    if not targets:
        return
    where = f"over {len(targets)} targets" if len(targets) > 1 else f"in *{targets[0]}*"
    baseline = scores["anchors"]["baseline"]
    for method in scores["methods"]:
        name = method["method"]
        if name == RANDOM:
            continue
        over = method["over_targets"]
        said = f"**{name}** returns {_plain(over['return']['mean'])} {where}"
        if over.get("retention"):
            said += f", {_plain(over['retention'], 2)} of what it returns in the source"
        against = [
            entry
            for entry in scores["comparisons"]
            if entry["method"] == name and entry["domain"] in (ALL_TARGETS, *targets[: len(targets) == 1])
        ]
        if against and against[0]["ratio"]["value"] is not None:
            said += f", and {_plain(against[0]['ratio'])} times what {baseline} returns there"
        yield said + "."


def _plain(said: Mapping[str, Any], digits: int = 1) -> str:
    cell = estimate(said, digits)
    return f"{cell.text} {cell.detail}".strip()


def _scores(transfer: TransferData) -> list[Block]:
    scores = transfer.scores
    several = any(len(method["seeds"]) > 1 for method in scores["methods"])
    blocks: list[Block] = [
        Picture(
            f"scores {scores['task']}",
            score_figure(scores),
            "Return by domain and method"
            + (
                ". Filled mark: mean over seeds; bar: its interval; ring: one seed; dotted line: the baseline."
                if several
                else ", one seed; dotted line: the baseline."
            ),
            _alt_scores(scores),
        )
    ]
    tables = (comparison_table(scores), aggregate_table(scores), success_table(scores))
    return [*blocks, *(_profiles(transfer) if several else []), *(table for table in tables if table is not None)]


def _profiles(transfer: TransferData) -> list[Block]:
    """Show performance profiles, where scores can be normalised."""
    scores = transfer.scores
    found = [profile for profile in profiles(scores, transfer.episodes) if profile.method != RANDOM]
    if not found:
        return []
    return [
        Picture(
            f"profiles {scores['task']}",
            profile_figure(found, scores),
            "Performance profiles: the share of a method's seeds and targets that score above each level, the higher "
            "the better. Where two cross, no single number ranks them. Bands: intervals at each level, from resampling "
            "seeds.",
            "Falling steps, a line for each method: the share of runs above each normalised score.",
        )
    ]


def _alt_scores(scores: Mapping[str, Any]) -> str:
    said = []
    for method in scores["methods"]:
        values = [
            f"{domain['name']} {number(method['domains'][domain['name']]['return']['value'])}"
            for domain in scores["domains"]
        ]
        said.append(f"{method['method']}: {', '.join(values)}")
    return f"Dot plot of mean returns. {'. '.join(said)}."


def _strips(transfer: TransferData) -> list[Block]:
    """Show the film strips target by target, so that methods stand under each other."""
    strips = transfer.scores["strips"]
    blocks: list[Block] = []
    for number_of_target, target in enumerate(dict.fromkeys(strip["target"] for strip in strips)):
        pictures = []
        for strip in strips:
            if strip["target"] != target:
                continue
            here, there = strip["source_episode"], strip["target_episode"]
            with Image.open(transfer.strip(strip["file"])) as image:
                image.load()
            pictures.append(
                Picture(
                    f"strip {target} {strip['method']}",
                    image,
                    f"{strip['method']}, seed {strip['seed']}: return {number(here['return'], 0)} in the "
                    f"source, {number(there['return'], 0)} in *{target}*. A picture every "
                    f"{strip['every']} steps.",
                    f"RecordedEpisode strip of {strip['method']}. Source: {here['rises']} rewards, {here['falls']} "
                    f"punishments. {target}: {there['rises']} rewards, {there['falls']} punishments.",
                )
            )
        blocks.append(Collapsible(target, tuple(pictures), opened=number_of_target == 0))
    return blocks
