"""The tables of a transfer: scores, comparisons with the baseline, successes, aggregates, leak levels."""

from collections.abc import Mapping, Sequence
from typing import Any

from darla.evaluation.scores import ALL_TARGETS, RANDOM
from darla.reports.document import Cell, Table

Scores = Mapping[str, Any]
"""The content of `scores.json`."""

NOTHING = Cell("–")
_OPTIMISTIC = (
    "Intervals marked † rest on fewer than ten independent seeds and are optimistic: "
    "they cover the truth less often than {confidence}."
)
_TESTABLE = 6
"""Independent runs from which on a paired permutation test can fall below 0.05."""
LEAKS = {
    "none": "some values of its factors are new to the policy, and the encoder has been shown none of these",
    "visual": "some values of its factors are new to the policy; the encoder has been shown some of these",
    "conjunction": "the policy has met every value of every factor, but never together",
    "full": "the policy has learnt in these very contexts: nothing is transferred",
}
"""What each leak level means."""


_ACTED = {
    "source": "another source",
    "unlabelled": "the unlabelled domain D_U",
    "targets": "the targets themselves",
}


def number(value: float, digits: int = 1) -> str:
    """Return a number with a true minus sign; never a negative zero."""
    said = f"{value:.{digits}f}"
    return (said[1:] if said.startswith("-") and not float(said) else said).replace("-", "−")


def estimate(said: Mapping[str, Any] | None, digits: int = 1, *, optimistic: bool = False, unit: str = "") -> Cell:
    """Return a cell with an estimate and its interval.

    Args:
        said: value, low, high and what of them is unbounded, as in `scores.json`; None where there is none.
        digits: after the point.
        optimistic: whether to mark the interval.
        unit: what follows the value, such as `×`.
    """
    if said is None:
        return NOTHING
    ends = [
        number(said[end], digits) if said[end] is not None else "∞" if end in said["unbounded"] else None
        for end in ("value", "low", "high")
    ]
    value = f"{ends[0]}{unit}"
    if ends[1] is None or ends[2] is None:
        return Cell(value)
    return Cell(value, f"[{ends[1]}, {ends[2]}]{'†' if optimistic else ''}")


def score_table(scores: Scores) -> Table:
    """Return the return of each method in each domain, and how much of the source's return is retained."""
    targets = _targets(scores)
    header = [Cell("method"), *(_heading(domain) for domain in scores["domains"])]
    if targets:
        header += [Cell("all targets", "mean"), Cell("all targets", "worst")] if len(targets) > 1 else []
        header.append(Cell("retention", "targets / source"))
    rows = []
    for method in scores["methods"]:
        flag = method["optimistic"]
        row = [Cell(method["method"])]
        row += [estimate(method["domains"][d["name"]]["return"], optimistic=flag) for d in scores["domains"]]
        if targets:
            over = method["over_targets"]
            if len(targets) > 1:
                row += [estimate(over["return"][part], optimistic=flag) for part in ("mean", "worst")]
            row.append(estimate(over.get("retention"), 2, optimistic=flag))
        rows.append(tuple(row))
    return Table(
        f"Return per episode, task {scores['task']}",
        tuple(header),
        tuple(rows),
        (_episodes(scores), *_optimism(scores)),
    )


def success_table(scores: Scores) -> Table | None:
    """Return the share of successful episodes; None where the environment does not say what success is."""
    rows = []
    for method in scores["methods"]:
        row = [Cell(method["method"])]
        for domain in scores["domains"]:
            said = method["domains"][domain["name"]]
            if said["success"] is None:
                return None
            alone = said["success_within_policy"]
            if len(alone) == 1:
                only = next(iter(alone.values()))
                row.append(Cell(_percent(only["value"]), f"({_percent(only['low'])}–{_percent(only['high'])})"))
            else:
                shares = {end: said["success"][end] for end in ("value", "low", "high")}
                scaled = {end: None if share is None else 100 * share for end, share in shares.items()}
                row.append(estimate({**scaled, "unbounded": []}, 0, optimistic=method["optimistic"]))
        rows.append(tuple(row))
    note = "Intervals in round brackets are Wilson's, over the episodes of one policy: within-policy only."
    alone_shown = any(len(method["seeds"]) == 1 for method in scores["methods"])
    header = (Cell("method"), *(_heading(domain) for domain in scores["domains"]))
    return Table(
        f"Successful episodes in per cent, task {scores['task']}",
        header,
        tuple(rows),
        (note,) if alone_shown else (),
    )


def comparison_table(scores: Scores) -> Table | None:
    """Return each method against the baseline; None without one."""
    if not scores["comparisons"]:
        return None
    baseline = scores["anchors"]["baseline"]
    seeds = min(entry["seeds"] for entry in scores["comparisons"])
    independent = min(entry["independent"] for entry in scores["comparisons"])
    tested = independent >= _TESTABLE
    header = [Cell("method"), Cell("target"), Cell("difference"), Cell("ratio")]
    header += [Cell("P(improvement)")] if seeds > 1 else []
    header += [Cell("p", "Holm")] if tested else []
    rows = []
    previous = None
    for entry in scores["comparisons"]:
        flag = entry["optimistic"]
        together = entry["domain"] == ALL_TARGETS
        row = [
            Cell("" if entry["method"] == previous else entry["method"]),
            Cell(f"**{ALL_TARGETS}**" if together else entry["domain"]),
            estimate(entry["difference"], optimistic=flag),
            estimate(entry["ratio"], optimistic=flag, unit="×"),
        ]
        row += [estimate(entry["improvement"], 2, optimistic=flag)] if seeds > 1 else []
        row += [Cell(number(entry["p_value" if together else "p_value_holm"], 3))] if tested else []
        rows.append(tuple(row))
        previous = entry["method"]
    notes = ["Mean return less the baseline's, and as a multiple of it."]
    if seeds > 1:
        notes[0] += f" P(improvement): how often a run of the method beats one of {baseline}."
    if tested:
        notes.append("p: permutation test over seeds; for single targets adjusted by Holm's method over all of them.")
    elif seeds > 1:
        runs = count(independent, "independent run")
        notes.append(f"No p-values: with {runs} a permutation test cannot reach 0.05, however large the effect.")
    return Table(f"Against {baseline}, task {scores['task']}", tuple(header), tuple(rows), tuple(notes), labels=2)


def aggregate_table(scores: Scores) -> Table | None:
    """Return aggregates of the normalised score over all targets; None where there is no normalised score."""
    shown = [m for m in scores["methods"] if m["over_targets"] and m["over_targets"]["normalised"]]
    if not shown:
        return None
    names = {"mean": "mean", "iqm": "IQM", "worst": "worst target", "optimality_gap": "optimality gap"}
    if len(_targets(scores)) == 1:
        del names["worst"]
    rows = tuple(
        (
            Cell(method["method"]),
            *(
                estimate(method["over_targets"]["normalised"][name], 2, optimistic=method["optimistic"])
                for name in names
            ),
        )
        for method in shown
    )
    anchors = scores["anchors"]
    note = (
        f"0 is the random agent in the same target, 1 the return of {anchors['baseline']} in the source "
        f"({number(anchors['reference_return'])}). IQM: mean of the middle half of all seeds and targets. "
        "Optimality gap: how far scores fall short of 1, on average."
    )
    return Table(
        f"Normalised score over all targets, task {scores['task']}",
        (Cell("method"), *map(Cell, names.values())),
        rows,
        (note,),
    )


def leak_notes(scores: Scores) -> tuple[str, ...]:
    """Return a sentence for each method whose leak levels are not the task's, since it has acted elsewhere."""
    acted = {agent["method"]: agent.get("train_domain", "source") for agent in scores.get("agents", ())}
    return tuple(
        f"{method['method']} has acted in {_ACTED[acted.get(method['method'], 'source')]}; its leak level is "
        + ", ".join(f"*{leak}* in {target}" for target, leak in method["leaks"].items())
        + "."
        for method in scores["methods"]
        if method.get("leaks")
    )


def leak_table(scores: Scores, task: Mapping[str, Any]) -> Table:
    """Return what each domain of a task is and how much of it the learners had met.

    Args:
        scores: the content of `scores.json`.
        task: the task as plain data.
    """
    rows = [(Cell("unlabelled"), Cell("D_U", "shown to the encoder"), Cell(describe_domain(task["unlabelled"])))]
    for domain in scores["domains"]:
        told = task["targets"].get(domain["name"]) or task[domain["split"]]
        rows.append((Cell(domain["name"]), _role(domain), Cell(describe_domain(told))))
    return Table(
        f"Domains of task {scores['task']}",
        (Cell("domain"), Cell("role"), Cell("contexts; factors that are not named have their default")),
        tuple(rows),
        leak_notes(scores),
        labels=3,
    )


def describe_domain(domain: Mapping[str, Any]) -> str:
    """Return a domain's contexts in one line."""
    if "factors" in domain:
        return ", ".join(f"{name.replace('_', ' ')} {size} values" for name, size in domain["factors"].items())
    if "env_id" in domain:
        variants = [", ".join(f"{key}={value!r}" for key, value in part.items()) for part in domain["variants"]]
        return f"{domain['env_id']}({'; '.join(filter(None, variants))})"
    return "; or ".join(_describe_component(part) for part in domain["components"])


def _describe_component(component: Mapping[str, Any]) -> str:
    said = []
    for name, spec in component.items():
        if isinstance(spec, Mapping):
            low_high = spec.get("uniform")
            value = "{:g} to {:g}".format(*low_high) if low_high else " or ".join(map(str, spec["choice"]))
        else:
            value = f"{spec:g}" if isinstance(spec, float) else str(spec)
        said.append(f"{name.replace('_', ' ')} {value}")
    return ", ".join(said) or "default"


def _targets(scores: Scores) -> list[str]:
    return [domain["name"] for domain in scores["domains"] if domain["split"] == "target"]


def _heading(domain: Mapping[str, str]) -> Cell:
    if domain["split"] == "target":
        return Cell(domain["name"], f"leak: {domain['leak']}")
    return Cell(domain["name"])


def _role(domain: Mapping[str, str]) -> Cell:
    if domain["split"] == "target":
        return Cell("D_T", f"leak: {domain['leak']}")
    return Cell("D_S") if domain["split"] == "source" else Cell(domain["split"], "no part of training")


def _seeds(method: Mapping[str, Any]) -> str:
    seeds, encoders = len(method["seeds"]), method["encoders"]
    shared = f" on {encoders} encoder{'s' * (encoders > 1)}" if encoders is not None and encoders < seeds else ""
    return f"{seeds} seed{'s' * (seeds > 1)}{shared}"


def _episodes(scores: Scores) -> str:
    settings = scores["settings"]
    learnt = {method["method"]: _seeds(method) for method in scores["methods"] if method["method"] != RANDOM}
    same = len(set(learnt.values())) == 1
    seeds = f"{next(iter(learnt.values()))} for each method" if same else ", ".join(map(": ".join, learnt.items()))
    return (
        f"Mean over {settings['episodes']} episodes for each agent and domain, the same for all methods; "
        f"actions {settings['actions']}; {seeds}."
    )


def _optimism(scores: Scores) -> Sequence[str]:
    marked = [m for m in scores["methods"] if m["optimistic"] and len(m["seeds"]) > 1]
    alone = [m for m in scores["methods"] if len(m["seeds"]) == 1 and m["method"] != RANDOM]
    notes = []
    if marked:
        notes.append(_OPTIMISTIC.format(confidence=f"{scores['settings']['confidence']:.0%}".replace("%", " %")))
    if alone:
        notes.append("A method with one seed has no interval: nothing here says how another seed would do.")
    return notes


def count(amount: int, noun: str) -> str:
    """Return a number with its noun, in the plural where that is due."""
    return f"{amount} {noun}{'s' * (amount != 1)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
