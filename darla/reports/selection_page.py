"""The page of a selection: all settings side by side, as scores, training curves and images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from darla.analysis.encoder_measures import measure_label
from darla.common import Artefact
from darla.common.csv_rows import read_numbers
from darla.envs.frames.frame_set import FrameSet
from darla.reports.document import Block, Cell, Document, FigureBlock, Section, Table, Text
from darla.reports.figures.numbers import history_numbers, relation_numbers, selection_numbers
from darla.reports.figures.relation import relation_figure
from darla.reports.figures.selection import selection_figure
from darla.reports.figures.training import factor_figure, training_figure
from darla.reports.sections.protocol import provenance_section
from darla.reports.tables.transfer import NOTHING, count, number, spread
from darla.vision.metrics import Result
from darla.vision.models.registry import NO_SUPERVISION
from darla.vision.training.metric_monitor import METRICS_FILE
from darla.vision.training.monitor import ACTIVE

HISTORY = "history.csv"
_LABELED = " The other scores need the factors behind each frame, which were not used in the ranking."
Agreement = Mapping[str, Mapping[str, float]]
"""For each score that needs labels, its rank correlation with UDR, by method of UDR."""


@dataclass(frozen=True)
class Candidate:
    """One trained encoder with its scores."""

    name: str
    """Name of its setting."""
    seed: int
    folder: Path
    lasso: float
    """UDR by Lasso: the median over encoders of the same setting with other seeds."""
    spearman: float
    """UDR by rank correlation."""
    active: int | None
    """Active latents; None for a network whose code has no posterior."""
    kl: float | None
    """KL of the code, in nats; None likewise."""
    error: float | None
    """Mean squared error of held-out reconstructions, per pixel and channel; None for a network without a decoder."""
    supervised_scores: Mapping[str, float]
    """Scores that need labels, by name; not used in the ranking."""
    dead_units: float | None = None
    """Share of the network's units whose output is the same for every image; None where it was not measured."""
    informativeness: Mapping[str, float] = field(default_factory=dict)
    """How well a classifier predicts each factor from the whole code (DCI), by factor."""
    supervision: str = NO_SUPERVISION
    """What its training needed beyond images."""
    relation: Result | None = None
    """The metric whose matrix of latents by factors is shown; None without labels."""


def settings_table(candidates: Sequence[Candidate], agreement: Agreement, ranking: str) -> Table:
    """Return a row for each setting: the mean over its seeds, with the lowest and highest; best UDR first."""
    settings = _by_setting(candidates, ranking)
    labels = list(agreement)
    first = _supervision_header(candidates)
    rows = []
    for name, members in settings.items():
        row = [Cell(name, f"{len(members)} seeds"), *(Cell(members[0].supervision) for _ in first)]
        row += [spread([getattr(each, method) for each in members]) for method in ("lasso", "spearman")]
        row += [spread([each.supervised_scores[label] for each in members]) for label in labels]
        row += [
            spread([None if each.error is None else 1000 * each.error for each in members], 1),
            spread([each.kl for each in members], 1),
        ]
        row.append(spread([each.active for each in members], 0))
        rows.append((*row, spread([100 * each.dead_units for each in members if each.dead_units is not None], 0)))
    header = (*_header((Cell("setting"), *first), labels), Cell("dead units", "%"))
    notes = "Means over seeds, with the lowest and the highest."
    if any(each.error is not None for each in candidates):
        notes += " Error: mean squared error per pixel and channel of held-out frames."
    if any(each.active is not None for each in candidates):
        notes += f" Active: latents whose mean has a variance above {ACTIVE:g} over images."
    if any(each.dead_units is not None for each in candidates):
        notes += " Dead units: units of the encoder whose output is the same for every image."
    return Table("Settings by UDR", header, tuple(rows), (notes,), labels=1 + len(first))


def factors_table(candidates: Sequence[Candidate], ranking: str) -> list[Table]:
    """Return how well each factor is predicted from the codes of each setting; nothing without labels."""
    if not all(each.informativeness for each in candidates):
        return []
    factors = list(candidates[0].informativeness)
    rows = [
        (Cell(name), *(spread([each.informativeness[factor] for each in members]) for factor in factors))
        for name, members in _by_setting(candidates, ranking).items()
    ]
    notes = (
        "Accuracy of a forest that predicts the factor from the whole code, on held-out frames: 0 is chance, 1 is "
        "perfect (informativeness of DCI). It does not matter how the factor is spread over latents. Means over seeds, "
        "with the lowest and the highest.",
    )
    header = (Cell("setting"), *(Cell(_label(factor)) for factor in factors))
    return [Table("Informativeness of the codes about each factor", header, tuple(rows), notes)]


def ranking_table(candidates: Sequence[Candidate], agreement: Agreement) -> Table:
    """Return a row for each encoder, best first, and below it the rank correlation of UDR with each score."""
    labels = list(agreement)
    first = _supervision_header(candidates)
    rows = []
    for each in candidates:
        row = [Cell(each.name), Cell(str(each.seed)), *(Cell(each.supervision) for _ in first)]
        row += [Cell(f"{each.lasso:.3f}"), Cell(f"{each.spearman:.3f}")]
        row += [Cell(f"{each.supervised_scores[label]:.3f}") for label in labels]
        error = NOTHING if each.error is None else Cell(f"{1000 * each.error:.1f}")
        kl = NOTHING if each.kl is None else Cell(number(each.kl))
        rows.append((*row, error, kl, NOTHING if each.active is None else Cell(str(each.active))))
    header = _header((Cell("encoder"), Cell("seed"), *first), labels)
    notes: tuple[str, ...] = ()
    if labels and len(candidates) > 2:
        listed = "; ".join(
            f"{measure_label(label)} {_correlation(candidates, agreement, label, 'lasso')} and "
            f"{_correlation(candidates, agreement, label, 'spearman')}"
            for label in labels
        )
        notes = (f"Rank correlation of UDR (Lasso and Spearman) over the {len(candidates)} encoders with {listed}.",)
    return Table("Encoders by UDR", header, tuple(rows), notes, labels=2 + len(first))


def _correlation(candidates: Sequence[Candidate], agreement: Agreement, label: str, method: str) -> str:
    """Return a rank correlation in words; a dash where the UDR or the score of all encoders is the same."""
    of_udr = {getattr(each, method) for each in candidates}
    of_label = {each.supervised_scores[label] for each in candidates}
    if min(len(of_udr), len(of_label)) < 2:
        return "–"
    return f"{agreement[label][method]:+.2f}".replace("-", "−")


def ranking_opening(candidates: Sequence[Candidate], ranking: str) -> Text:
    """Return which setting ranks first and how far before the others, and which say nothing at all.

    Args:
        candidates: the encoders.
        ranking: which UDR ranks.
    """
    settings = _by_setting(candidates, ranking)
    means = {name: float(np.mean([getattr(each, ranking) for each in members])) for name, members in settings.items()}
    shown = {name: number(mean, 2) for name, mean in means.items()}
    udr = f"UDR ({ranking.capitalize()})"
    if len(shown) > 1 and len(set(means.values())) == 1:
        sentences = [
            f"All settings have the same {udr}, {next(iter(shown.values()))}, which ranks none before another."
        ]
    else:
        first, *others = (f"**{name}** ({score})" for name, score in shown.items())
        after = f", before {', '.join(others)}" if others else ""
        sentences = [f"By the mean {udr} over seeds, {first} ranks first{after}."]
    empty = [name for name, members in settings.items() if all(each.active == 0 for each in members)]
    if empty:
        names = " and ".join(f"**{name}**" for name in empty)
        sentences.append(f"No latent of {names} is active: such a code is the same for every image.")
    return Text(" ".join(sentences))


def selection_page(
    candidates: Sequence[Candidate],
    agreement: Agreement,
    ranking: str,
    factors: Sequence[str],
    frames: FrameSet,
    made_from: Sequence[Artefact],
) -> Document:
    """Return the page.

    Args:
        candidates: the encoders, best first.
        agreement: rank correlation of UDR with scores that need labels.
        ranking: which UDR ranks.
        factors: names of the columns of `Candidate.relation`.
        frames: what the encoders were trained on.
        made_from: the artefacts behind the page.
    """
    settings, domain = _by_setting(candidates, ranking), str(frames.domain["name"])
    sections = [
        Section("Scores", tuple(_scores(candidates, agreement, ranking))),
        Section("Training", tuple(_training(settings))),
    ]
    sections += [
        Section(name, tuple(_figures(max(members, key=lambda each: getattr(each, ranking)), factors)))
        for name, members in settings.items()
    ]
    sections.append(provenance_section(made_from))
    seeds = len({each.seed for each in candidates})
    subtitle = (
        f"{count(len(settings), 'setting')}, {count(seeds, 'seed')} each, trained on {len(frames):,} frames of {domain}"
    )
    return Document(f"Encoders compared: {domain}", subtitle, tuple(section for section in sections if section.blocks))


def _scores(candidates: Sequence[Candidate], agreement: Agreement, ranking: str) -> list[Block]:
    blocks: list[Block] = [
        ranking_opening(candidates, ranking),
        Text(
            "UDR needs no labels: it is high if encoders that differ only in their seed have learned the same latents."
            + (_LABELED if agreement else "")
        ),
        settings_table(candidates, agreement, ranking),
        *factors_table(candidates, ranking),
        ranking_table(candidates, agreement),
    ]
    if agreement:
        points: dict[str, list[tuple[float, Mapping[str, float]]]] = {}
        for each in candidates:
            points.setdefault(each.name, []).append((getattr(each, ranking), each.supervised_scores))
        correlation = {label: _correlation(candidates, agreement, label, ranking) for label in agreement}
        caption = "UDR, which needs no labels, against scores that need labels."
        alt = "A panel for each score: UDR on the x axis, the score on the y axis, a dot for each encoder."
        figure = selection_figure(points, correlation, ranking)
        blocks.append(FigureBlock("udr", figure, caption, alt, data=selection_numbers(points)))
    return blocks


def _training(settings: Mapping[str, Sequence[Candidate]]) -> list[Block]:
    histories = {
        name: [read_numbers(each.folder / HISTORY) for each in members if (each.folder / HISTORY).is_file()]
        for name, members in settings.items()
    }
    histories = {name: tables for name, tables in histories.items() if tables}  # not of encoders as they are
    if not histories:
        return []
    columns = {column for tables in histories.values() for rows in tables for column in rows[0]}
    caption = "During training: thick lines are means over seeds, thin ones single seeds."
    if "total_correlation" in columns:
        caption += (
            " Total correlation is each model's own estimate, in nats; that of β-TCVAE by weighted sampling includes a "
            "constant of up to (D - 1) log N."
        )
    if "dead_units" in columns:
        caption += " A unit is dead if its output is the same for every image; ReLUs do not recover from that."
    alt = "Panels of reconstruction error, KL and other logged values against training steps, a line for each setting."
    logged = history_numbers(histories)
    blocks: list[Block] = [FigureBlock("training", training_figure(histories), caption, alt, data=logged)]
    monitored = {
        name: [read_numbers(each.folder / METRICS_FILE) for each in members if (each.folder / METRICS_FILE).is_file()]
        for name, members in settings.items()
    }
    monitored = {name: tables for name, tables in monitored.items() if tables}
    if monitored:
        caption = (
            "Mutual information of each factor with the most informative latent, as a share of the factor's entropy; "
            "means over seeds."
        )
        alt = "A panel for each setting: mutual information with each factor against training steps."
        information = history_numbers(monitored)
        blocks.append(FigureBlock("factors", factor_figure(monitored, "step"), caption, alt, data=information))
    rising = {name: tables for name, tables in monitored.items() if "capacity" in histories[name][0][0]}
    if rising:
        caption = (
            "The same against the KL of the code at that step, for models whose capacity rises during training: at how "
            "many nats each factor is encoded."
        )
        alt = "Mutual information with each factor against the KL of the code in nats."
        information = history_numbers(rising)
        blocks.append(FigureBlock("capacity", factor_figure(rising, "kl"), caption, alt, data=information))
    return blocks


def _figures(best: Candidate, factors: Sequence[str]) -> list[Block]:
    """Return the images of the encoder of a setting that ranks first."""
    blocks: list[Block] = []
    for stem, caption in (
        ("reconstructions", "held-out frames and their reconstructions."),
        (
            "traversals",
            "the code of one frame, one latent at a time moved across its range; latents with the largest KL first.",
        ),
    ):
        if not (best.folder / f"{stem}.png").is_file():
            continue  # of a network without a decoder
        with Image.open(best.folder / f"{stem}.png") as image:
            text = f"{best.name}, seed {best.seed}: {caption}"
            blocks.append(FigureBlock(f"{stem} {best.name}", image.convert("RGB"), text, text, "white"))
    if best.relation is not None:
        metric = measure_label(best.relation.name)
        text = f"{best.name}, seed {best.seed}: latents (rows) by factors (columns), from {metric}."
        figure, numbers = relation_figure(best.relation, factors), relation_numbers(best.relation, factors)
        blocks.append(FigureBlock(f"relation {best.name}", figure, text, text, "white", numbers))
    return blocks


def _header(first: tuple[Cell, ...], labels: Sequence[str]) -> tuple[Cell, ...]:
    scores = (Cell("UDR", "Lasso"), Cell("UDR", "Spearman"), *(Cell(measure_label(label)) for label in labels))
    return (*first, *scores, Cell("error", "× 1000"), Cell("KL", "nats"), Cell("active", "latents"))


def _supervision_header(candidates: Sequence[Candidate]) -> tuple[Cell, ...]:
    """Return the head of the column of supervision; nothing where all models need images alone."""
    return (Cell("supervision"),) if any(each.supervision != NO_SUPERVISION for each in candidates) else ()


def _by_setting(candidates: Sequence[Candidate], ranking: str) -> dict[str, list[Candidate]]:
    """Group encoders by setting, the setting with the best mean first."""
    settings: dict[str, list[Candidate]] = {}
    for each in candidates:
        settings.setdefault(each.name, []).append(each)
    rank = {name: float(np.mean([getattr(each, ranking) for each in members])) for name, members in settings.items()}
    return {name: settings[name] for name in sorted(settings, key=lambda name: -rank[name])}


def _label(name: str) -> str:
    return name.replace("_", " ")
