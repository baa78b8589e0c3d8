"""The table of a correlation: rank correlation of every measure of the encoders with the transfer of their policies."""

from darla.analysis.encoder_correlation import OUTCOMES, CorrelationResult
from darla.analysis.encoder_measures import measure_label
from darla.evaluation.bootstrap import FEW_SEEDS
from darla.reports.document import Cell, Table
from darla.reports.tables.transfer import NOTHING, number


def correlation_table(result: CorrelationResult) -> Table:
    """Return a row for each measure: its rank correlation with each outcome, the interval, and the adjusted p-value."""
    group = result.main_group
    entries = {(entry.measure, entry.outcome): entry for entry in result.correlations if entry.task == group}
    rows = []
    for name in dict.fromkeys(measure for measure, _ in entries):
        row = [Cell(measure_label(name))]
        for outcome in OUTCOMES:
            entry = entries.get((name, outcome))
            if entry is None:
                row += [NOTHING, NOTHING]
                continue
            interval = f"[{number(entry.low, 2)}, {number(entry.high, 2)}]{'†' if entry.preliminary else ''}"
            row += [Cell(number(entry.rho, 2), interval), Cell(number(entry.p_value_holm, 3))]
        rows.append(tuple(row))
    header = [Cell("measure")]
    for label in OUTCOMES.values():
        header += [Cell(label, "rank correlation"), Cell("p", "Holm")]
    settings = len({encoder.setting for encoder in result.encoders})
    notes = [
        f"{len(result.encoders)} encoders of {settings} settings; intervals of {100 * result.confidence:g} % from "
        "resampling encoders; p: permutation of encoders, adjusted by Holm's method over the measures of one outcome."
    ]
    if any(entry.preliminary for entry in entries.values()):
        notes.append(f"Intervals marked † come from fewer than {FEW_SEEDS} encoders and are preliminary.")
    return Table(f"Measures of encoders against transfer, {group}", tuple(header), tuple(rows), tuple(notes))
