"""Tables of concepts and of agents that follow instructions, from the numbers in their `scores.json`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from darla.reports.document import Cell, Table

Rows = list[tuple[str, ...]]
_TOLD, _ASKED = ("concept", "symbol", "nothing"), ("trained", "recombined", "excluded", "new words")
"""The order of columns and of rows."""
_ACCURACY = "How often imagined images have the values that their concept specifies"
_DIVERSITY = ", and how far the values of open attributes are from a uniform distribution (0 is best)"
_EXCLUDED = "; what an instruction excludes counts as specified, and is also given alone, with what chance has"
_SUCCESS = (
    "How often an agent takes what the instruction names, by what it is told{intervals}; an agent that ignores its "
    "instruction is right in one of four searches"
)
_ONE_SEED = "One policy of each kind: the table does not show how those of other seeds would do."
_INTERVALS = ", with 95 % intervals over seeds of policies"


def score_rows(results: Mapping[str, Any]) -> Rows:
    """Return the cells of the table of accuracy and diversity, the header first."""
    scores = results["sym2img"]
    excluding = _excludes(results)
    # Scores of earlier versions have no level of chance.
    known = any(score.get("chance") is not None for score in scores.values())
    header = ("asked by", "accuracy", *(["chance"] * known), "diversity, nats", "concepts")
    rows: Rows = [(*header, *(["without the excluded"] * excluding))]
    for name in sorted(scores, key=lambda each: not each.startswith("symbol")):
        score = scores[name]
        spread = "–" if score["diversity"] is None else f"{score['diversity']:.2f}"
        cells = [name, f"{score['accuracy']:.2f}", *([_chance(score)] * known), spread, str(score["concepts"])]
        if excluding:
            alone = score.get("excluded")
            cells.append("–" if alone is None else f"{alone:.3f} (chance {score['excluded_chance']:.3f})")
        rows.append(tuple(cells))
    return rows


def _chance(score: Mapping[str, Any]) -> str:
    return "–" if score.get("chance") is None else f"{score['chance']:.2f}"


def _excludes(results: Mapping[str, Any]) -> bool:
    """Tell whether some instructions exclude a value; before there was EXCEPT none did."""
    return any(score.get("excluded") is not None for score in results["sym2img"].values())


def success_rows(results: Mapping[str, Any]) -> Rows:
    """Return the cells of the table of success, the header first."""
    # A file has its names in the order of the alphabet. Differences are from the one kind that has none.
    first = next(iter(results["success"]))
    compared = results["difference"][first]
    told = sorted(results["success"][first], key=lambda each: (each in compared, _place(each, _TOLD)))
    others = told[1:]
    rows: Rows = [("instructions, rooms", *told, *(f"{told[0]} − {each}" for each in others))]
    names = sorted(results["success"], key=lambda each: (each.endswith("target"), _place(each.split(",")[0], _ASKED)))
    for name in names:
        scores = results["success"][name]
        cells = [_interval(scores[each]) for each in told]
        rows.append((name, *cells, *(_interval(results["difference"][name][each]) for each in others)))
    return rows


def _place(word: str, order: tuple[str, ...]) -> int:
    return order.index(word) if word in order else len(order)


def accuracy_table(results: Mapping[str, Any], name: str = "") -> Table:
    """Return accuracy and diversity of a system of concepts; `name` says which, where there are several."""
    diverse = any(score["diversity"] is not None for score in results["sym2img"].values())
    caption = _ACCURACY + _DIVERSITY * diverse + _EXCLUDED * _excludes(results)
    return _table(_named(caption, name), score_rows(results))


def success_of_followers(results: Mapping[str, Any], name: str = "") -> Table:
    """Return the success of agents that follow instructions; `name` says which run, where there are several."""
    parts = [part for of_kind in results["success"].values() for part in of_kind.values()]
    several = any(part["low"] is not None for part in parts)
    table = _table(_named(_SUCCESS.format(intervals=_INTERVALS if several else ""), name), success_rows(results))
    return table if several else replace(table, notes=(*table.notes, _ONE_SEED))


def markdown(rows: Rows) -> str:
    """Return rows, the header first, as a table in Markdown."""
    header, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([header, f"| --- |{' ---: |' * (len(rows[0]) - 1)}", *rest])


def _named(caption: str, name: str) -> str:
    return f"{name}: {caption[0].lower()}{caption[1:]}" if name else caption


def _table(caption: str, rows: Rows) -> Table:
    header, *rest = (tuple(Cell(_shown(part)) for part in row) for row in rows)
    return Table(caption, header, tuple(rest))


def _shown(part: str) -> str:
    """Return a cell as a reader sees it, with a true minus sign."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", part.replace("_", " "))


def _interval(part: Mapping[str, Any]) -> str:
    if part["low"] is None:
        return f"{part['mean']:.2f}"
    return f"{part['mean']:.2f} ({part['low']:.2f} to {part['high']:.2f})"
