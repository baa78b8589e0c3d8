"""The page of a selection: every setting beside every other, in numbers, over training, and in pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from darla.common.csv_rows import read_numbers
from darla.reports.document import Block, Cell, Document, Picture, Section, Table, Text
from darla.reports.figures.relation import relation_figure
from darla.reports.figures.selection import selection_figure
from darla.reports.figures.training import figure_named, training_figure
from darla.reports.tables.transfer import NOTHING, number
from darla.vision.metrics import Result
from darla.vision.training.metric_monitor import METRICS_FILE

Agreement = Mapping[str, Mapping[str, float]]
"""By score with labels, its rank correlation with each UDR."""


@dataclass(frozen=True)
class Candidate:
    """One trained encoder, and how it was ranked."""

    name: str
    """Of the setting."""
    seed: int
    folder: Path
    lasso: float
    """UDR by Lasso: the median, over encoders of the same setting with other seeds."""
    spearman: float
    """UDR by rank correlation."""
    active: int
    """Active latents."""
    kl: float
    """Of the code, in nats."""
    error: float
    """Mean squared error of held-out reconstructions, per pixel and channel."""
    supervised: Mapping[str, float]
    """What labels say of it, by name; never part of the ranking."""
    silent: float | None = None
    """Share of the network's units that put out the same for every image; None where it was not measured."""
    read: Mapping[str, float] = field(default_factory=dict)
    """What a classifier reads of each factor from the whole code (DCI's informativeness), by factor."""
    relation: Result | None = None
    """The metric whose matrix of latents by factors is shown; None where no labels are known."""


def settings_table(found: Sequence[Candidate], agreement: Agreement, by: str) -> Table:
    """Return a row for each setting: the mean over its seeds, and the lowest and highest below it; best UDR first."""
    settings = _by_setting(found, by)
    labels = list(agreement)
    rows = []
    for name, members in settings.items():
        row = [Cell(name, f"{len(members)} seeds")]
        row += [_spread([getattr(each, method) for each in members]) for method in ("lasso", "spearman")]
        row += [_spread([each.supervised[label] for each in members]) for label in labels]
        row += [_spread([1000 * each.error for each in members], 1), _spread([each.kl for each in members], 1)]
        row.append(_spread([each.active for each in members], 0))
        rows.append((*row, _spread([100 * each.silent for each in members if each.silent is not None], 0)))
    header = (*_header((Cell("setting"),), labels), Cell("silent", "% of units"))
    notes = (
        "Means over seeds, with the lowest and the highest. Error: mean squared, held out, per pixel and channel. "
        "Silent: units of the encoder that put out the same for every image.",
    )
    return Table("Settings, by what their seeds agree on", header, tuple(rows), notes)


def factors_table(found: Sequence[Candidate], by: str) -> list[Table]:
    """Return what is read of each factor from the codes of each setting; nothing where no labels are known."""
    if not all(each.read for each in found):
        return []
    factors = list(found[0].read)
    rows = [
        (Cell(name), *(_spread([each.read[factor] for each in members]) for factor in factors))
        for name, members in _by_setting(found, by).items()
    ]
    notes = (
        "Accuracy of a forest on the whole code of frames that it was not fitted on, 0 for guessing and 1 for all "
        "right (informativeness of DCI), however the factor is spread over latents. Means over seeds, with the lowest "
        "and the highest.",
    )
    header = (Cell("setting"), *(Cell(_spoken(factor)) for factor in factors))
    return [Table("What is read of each factor", header, tuple(rows), notes)]


def ranking_table(found: Sequence[Candidate], agreement: Agreement) -> Table:
    """Return a row for each encoder, best first, and below them how UDR agrees with each score."""
    labels = list(agreement)
    rows = []
    for each in found:
        row = [Cell(each.name), Cell(str(each.seed)), Cell(f"{each.lasso:.3f}"), Cell(f"{each.spearman:.3f}")]
        row += [Cell(f"{each.supervised[label]:.3f}") for label in labels]
        rows.append((*row, Cell(f"{1000 * each.error:.1f}"), Cell(f"{each.kl:.1f}"), Cell(str(each.active))))
    header = _header((Cell("encoder"), Cell("seed")), labels)
    notes: tuple[str, ...] = ()
    if labels and len(found) > 2:
        told = "; ".join(
            f"{_spoken(label)} {agreement[label]['lasso']:+.2f} and {agreement[label]['spearman']:+.2f}"
            for label in labels
        )
        notes = (f"Rank correlation of UDR (Lasso and Spearman) over the {len(found)} encoders with {told}.",)
    return Table("Encoders, by what their siblings agree on", header, tuple(rows), notes, labels=2)


def selection_page(
    found: Sequence[Candidate], agreement: Agreement, by: str, factors: Sequence[str], of: str, frames: int
) -> Document:
    """Return the page.

    Args:
        found: the encoders, best first.
        agreement: how UDR agrees with scores that need labels.
        by: which UDR ranks.
        factors: names of the columns of `Candidate.relation`.
        of: name of what the frames show.
        frames: how many there are.
    """
    settings = _by_setting(found, by)
    sections = [
        Section("Scores", tuple(_scores(found, agreement, by))),
        Section("Training", tuple(_training(settings))),
    ]
    sections += [
        Section(name, tuple(_pictures(max(members, key=lambda each: getattr(each, by)), factors)))
        for name, members in settings.items()
    ]
    seeds = len({each.seed for each in found})
    said = f"{len(settings)} settings, {seeds} seeds each, learnt from {frames:,} frames of {of}"
    return Document(f"Encoders compared: {of}", said, tuple(section for section in sections if section.blocks))


def _scores(found: Sequence[Candidate], agreement: Agreement, by: str) -> list[Block]:
    blocks: list[Block] = [
        Text(
            "UDR needs no labels: it is high where encoders that differ in their seed alone have found the same "
            "latents. The other scores need the factors behind each frame, which took no part in the ranking."
        ),
        settings_table(found, agreement, by),
        *factors_table(found, by),
        ranking_table(found, agreement),
    ]
    if agreement:
        points: dict[str, list[tuple[float, Mapping[str, float]]]] = {}
        for each in found:
            points.setdefault(each.name, []).append((getattr(each, by), each.supervised))
        correlation = {label: told[by] for label, told in agreement.items()}
        caption = "UDR, which needs no labels, against what labels say of the same encoders."
        alt = "A panel for each score: UDR to the right, the score upwards, a dot for each encoder."
        blocks.append(Picture("udr", selection_figure(points, correlation, by), caption, alt))
    return blocks


def _training(settings: Mapping[str, Sequence[Candidate]]) -> list[Block]:
    histories = {
        name: [read_numbers(each.folder / "history.csv") for each in found] for name, found in settings.items()
    }
    caption = (
        "Over training: thick lines are means over seeds, thin ones single seeds. Total correlation is each model's "
        "own estimate, in nats; that of β-TCVAE by weighted sampling holds a constant of up to (D - 1) log N. "
        "A unit is silent if it puts out the same for every image: dead ReLUs stay so."
    )
    alt = "Panels of reconstruction error, KL and what else was logged against training steps, a line for each setting."
    blocks: list[Block] = [Picture("training", training_figure(histories), caption, alt)]
    watched = {
        name: [read_numbers(each.folder / METRICS_FILE) for each in found if (each.folder / METRICS_FILE).is_file()]
        for name, found in settings.items()
    }
    watched = {name: tables for name, tables in watched.items() if tables}
    if watched:
        caption = (
            "What the code knows of each factor, as the most knowing latent does: mutual information as a share of the "
            "factor's entropy, means over seeds."
        )
        alt = "A panel for each setting: knowledge of each factor upwards against training steps."
        blocks.append(Picture("known", figure_named(watched, "step"), caption, alt))
    rising = {name: tables for name, tables in watched.items() if "capacity" in histories[name][0][0]}
    if rising:
        caption = (
            "At how many nats each factor enters the code of a model whose capacity rises: the same against the code's "
            "KL at that moment."
        )
        alt = "Knowledge of each factor upwards against the code's KL in nats."
        blocks.append(Picture("capacity", figure_named(rising, "kl"), caption, alt))
    return blocks


def _pictures(best: Candidate, factors: Sequence[str]) -> list[Block]:
    """Show the encoder of a setting that ranks first."""
    blocks: list[Block] = []
    for stem, caption in (
        ("reconstructions", "held-out frames, and what the model gives back."),
        ("traversals", "one frame's code with one latent at a time moved across its range, most informative first."),
    ):
        with Image.open(best.folder / f"{stem}.png") as image:
            said = f"{best.name}, seed {best.seed}: {caption}"
            blocks.append(Picture(f"{stem} {best.name}", image.convert("RGB"), said, said, "white"))
    if best.relation is not None:
        metric = best.relation.name.replace("_", " ")
        said = f"{best.name}, seed {best.seed}: latents (rows) by factors (columns), as {metric} reads them."
        blocks.append(Picture(f"relation {best.name}", relation_figure(best.relation, factors), said, said, "white"))
    return blocks


def _header(first: tuple[Cell, ...], labels: Sequence[str]) -> tuple[Cell, ...]:
    scores = (Cell("UDR", "Lasso"), Cell("UDR", "Spearman"), *(Cell(_spoken(label)) for label in labels))
    return (*first, *scores, Cell("error", "× 1000"), Cell("KL", "nats"), Cell("active", "latents"))


def _by_setting(found: Sequence[Candidate], by: str) -> dict[str, list[Candidate]]:
    """Group encoders by setting, the setting with the best mean first."""
    settings: dict[str, list[Candidate]] = {}
    for each in found:
        settings.setdefault(each.name, []).append(each)
    rank = {name: float(np.mean([getattr(each, by) for each in members])) for name, members in settings.items()}
    return {name: settings[name] for name in sorted(settings, key=lambda name: -rank[name])}


def _spread(values: Sequence[float], digits: int = 2) -> Cell:
    if not values:
        return NOTHING
    middle = number(float(np.mean(values)), digits)
    return Cell(middle, f"{number(min(values), digits)} to {number(max(values), digits)}")


def _spoken(label: str) -> str:
    return label.replace("_", " ")
