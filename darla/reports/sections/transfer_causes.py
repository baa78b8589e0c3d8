"""Latent drift and correlation in a report: how far codes move, and which measures of an encoder predict transfer."""

from collections.abc import Mapping, Sequence

import numpy as np

from darla.analysis.encoder_correlation import OUTCOMES, CorrelationResult, read_correlation
from darla.analysis.encoder_measures import read_measures
from darla.analysis.latent_drift import Drift
from darla.common import Artefact
from darla.reports.data import ReportData
from darla.reports.document import Block, Cell, FigureBlock, Section, Table, Text
from darla.reports.figures.correlation import correlation_figure
from darla.reports.figures.drift import drift_figure
from darla.reports.figures.numbers import correlation_numbers, drift_numbers
from darla.reports.sections.vision import find_models
from darla.reports.tables.correlation import correlation_table
from darla.reports.tables.transfer import NOTHING, number

Drifts = Mapping[str, Mapping[str, Drift]]
"""By label of an encoder and by target."""
_NAMED = 3
"""Latents that the table of drift lists."""


def causes_section(data: ReportData) -> Section | None:
    """Return the section on drift and correlation; None where neither was measured."""
    blocks = [*_drift(data), *(block for artefact in data.correlations for block in _correlation(artefact, data))]
    return Section("Why policies transfer", tuple(blocks)) if blocks else None


def drift_table(drifts: Drifts) -> Table:
    """Return the relative drift of each encoder to each target, and the latents with the largest shift."""
    targets = list(dict.fromkeys(target for by_target in drifts.values() for target in by_target))
    rows = []
    for name, by_target in drifts.items():
        row = [Cell(name)]
        for target in targets:
            drift = by_target.get(target)
            row.append(NOTHING if drift is None else Cell(number(drift.relative, 2), _largest_shifts(drift)))
        rows.append(tuple(row))
    notes = (
        "Relative drift: 0 means that the code of a state is the same in source and target; 1 means that it is as far "
        "away as the code of a random other state. Below it the latents with the largest shift, in units of their "
        "standard deviation over D_U.",
    )
    return Table("Latent drift from the source", (Cell("encoder"), *map(Cell, targets)), tuple(rows), notes)


def _largest_shifts(drift: Drift) -> str:
    order = np.argsort(drift.per_latent_shift)[::-1][:_NAMED]
    return ", ".join(f"z{latent} {number(drift.per_latent_shift[latent], 2)}" for latent in order)


def _drift(data: ReportData) -> list[Block]:
    labels = {member.digest: model.full_label for model in find_models(data) for member in model.members}
    seeds = {encoder.digest: encoder.card["seed"] for encoder in data.encoders}
    settings: dict[str, dict[str, Mapping[str, Drift]]] = {}
    for artefact in sorted(data.measures, key=lambda each: int(seeds.get(each.card["inputs"]["encoder"], 0))):
        encoder = artefact.card["inputs"]["encoder"]
        by_target = {
            target: drift for drifts in read_measures(artefact).drift.values() for target, drift in drifts.items()
        }
        if by_target:
            label = labels.get(encoder, "an encoder that is not in this report")
            name = f"seed {seeds[encoder]}" if encoder in seeds else encoder[:8]
            settings.setdefault(label, {})[name] = by_target
    if not settings:
        return []
    by_encoder = {f"{label}, {name}": drifts for label, members in settings.items() for name, drifts in members.items()}
    curves = {label: list(members.values()) for label, members in settings.items()}
    return [
        Text(
            "A policy on a frozen code can transfer only if a state has a similar code in the target. The same states "
            "(layout, pose, objects) were rendered in the appearance of source and target and encoded, so any "
            "change in the code is caused by appearance."
        ),
        drift_table(by_encoder),
        FigureBlock(
            "drift",
            drift_figure(curves),
            "Shift of each latent from source to target while the state is the same, in units of its standard "
            "deviation over D_U; latents sorted by their shift, a line for each encoder.",
            "A panel for each target: the shift of each latent on the y axis, latents sorted, a line for each encoder.",
            data=drift_numbers(curves),
        ),
    ]


def who_learned(result: CorrelationResult, data: ReportData) -> str:
    """Return on how many encoders of a correlation no policy beats random play, as far as the report has their scores.

    Ranks of policies that have learned nothing are ranks of noise.
    """
    methods = {
        (agent.encoder, method.method): transfer.scores.beats_random(method)
        for transfer in data.transfers
        for agent in transfer.scores.agents
        if agent.algorithm == result.algorithm
        for method in transfer.scores.methods
        if method.method == agent.method
    }
    played = [
        any(better for (used, _), better in methods.items() if used == encoder.digest)
        for encoder in result.encoders
        if any(used == encoder.digest for used, _ in methods)
    ]
    if not played or all(played):
        return ""
    if not any(played):
        return "**No policy on these encoders beats random play in the source: the ranks say nothing about transfer.**"
    few = f"{played.count(False)} of the {len(played)} encoders"
    return f"On {few} no policy beats random play in the source; where these rank says nothing about transfer."


def _correlation(artefact: Artefact, data: ReportData) -> Sequence[Block]:
    result = read_correlation(artefact)
    learned = who_learned(result, data)
    blocks: list[Block] = [
        Text(
            "Does disentanglement predict transfer? Rank correlation of measures of an encoder, which need no policy, "
            "with the transfer of the policies that were trained on it. An encoder counts once, however many policies "
            "were trained on it." + (f" {learned}" if learned else "")
        )
    ]
    outcomes = {entry.outcome for entry in result.correlations}
    blocks += [
        FigureBlock(
            f"correlation {outcome}",
            correlation_figure(result, outcome),
            f"{label[0].upper()}{label[1:]} against measures of the encoder; a dot for each encoder, ρ: Spearman's "
            "rank correlation with its interval.",
            f"A panel for each measure: the measure on the x axis, {label} on the y axis, a dot for each encoder.",
            data=correlation_numbers(result, outcome),
        )
        for outcome, label in OUTCOMES.items()
        if outcome in outcomes
    ]
    return [*blocks, correlation_table(result)]
