"""The table of a correlation: every measure of the encoders against how their policies transfer."""

from collections.abc import Mapping
from typing import Any

from darla.analysis.encoder_correlation import OUTCOMES, main_group
from darla.analysis.encoder_measures import LABELS
from darla.reports.document import Cell, Table
from darla.reports.tables.transfer import NOTHING, number


def correlation_table(told: Mapping[str, Any]) -> Table:
    """Return a row for each measure: its rank correlation with each outcome, its interval, and its adjusted p-value.

    Args:
        told: the content of `correlation.json`.
    """
    group = main_group(told)
    found = {(each["measure"], each["outcome"]): each for each in told["correlations"] if each["task"] == group}
    rows = []
    for name in dict.fromkeys(measured for measured, _ in found):
        row = [Cell(LABELS.get(name, name.replace("_", " ")))]
        for outcome in OUTCOMES:
            each = found.get((name, outcome))
            if each is None:
                row += [NOTHING, NOTHING]
                continue
            interval = f"[{number(each['low'], 2)}, {number(each['high'], 2)}]{'†' if each['preliminary'] else ''}"
            row += [Cell(number(each["rho"], 2), interval), Cell(number(each["p_value_holm"], 3))]
        rows.append(tuple(row))
    header = [Cell("measure")]
    for label in OUTCOMES.values():
        header += [Cell(label, "rank correlation"), Cell("p", "Holm")]
    items = len(told["encoders"])
    settings = len({each["setting"] for each in told["encoders"]})
    notes = [
        f"{items} encoders of {settings} settings; intervals of {told['confidence']:.0%} from resampling encoders; p: "
        "permutation of encoders, adjusted by Holm's method over the measures of one outcome.".replace("%", " %")
    ]
    if any(each["preliminary"] for each in found.values()):
        notes.append("Intervals marked † rest on fewer than ten encoders and are preliminary.")
    return Table(f"Measures of encoders against transfer, {group}", tuple(header), tuple(rows), tuple(notes))
