"""The report: how agents scored in domains that they were not trained in, and what their encoders kept.

One self-contained HTML page, and the same as Markdown with its figures beside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, isinf
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from darla.analysis.study_scores import study_rows
from darla.common import Artefact
from darla.common.artefact import NOT_INSTALLED
from darla.common.files import write_bytes
from darla.evaluation.against_random import learned_source
from darla.evaluation.film_strips import in_words, is_dense
from darla.evaluation.performance_profiles import profiles
from darla.evaluation.score_types import ALL_TARGETS, RANDOM, AgentRecord, Estimate, StripEpisode, TransferScores
from darla.reports.data import ReportData, TransferData
from darla.reports.document import Block, Bullets, Collapsible, Document, FigureBlock, Film, Section, Text
from darla.reports.figures.numbers import profile_numbers, score_numbers
from darla.reports.figures.profiles import profile_figure
from darla.reports.figures.scores import score_figure
from darla.reports.html import to_html
from darla.reports.markdown import to_markdown
from darla.reports.sections.axes import axes_blocks
from darla.reports.sections.concepts import concepts_opening, concepts_section
from darla.reports.sections.learning_curves import curves_section
from darla.reports.sections.opening import encoder_opening, opening
from darla.reports.sections.protocol import protocol_section, provenance_section
from darla.reports.sections.transfer_causes import causes_section
from darla.reports.sections.vision import find_models, vision_section
from darla.reports.tables.axes import find_axes
from darla.reports.tables.paper import difference_table, return_table
from darla.reports.tables.transfer import (
    aggregate_table,
    comparison_table,
    count,
    estimate,
    number,
    percent,
    ratio_of,
    return_digits,
    score_table,
    success_table,
)

PAGE, TEXT = "report.html", "report.md"
_SAME_EPISODE = (
    "One episode in the source and again in the target, as the agent saw it, with the same start where the domains "
    "allow it."
)


def write_document(document: Document, out: Path) -> tuple[Path, Path]:
    """Write a document as `report.html`, and as `report.md` with its figures."""
    text, figures = to_markdown(document)
    for path, data in figures.items():
        write_bytes(out / path, data)
    write_bytes(out / TEXT, text.encode())
    write_bytes(out / PAGE, to_html(document).encode())
    return out / PAGE, out / TEXT


Films = Mapping[tuple[str, str], Film]
"""By the digest of a transfer and the name of a target."""


def build_report(data: ReportData, films: Films = MappingProxyType({})) -> Document:
    """Build the report from its artefacts.

    Args:
        data: the artefacts.
        films: shown with the film strips of their transfers.
    """
    transfers = data.transfers
    sections = [
        _summary(transfers) if transfers else _encoder_summary(data),
        _per_task("Scores", transfers, _scores),
        _per_task("One axis at a time", [each for each in transfers if find_axes(each)], axes_blocks),
        curves_section(data),
        _per_task(
            "Film strips",
            [transfer for transfer in transfers if transfer.scores.strips or _films_of(transfer, films)],
            lambda transfer: [*_films_of(transfer, films), *_strips(transfer)],
            f"{_SAME_EPISODE}{_marks(transfers)}",
        ),
        vision_section(data),
        causes_section(data),
        concepts_section(data.concept_scores, data.followers),
        protocol_section(transfers),
        provenance_section(data.all()),
    ]
    names = [transfer.scores.task for transfer in transfers]
    seen = "Concepts" if data.concept_scores + data.followers else "Learning to see"
    title = f"Zero-shot transfer: {', '.join(names)}" if names else seen
    return Document(title, _subtitle(data), tuple(section for section in sections if section and section.blocks))


def _subtitle(data: ReportData) -> str:
    parts = []
    if data.transfers:
        scores = data.transfers[0].scores
        trained = [method for method in scores.methods if method.method != RANDOM]
        seeds = sorted({len(method.seeds) for method in trained})
        parts += [
            count(len(trained), "method"),
            f"{' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seed{'s' * (seeds[-1] > 1)}"
            f"{' each' if len(trained) > 1 else ''}",
            f"{scores.settings.episodes} episodes for each agent and domain",
        ]
    elif data.encoders:
        parts.append(count(len(data.encoders), "encoder"))
    artefacts = data.all()
    if artefacts:
        version = artefacts[-1].card["versions"].get("darla", NOT_INSTALLED)
        parts += [f"darla {version}"] if version != NOT_INSTALLED else []
    return " · ".join(parts)


def _per_task(
    title: str, transfers: Sequence[TransferData], blocks: Callable[[TransferData], list[Block]], intro: str = ""
) -> Section | None:
    """Return a section with a part for each task; with one task the part needs no heading."""
    if not transfers:
        return None
    first = [Text(intro)] if intro else []
    if len(transfers) == 1:
        return Section(title, (*first, *blocks(transfers[0])))
    parts = [Section(f"Task {transfer.scores.task}", tuple(blocks(transfer))) for transfer in transfers]
    return Section(title, (*first, *parts))


def _summary(transfers: Sequence[TransferData]) -> Section | None:
    if not transfers:
        return None
    blocks: list[Block] = [Text(_introduction([agent for each in transfers for agent in each.scores.agents]))]
    for transfer in transfers:
        findings = tuple(_findings(transfer))
        if findings:
            blocks += [Text(f"**Task {transfer.scores.task}.**")] if len(transfers) > 1 else []
            blocks.append(Bullets(findings))
        blocks.append(score_table(transfer.scores))
    first = [opening(transfer, named=len(transfers) > 1) for transfer in transfers]
    return Section("Summary", (*first, *blocks[:1], *_study(transfers), *blocks[1:]))


def _encoder_summary(data: ReportData) -> Section | None:
    """Return the summary of a report without agents."""
    factors = any(frames.config["domain"].get("factors") for frames in data.frames)
    first = encoder_opening(find_models(data), scored=bool(data.metrics), factors=factors)
    others = concepts_opening(data.concept_scores, data.followers)
    said = tuple(text for text in (others, first) if text is not None)
    return Section("Summary", said) if said else None


def _introduction(agents: Sequence[AgentRecord]) -> str:
    """Return what was done, of these agents and no others."""
    trained = [agent for agent in agents if agent.method != RANDOM and not agent.is_own]
    bounds = list(dict.fromkeys(agent.method for agent in trained if not agent.is_zero_shot))
    one = len({agent.digest for agent in agents if agent.method != RANDOM}) == 1
    parts = [f"{'The policy was' if one else 'Policies were'} run, unchanged, in target domains."]
    if any(agent.is_zero_shot for agent in trained):
        everyone = "They" if not any(agent.is_own for agent in agents) else "Those that darla trained"
        who = f"{everyone} were" if not bounds else f"All but {' and '.join(bounds)}, which are upper bounds, were"
        parts.append(f"{'It was' if one else who} trained in the source alone.")
    elif bounds:
        parts.append(f"{' and '.join(bounds)} are upper bounds: they were trained elsewhere or on the ground truth.")
    own = dict.fromkeys(agent.method for agent in agents if agent.is_own)
    if own:
        parts.append(f"{' and '.join(own)}: not trained by darla.")
    with_encoder = [agent for agent in trained if agent.encoder is not None]
    if with_encoder:
        tuned = list(dict.fromkeys(agent.method for agent in with_encoder if agent.fine_tune))
        kept = "then frozen" if not tuned else f"then frozen, but for {' and '.join(tuned)}"
        encoders = "The encoder was" if one else "Encoders were"
        parts.append(f"{encoders} trained on frames of the unlabeled domain D_U and {kept}.")
    if any(agent.method == RANDOM for agent in agents):
        parts.append("A random agent was evaluated on the same episodes.")
    return " ".join(parts)


def _study(transfers: Sequence[TransferData]) -> list[Block]:
    """Return tables over all tasks and RL algorithms; none for one algorithm in one task."""
    by_name: dict[str, Artefact] = {}
    for transfer in transfers:
        task = transfer.scores.task
        twins = sum(name.split(", again")[0] == task for name in by_name)
        by_name[f"{task}, again {twins}" if twins else task] = transfer.artefact
    rows = study_rows(by_name, overall=True)
    if len({(row.task, row.learner) for row in rows if row.learner != RANDOM}) < 2:
        return []
    tables = return_table(rows), difference_table(rows)
    return [table for table in tables if any(cell.text not in ("–", "") for row in table.rows for cell in row[1:])]


def _findings(transfer: TransferData) -> Iterable[str]:
    """Yield a bullet point for each method with its scores over all targets, in the order of the table."""
    scores = transfer.scores
    targets = scores.targets
    if not targets:
        return
    where = f"over {len(targets)} targets" if len(targets) > 1 else f"in *{targets[0]}*"
    learned = learned_source(scores, transfer.episodes)
    digits = return_digits(scores)
    floors = [floor for target in targets if (floor := scores.anchors.random_return.get(target)) is not None]
    for method in scores.methods:
        over = method.over_targets
        if method.method == RANDOM or over is None:
            continue
        finding = f"**{method.method}** returns {_plain(over.return_.mean, digits)} {where}"
        ratios = []
        floor = sum(floors) / len(floors) if len(floors) == len(targets) else -inf
        below = over.return_.mean.value <= floor
        if below:
            finding += f", no more than random play there ({number(floor, digits)})"
        if over.success is not None:
            finding += f"{', ' if below else ' '}and succeeds in {percent(over.success.value)} of the episodes"
        if not (learned[method.method] or method.leaks):
            yield f"{finding}."
            continue
        if over.retention is not None:
            ratios.append(f"{_plain(over.retention, 2)} of its return in the source")
        comparison = next(
            (
                entry
                for entry in scores.comparisons
                if entry.method == method.method and entry.domain in (ALL_TARGETS, *targets[: len(targets) == 1])
            ),
            None,
        )
        ratio = None if comparison is None else ratio_of(scores, comparison)
        if ratio is not None and not isinf(ratio.value):
            ratios.append(f"{_plain(ratio)} times the return of {scores.anchors.baseline}")
        yield f"{finding}. This is {' and '.join(ratios)}." if ratios else f"{finding}."


def _plain(value: Estimate, digits: int = 1) -> str:
    cell = estimate(value, digits)
    return f"{cell.text} {cell.detail}".strip()


def _scores(transfer: TransferData) -> list[Block]:
    scores = transfer.scores
    several = any(len(method.seeds) > 1 for method in scores.methods)
    blocks: list[Block] = [
        FigureBlock(
            f"scores {scores.task}",
            score_figure(scores),
            "Return by domain and method"
            + (". Filled mark: mean over seeds; bar: its interval; ring: one seed" if several else ", one seed")
            + ("; dotted line: the baseline." if scores.anchors.baseline else "."),
            _alt_scores(scores),
            data=score_numbers(scores),
        )
    ]
    tables = (comparison_table(scores), aggregate_table(scores), success_table(scores))
    return [*blocks, *(_profiles(transfer) if several else []), *(table for table in tables if table is not None)]


def _profiles(transfer: TransferData) -> list[Block]:
    """Return the performance profiles, where scores can be normalized."""
    scores = transfer.scores
    shown = [profile for profile in profiles(scores, transfer.episodes) if profile.method != RANDOM]
    if not shown:
        return []
    return [
        FigureBlock(
            f"profiles {scores.task}",
            profile_figure(shown, scores),
            "Performance profiles: the share of a method's seeds and targets that score above each level; higher is "
            "better. Where two curves cross, no single number ranks the methods. Bands: pointwise intervals from "
            "resampling seeds.",
            "Falling steps, a line for each method: the share of runs above each normalized score.",
            data=profile_numbers(shown),
        )
    ]


def _alt_scores(scores: TransferScores) -> str:
    lines = []
    digits = return_digits(scores)
    for method in scores.methods:
        returns = [(domain.name, method.domains[domain.name].return_.value) for domain in scores.domains]
        values = [f"{domain} {number(value, digits)}" for domain, value in returns]
        lines.append(f"{method.method}: {', '.join(values)}")
    return f"Dot plot of mean returns. {'. '.join(lines)}."


def _steps(interval: int) -> str:
    return "step" if interval == 1 else f"{interval} steps"


def _marks(transfers: Sequence[TransferData]) -> str:
    """Return what the marks on the time lines of film strips mean, if there are any."""
    strips = [strip for transfer in transfers for strip in transfer.scores.strips]
    episodes = [episode for strip in strips for episode in (strip.source_episode, strip.target_episode)]
    dense = [is_dense(each.positive_rewards + each.negative_rewards, each.length) for each in episodes]
    if not episodes:
        return ""
    if all(dense):
        return " Most steps have a reward, so rewards are not marked on the time line."
    few = " Where most steps have a reward, none is marked." if any(dense) else ""
    return f" Triangles on the time line are rewards: up for a positive one, down for a negative one.{few}"


def _rewards(episode: StripEpisode) -> str:
    return f"{episode.positive_rewards} positive, {episode.negative_rewards} negative"


def _films_of(transfer: TransferData, films: Films) -> list[Block]:
    """Return the films of a transfer, one for each target."""
    return [
        FigureBlock(
            f"film {target}",
            films[transfer.artefact.digest, target],
            f"The same episode in the source and in *{target}*: what the agent sees, below it what its encoder makes "
            "of it, the return so far with the rewards, and the action.",
            f"Film of the agents in the source and in {target}.",
        )
        for target in transfer.scores.targets
        if (transfer.artefact.digest, target) in films
    ]


def _strips(transfer: TransferData) -> list[Block]:
    """Return the film strips by target, so that methods can be compared."""
    strips = transfer.scores.strips
    blocks: list[Block] = []
    for number_of_target, target in enumerate(dict.fromkeys(strip.target for strip in strips)):
        figures = []
        for strip in strips:
            if strip.target != target:
                continue
            in_source, in_target = strip.source_episode, strip.target_episode
            with Image.open(transfer.strip(strip.file)) as image:
                image.load()
            figures.append(
                FigureBlock(
                    f"strip {target} {strip.method}",
                    image,
                    f"{strip.method}, seed {strip.seed}: return {in_words(in_source.return_)} in the source, "
                    f"{in_words(in_target.return_)} in *{target}*. One image every {_steps(strip.frame_interval)}.",
                    f"Film strip of {strip.method}. Rewards in the source: {_rewards(in_source)}; in {target}: "
                    f"{_rewards(in_target)}.",
                )
            )
        blocks.append(Collapsible(target, tuple(figures), opened=number_of_target == 0))
    return blocks
