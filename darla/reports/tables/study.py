"""The table of a study: mean return of each method in the source and in every target, and how much of it is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from darla.common import Artefact
from darla.common.files import read_json
from darla.evaluation.bootstrap import FEW_SEEDS
from darla.evaluation.scores import RANDOM
from darla.reports.tables.study_summary import MethodSummary, summary_sentence
from darla.reports.tables.transfer import leak_notes

_LEAKS = {
    "none": "new to encoder and policy",
    "visual": "new to the policy",
    "conjunction": "new as a conjunction",
    "full": "known",
}


def study_table(transfers: Mapping[str, Artefact]) -> str:
    """Return a Markdown table for each task.

    Args:
        transfers: artefacts of kind `transfer`, by the name of the task.
    """
    parts = []
    for task, found in transfers.items():
        scores = read_json(found.folder / "scores.json")
        summary = _summary(task, scores)
        parts.append(
            "\n\n".join([f"### {task}", *([summary] if summary else []), _task_table(scores), *leak_notes(scores)])
        )
    return "\n\n".join([*parts, _note(transfers)])


def _summary(task: str, scores: Mapping[str, Any]) -> str | None:
    """Return the sentence above a task's table, if there is something to see."""
    source = next(domain["name"] for domain in scores["domains"] if domain["split"] == "source")
    methods = []
    for method in scores["methods"]:
        # `leaks` has a method's own leak levels where it acted elsewhere than in the source, such as in the targets.
        if method["method"] != RANDOM and method["over_targets"] and "full" not in method.get("leaks", {}).values():
            success = method["domains"][source].get("success")
            methods.append(
                MethodSummary(
                    method["method"],
                    method["domains"][source]["return"]["value"],
                    method["over_targets"]["return"]["mean"]["value"],
                    success["value"] if success else None,
                )
            )
    return summary_sentence(task, methods)


def _task_table(scores: Mapping[str, Any]) -> str:
    shown = [domain for domain in scores["domains"] if domain["split"] in ("source", "target")]
    targets = [domain["name"] for domain in shown if domain["split"] == "target"]
    header = ["method", *(_heading(domain) for domain in shown)]
    if len(targets) > 1:
        header.append("mean of targets")
    header.append("retention")
    rows = [[method["method"], *_cells(method, shown, targets)] for method in scores["methods"]]
    return _aligned([header, *rows])


def _heading(domain: Mapping[str, str]) -> str:
    if domain["split"] == "source":
        return "source"
    return f"{domain['name']} ({_LEAKS.get(domain['leak'], domain['leak'])})"


def _cells(method: Mapping[str, Any], shown: Sequence[Mapping[str, str]], targets: Sequence[str]) -> list[str]:
    cells = [_number(method["domains"][domain["name"]]["return"]) for domain in shown]
    if len(targets) > 1:
        cells.append(_number(method["over_targets"]["return"]["mean"]))
    kept = (method["over_targets"] or {}).get("retention")
    cells.append(_number(kept) if kept and kept["value"] is not None else "–")  # random play has nothing to keep
    return cells


def _number(estimate: Mapping[str, Any]) -> str:
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = (
        "|"
        + "|".join("-" * (width + 2) if column == 0 else "-" * (width + 1) + ":" for column, width in enumerate(widths))
        + "|"
    )
    return "\n".join([lines[0], rule, *lines[1:]])


def _note(transfers: Mapping[str, Artefact]) -> str:
    config = next(iter(transfers.values())).config["transfer"]
    scores = read_json(next(iter(transfers.values())).folder / "scores.json")
    seeds = max(len(method["seeds"]) for method in scores["methods"])
    told = (
        f"Mean return of {config['episodes']} episodes; the same episode seeds for every method; "
        "retention is the mean over the targets as a share of the source; "
    )
    if seeds == 1:
        return told + "one policy seed, so nothing here says how another seed would do."
    alone = [min(len(m["seeds"]), m.get("encoders") or seeds) for m in scores["methods"] if m["method"] != RANDOM]
    warning = " (preliminary: optimistic with so few)" if min(alone, default=seeds) < FEW_SEEDS else ""
    return told + f"{seeds} policy seeds, {config['confidence']:.0%} intervals from resampling them{warning}."
