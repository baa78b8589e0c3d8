"""What a report says about why a policy transfers: how far codes drift, and which measures of an encoder predict it."""

from collections.abc import Mapping, Sequence

import numpy as np

from darla.analysis.encoder_correlation import OUTCOMES, RESULT
from darla.analysis.encoder_measures import read_drifts
from darla.analysis.latent_drift import Drift
from darla.common import Artefact
from darla.common.files import read_json
from darla.reports.data import ReportData
from darla.reports.document import Block, Cell, Picture, Section, Table, Text
from darla.reports.figures.correlation import correlation_figure
from darla.reports.figures.drift import drift_figure
from darla.reports.sections.vision import find_models
from darla.reports.tables.correlation import correlation_table
from darla.reports.tables.transfer import NOTHING, number

Drifts = Mapping[str, Mapping[str, Drift]]
"""By what an encoder is called and by target."""
_NAMED = 3
"""Latents that the table of drift names."""


def why_section(material: ReportData) -> Section | None:
    """Return the section on drift and correlation; None where neither was measured."""
    blocks = [*_drift(material), *(block for found in material.correlations for block in _correlation(found))]
    return Section("Why policies transfer", tuple(blocks)) if blocks else None


def drift_table(drifts: Drifts) -> Table:
    """Return the relative drift of each encoder to each target, and the latents that move most."""
    targets = list(dict.fromkeys(target for by_target in drifts.values() for target in by_target))
    rows = []
    for name, by_target in drifts.items():
        row = [Cell(name)]
        for target in targets:
            found = by_target.get(target)
            row.append(NOTHING if found is None else Cell(number(found.relative, 2), _most_moved(found)))
        rows.append(tuple(row))
    notes = (
        "How far the code of a state in the target is from that of the same state in the source, as a share of the "
        "distance to any other state: 0, the change is not noticed; 1, the state is forgotten over it. Below it the "
        "latents that move most, in units of their standard deviation over D_U.",
    )
    return Table("Latent drift from the source", (Cell("encoder"), *map(Cell, targets)), tuple(rows), notes)


def _most_moved(found: Drift) -> str:
    order = np.argsort(found.per_latent_shift)[::-1][:_NAMED]
    return ", ".join(f"z{latent} {number(found.per_latent_shift[latent], 2)}" for latent in order)


def _drift(material: ReportData) -> list[Block]:
    labels = {member.digest: model.label for model in find_models(material) for member in model.members}
    seeds = {encoder.digest: encoder.card["seed"] for encoder in material.encoders}
    settings: dict[str, dict[str, Mapping[str, Drift]]] = {}
    for artefact in sorted(material.measures, key=lambda each: int(seeds.get(each.card["inputs"]["encoder"], 0))):
        encoder = artefact.card["inputs"]["encoder"]
        by_target = {target: drift for each in read_drifts(artefact).values() for target, drift in each.items()}
        if by_target:
            label = labels.get(encoder, "an encoder that is not in this report")
            name = f"seed {seeds[encoder]}" if encoder in seeds else encoder[:8]
            settings.setdefault(label, {})[name] = by_target
    if not settings:
        return []
    named = {f"{label}, {name}": drifts for label, members in settings.items() for name, drifts in members.items()}
    curves = {label: list(members.values()) for label, members in settings.items()}
    return [
        Text(
            "A policy on a frozen code can do in a target only what the code lets it. The same states (layout, pose, "
            "objects) were rendered in the looks of source and target, and encoded: what moves then, moves because of "
            "the looks alone."
        ),
        drift_table(named),
        Picture(
            "drift",
            drift_figure(curves),
            "How far each latent moves from source to target when the state stays as it is, in units of its standard "
            "deviation over D_U; latents in the order of their move, a line for each encoder.",
            "A panel for each target: the move of each latent upwards, latents sorted, a line for each encoder.",
        ),
    ]


def _correlation(found: Artefact) -> Sequence[Block]:
    told = read_json(found.folder / RESULT)
    blocks: list[Block] = [
        Text(
            "Does disentanglement predict transfer? Every measure of an encoder, taken without any policy, against how "
            "the policies on it do in the targets. An encoder is one item, however many policies stand on it."
        )
    ]
    shown = {each["outcome"] for each in told["correlations"]}
    blocks += [
        Picture(
            f"correlation {outcome}",
            correlation_figure(told, outcome),
            f"{label[0].upper()}{label[1:]} against measures of the encoder; a dot for each encoder, ρ: Spearman's "
            "rank correlation with its interval.",
            f"A panel for each measure: the measure to the right, {label} upwards, a dot for each encoder.",
        )
        for outcome, label in OUTCOMES.items()
        if outcome in shown
    ]
    return [*blocks, correlation_table(told)]
