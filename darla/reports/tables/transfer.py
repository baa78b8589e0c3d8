"""The tables of a transfer: scores, comparisons with the baseline, success rates, aggregates, leak levels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from darla.envs import WORLDS, EnvDomain
from darla.evaluation.aggregates import TESTABLE_RUNS
from darla.evaluation.bootstrap import FEW_SEEDS
from darla.evaluation.score_types import (
    ALL_TARGETS,
    RANDOM,
    UNKNOWN_LEAK,
    BaselineComparison,
    DomainScores,
    Estimate,
    MethodScores,
    ScoredDomain,
    TransferScores,
)
from darla.reports.document import Cell, Table

NOTHING = Cell("–")
NO_DOMAIN = "images of no domain"
"""What describes images whose contexts and factors are not known."""
LEAKS = {
    "none": "some factor values are new to the policy, and the encoder was not trained on them either",
    "visual": "some factor values are new to the policy; the encoder was trained on some of them",
    UNKNOWN_LEAK: "some factor values are new to the policy; it is not known whether the encoder was trained on them",
    "conjunction": "the policy was trained on every factor value, but never on this combination",
    "correlation": "the policy was trained in all of these contexts, but factors that went together do so less often",
    "full": "the policy was trained in these very contexts: nothing is transferred",
}
"""What each leak level means."""
_MOST_COLUMNS = 8
"""Domains side by side in a table."""
_TRAINED_IN = {
    "source": "another source",
    "unlabeled": "the unlabeled domain D_U",
    "targets": "the targets themselves",
}


def number(value: float, digits: int = 1) -> str:
    """Return a number with a true minus sign; never a negative zero."""
    if value == inf:
        return "∞"
    text = f"{value:.{digits}f}"
    return (text[1:] if text.startswith("-") and not float(text) else text).replace("-", "−")


def return_digits(scores: TransferScores) -> int:
    """Return how many decimals returns have: one, or two where none is as large as 2, as with rewards from 0 to 1."""
    returns = [domain.return_.value for method in scores.methods for domain in method.domains.values()]
    return 2 if all(abs(value) < 2 for value in returns) else 1


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return one name or more as a sentence lists them: `a`, `a and b`, `a, b and c`.

    Args:
        names: at least one.
        last: the word before the last name.
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def percent(share: float, digits: int = 0) -> str:
    """Return a share in percent."""
    return f"{number(100 * share, digits)} %"


def spread(values: Sequence[float | None], digits: int = 2) -> Cell:
    """Return a cell with the mean over seeds, and the lowest and highest of them; values that are None do not count."""
    present = [value for value in values if value is not None]
    if not present:
        return NOTHING
    mean = number(sum(present) / len(present), digits)
    if len(present) == 1:
        return Cell(mean)
    return Cell(mean, f"{number(min(present), digits)} to {number(max(present), digits)}")


def estimate(value: Estimate | None, digits: int = 1, *, few_seeds: bool = False, unit: str = "") -> Cell:
    """Return a cell with an estimate and its interval.

    Args:
        value: None where there is none.
        digits: after the point.
        few_seeds: whether to mark the interval as too narrow.
        unit: what follows the value, such as `×`.
    """
    if value is None:
        return NOTHING
    text = f"{number(value.value, digits)}{unit}"
    if value.low is None or value.high is None:
        return Cell(text)
    return Cell(text, f"[{number(value.low, digits)}, {number(value.high, digits)}]{'†' if few_seeds else ''}")


def score_table(scores: TransferScores) -> Table:
    """Return each method's return and success rate in each domain, and its retention of the return in the source."""
    succeeds, digits = reports_success(scores), return_digits(scores)
    header = [Cell("method")]
    for domain in scores.domains:
        header += [_heading(domain)] + ([Cell(domain.name, "success")] if succeeds else [])
    if scores.targets:
        if len(scores.targets) > 1:
            header += [Cell(ALL_TARGETS, "mean"), Cell(ALL_TARGETS, "worst")]
            header += [Cell(ALL_TARGETS, "success")] if succeeds else []
        header.append(Cell("retention", "targets / source"))
    rows = []
    for method in scores.methods:
        row = [Cell(method.method)]
        for domain in scores.domains:
            of_domain = method.domains[domain.name]
            row.append(estimate(of_domain.return_, digits, few_seeds=method.few_seeds))
            row += [_success(of_domain.success)] if succeeds else []
        over = method.over_targets
        if over is not None:
            if len(scores.targets) > 1:
                mean_worst = over.return_.mean, over.return_.worst
                row += [estimate(part, digits, few_seeds=method.few_seeds) for part in mean_worst]
                row += [_success(over.success)] if succeeds else []
            retention = over.retention if scores.beats_random(method) else None
            row.append(estimate(retention, 2, few_seeds=method.few_seeds))
        rows.append(tuple(row))
    caption = "Return per episode and share of successful episodes" if succeeds else "Return per episode"
    notes = (_episodes(scores), *random_notes(scores), *_few_seeds_notes(scores))
    return upright(Table(f"{caption}, task {scores.task}", tuple(header), tuple(rows), notes), scores)


def upright(table: Table, scores: TransferScores) -> Table:
    """Return a table of methods by domains, its domains as rows where there are too many for columns."""
    return table.transposed() if len(scores.domains) > _MOST_COLUMNS else table


def random_notes(scores: TransferScores) -> tuple[str, ...]:
    """Return a sentence about the methods that do not beat the random agent in the source; none if all do."""
    trained = [method for method in scores.methods if method.method != RANDOM]
    weak = [method.method for method in trained if not scores.beats_random(method)]
    floor = scores.anchors.random_return.get(scores.source)
    if not weak or floor is None:
        return ()
    who = "No agent beats" if len(weak) == len(trained) else f"{' and '.join(weak)}: no better than"
    return (
        f"{who} random play in the source ({number(floor, return_digits(scores))}), so there is nothing yet that could "
        "be transferred: no retention and no ratio is given, and nothing is normalized by their returns.",
    )


def reports_success(scores: TransferScores) -> bool:
    """Return whether the environment reports success."""
    return all(domain.success is not None for method in scores.methods for domain in method.domains.values())


def success_table(scores: TransferScores) -> Table | None:
    """Return success rates with their intervals; None where the environment does not report success."""
    if not reports_success(scores):
        return None
    rows = [
        (Cell(method.method), *(_success_interval(method.domains[domain.name], method) for domain in scores.domains))
        for method in scores.methods
    ]
    single_policy = any(len(method.seeds) == 1 for method in scores.methods)
    note = "Intervals in round brackets are Wilson's, over the episodes of one policy: they say nothing of other seeds."
    table = Table(
        f"Successful episodes in percent, task {scores.task}",
        (Cell("method"), *map(_heading, scores.domains)),
        tuple(rows),
        (note,) if single_policy else (),
    )
    return marked(upright(table, scores), scores)


def comparison_table(scores: TransferScores) -> Table | None:
    """Return each method against the baseline; None without one."""
    if not scores.comparisons:
        return None
    baseline = scores.anchors.baseline
    seeds = min(entry.seeds for entry in scores.comparisons)
    independent = min(entry.independent for entry in scores.comparisons)
    tested = independent >= TESTABLE_RUNS
    succeeds = reports_success(scores)
    header = [Cell("method"), Cell("target"), Cell("difference"), Cell("ratio")]
    header += [Cell("success", "method / baseline")] if succeeds else []
    header += [Cell("P(improvement)")] if seeds > 1 else []
    header += [Cell("p", "Holm")] if tested else []
    methods = {method.method: method for method in scores.methods}
    rows = []
    previous = None
    for entry in scores.comparisons:
        row = [
            Cell("" if entry.method == previous else entry.method),
            Cell(f"**{ALL_TARGETS}**" if entry.domain == ALL_TARGETS else entry.domain),
            estimate(entry.difference, return_digits(scores), few_seeds=entry.few_seeds),
            estimate(ratio_of(scores, entry), few_seeds=entry.few_seeds, unit="×"),
        ]
        if succeeds:
            own, theirs = (_success_in(methods[name], entry.domain) for name in (entry.method, entry.baseline))
            row.append(Cell(f"{_success(own).text} / {_success(theirs).text}"))
        row += [estimate(entry.improvement, 2, few_seeds=entry.few_seeds)] if seeds > 1 else []
        p_value = entry.p_value if entry.p_value_holm is None else entry.p_value_holm
        row += [Cell(number(p_value, 3))] if tested else []
        rows.append(tuple(row))
        previous = entry.method
    notes = ["Difference: mean return less the baseline's."]
    if any(row[3] != NOTHING for row in rows):
        notes[0] += " Ratio: mean return over the baseline's."
    if seeds > 1:
        notes[0] += f" P(improvement): probability that a run of the method returns more than a run of {baseline}."
    if tested:
        notes.append(
            "p: permutation test over seeds, adjusted by Holm's method: over all methods and single targets, and over "
            "the methods for all targets together."
        )
    elif seeds > 1:
        runs = count(independent, "independent run")
        notes.append(f"No p-values: with {runs} a permutation test cannot reach 0.05, however large the effect.")
    table = Table(f"Against {baseline}, task {scores.task}", tuple(header), tuple(rows), tuple(notes), labels=2)
    return marked(table, scores)


def ratio_of(scores: TransferScores, entry: BaselineComparison) -> Estimate | None:
    """Return a method's return as a multiple of the baseline's; None where that says nothing.

    That is where one of the two did not learn the source, and where the baseline's return is not positive, of which
    only a positive return can be a multiple: an infinite one.
    """
    methods = {method.method: method for method in scores.methods}
    baseline = methods[entry.baseline]
    if not (scores.beats_random(methods[entry.method]) and scores.beats_random(baseline)):
        return None
    if entry.domain == ALL_TARGETS:
        theirs = None if baseline.over_targets is None else baseline.over_targets.return_.mean
    else:
        theirs = baseline.domains[entry.domain].return_
    return entry.ratio if entry.ratio.value == inf or (theirs is not None and theirs.value > 0) else None


def aggregate_table(scores: TransferScores) -> Table | None:
    """Return aggregates of the normalized score over all targets.

    None where there is no normalized score, or where the baseline, whose return is 1, did not learn the source.
    """
    if any(method.method == scores.anchors.baseline and not scores.beats_random(method) for method in scores.methods):
        return None
    names = {"mean": "mean", "iqm": "IQM", "worst": "worst target", "optimality_gap": "optimality gap"}
    if len(scores.targets) == 1:
        del names["worst"]
        if all(len(method.seeds) == 1 for method in scores.methods):
            del names["iqm"]  # of one number
    succeeds = reports_success(scores)
    rows = []
    for method in scores.methods:
        over = method.over_targets
        if over is not None and over.normalized is not None:
            cells = [estimate(getattr(over.normalized, name), 2, few_seeds=method.few_seeds) for name in names]
            rows.append((Cell(method.method), *cells, *((_success(over.success),) if succeeds else ())))
    if not rows:
        return None
    reference = scores.anchors.reference_return
    assert reference is not None, "scores are normalized by it"
    over_all = "all seeds and targets" if len(scores.targets) > 1 else "all seeds"
    iqm = f"IQM: interquartile mean over {over_all}. " if "iqm" in names else ""
    note = (
        f"0 is the random agent in the same target, 1 the return of {scores.anchors.baseline} in the source "
        f"({number(reference, return_digits(scores))}). {iqm}Optimality gap: by how much scores fall short of 1, on "
        "average."
    )
    header = (Cell("method"), *map(Cell, names.values()), *((Cell("success"),) if succeeds else ()))
    where = "over all targets" if len(scores.targets) > 1 else f"in {scores.targets[0]}"
    return marked(Table(f"Normalized score {where}, task {scores.task}", header, tuple(rows), (note,)), scores)


def leak_notes(scores: TransferScores) -> tuple[str, ...]:
    """Return a sentence for each method whose leak levels differ from the task's, since it was trained elsewhere.

    Before them one names the agents that darla did not train.
    """
    train_domain = {agent.method: agent.train_domain for agent in scores.agents}
    own = dict.fromkeys(agent.method for agent in scores.agents if agent.is_own)
    note = f"{', '.join(own)}: not trained by darla; what was seen in training is known from the author alone."
    return (note,) * bool(own) + tuple(
        f"{_trained(method, train_domain[method.method])}; its leak level is "
        + ", ".join(f"*{leak}* in {target}" for target, leak in method.leaks.items())
        + "."
        for method in scores.methods
        if method.leaks
    )


def _trained(method: MethodScores, train_domain: str) -> str:
    if UNKNOWN_LEAK in method.leaks.values():
        return f"The encoder of {method.method} was trained on images that are of no domain"
    return f"{method.method} was trained in {_TRAINED_IN[train_domain]}"


def leak_table(scores: TransferScores, task: Mapping[str, Any]) -> Table:
    """Return the contexts of each domain of a task, and its leak level.

    Args:
        scores: of a transfer.
        task: the task as plain data.
    """
    rows = [(Cell("unlabeled"), Cell("D_U", "trains the encoder"), Cell(describe_domain(task["unlabeled"])))]
    for domain in scores.domains:
        rows.append((Cell(domain.name), _role(domain), Cell(describe_domain(domain_of(task, domain)))))
    return Table(
        f"Domains of task {scores.task}",
        (Cell("domain"), Cell("role"), Cell(_contexts(task))),
        tuple(rows),
        (*world_notes(task), *leak_notes(scores)),
        labels=3,
    )


def domain_of(task: Mapping[str, Any], domain: ScoredDomain) -> Mapping[str, Any]:
    """Return a domain that has scores as the task describes it: plain data, empty where the task has no such domain.

    Args:
        task: the task as plain data.
        domain: as the scores name it.
    """
    described: Mapping[str, Any] = task["targets"].get(domain.name) or task.get(domain.split) or {}
    return described


def _contexts(task: Mapping[str, Any]) -> str:
    """Return the heading of the contexts of a task."""
    if any("env_id" in domain for domain in (task["unlabeled"], task["source"])):
        return "environment, and in brackets each variant"
    return "contexts; factors that are not named have their default"


def world_notes(task: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence about each world of a task, with the license of an environment that is not darla's own.

    Args:
        task: the task as plain data.
    """
    domains = (task["unlabeled"], task["source"], *task["targets"].values())
    names = dict.fromkeys(str(domain["world"]) for domain in domains if "world" in domain)
    # The package of a world need not be installed where the report is written.
    worlds = [WORLDS[name] for name in names if name in WORLDS]
    about = {world.name: ", ".join(filter(None, (world.about, world.license and f"license {world.license}")))
             for world in worlds}  # fmt: skip
    return tuple(f"World `{name}`: {text}." for name, text in about.items() if text)


def describe_domain(domain: Mapping[str, Any]) -> str:
    """Return a domain's contexts in one line.

    Args:
        domain: as plain data.
    """
    if "factors" in domain:
        return ", ".join(f"{name.replace('_', ' ')} {size} values" for name, size in domain["factors"].items())
    if "env_id" in domain:
        described = EnvDomain.from_dict(domain)
        contexts = [described.values(number).items() for number in range(len(described.variants))]
        variants = [", ".join(f"{key}={value!r}" for key, value in part if key != "env_id") for part in contexts]
        return f"{domain['env_id']}({'; '.join(filter(None, variants))})"
    if "components" not in domain:
        return NO_DOMAIN
    return "; or ".join(_describe_component(part, str(domain["world"])) for part in domain["components"])


def _describe_component(component: Mapping[str, Any], world: str) -> str:
    if not component:
        # The package of a world need not be installed where the report is written.
        space = WORLDS[world].space if world in WORLDS else {}
        component = {name: factor.default for name, factor in space.items()}
        return f"every factor at its default{': ' if component else ''}{_describe_values(component)}"
    return _describe_values(component)


def _describe_values(component: Mapping[str, Any]) -> str:
    factors = []
    for name, spec in component.items():
        factors.append(f"{name.replace('_', ' ')} {_describe_spec(spec)}")
    return ", ".join(factors)


def _describe_spec(spec: Any) -> str:
    if not isinstance(spec, Mapping):
        return f"{spec:g}" if isinstance(spec, float) else str(spec)
    if "given" in spec:
        cases = spec["cases"].items() if isinstance(spec["cases"], Mapping) else spec["cases"]
        other, strength = spec["given"].replace("_", " "), spec.get("strength", 1.0)
        with_each = "; ".join(f"{_describe_spec(case)} with {other} {_describe_spec(value)}" for value, case in cases)
        return f"({with_each}{'' if strength == 1.0 else f'; strength {strength:g}'})"
    if "uniform" in spec:
        return "{:g} to {:g}".format(*spec["uniform"])
    return " or ".join(map(str, spec["choice"]))


def _heading(domain: ScoredDomain) -> Cell:
    if domain.split == "target":
        return Cell(domain.name, f"leak: {domain.leak}")
    return Cell(domain.name)


def _role(domain: ScoredDomain) -> Cell:
    if domain.split == "target":
        return Cell("D_T", f"leak: {domain.leak}")
    return Cell("D_S", "trains the policy") if domain.split == "source" else Cell(domain.split, "not used in training")


def _success(share: Estimate | None) -> Cell:
    return NOTHING if share is None else Cell(percent(share.value))


def _success_in(method: MethodScores, domain: str) -> Estimate | None:
    """Return a method's success rate in a target, or over all of them."""
    if domain != ALL_TARGETS:
        return method.domains[domain].success
    return None if method.over_targets is None else method.over_targets.success


def _success_interval(domain: DomainScores, method: MethodScores) -> Cell:
    """Return a success rate in percent with its interval: over episodes if there is one policy, else over seeds."""
    if domain.success is None or domain.success_within_policy is None:
        return NOTHING
    if len(domain.success_within_policy) == 1:
        only = next(iter(domain.success_within_policy.values()))
        value, low, high = (number(100 * share, 0) for share in (only.value, only.low, only.high))
        return Cell(value, f"({low}–{high})")
    return estimate(domain.success.scaled(100), 0, few_seeds=method.few_seeds)


def _seeds(method: MethodScores) -> str:
    seeds, encoders = len(method.seeds), method.encoders
    shared = f" on {count(encoders, 'encoder')}" if encoders is not None and encoders < seeds else ""
    return f"{count(seeds, 'seed')}{shared}"


def _episodes(scores: TransferScores) -> str:
    settings = scores.settings
    seeds = {method.method: _seeds(method) for method in scores.methods if method.method != RANDOM}
    same = len(set(seeds.values())) == 1
    listed = f"{next(iter(seeds.values()))} for each method" if same else ", ".join(map(": ".join, seeds.items()))
    return (
        f"Mean over {settings.episodes} episodes for each agent and domain, the same for all methods; "
        f"actions {'deterministic' if settings.deterministic else 'sampled'}; {listed}."
    )


def marked(table: Table, scores: TransferScores) -> Table:
    """Return a table with what † means below it, if it has one."""
    marked = any("†" in cell.detail for row in table.rows for cell in row)
    return replace(table, notes=(*table.notes, _too_narrow(scores))) if marked else table


def _too_narrow(scores: TransferScores) -> str:
    return (
        f"Intervals marked † come from fewer than {FEW_SEEDS} independent seeds and are too narrow: they cover the "
        f"truth less often than {100 * scores.settings.confidence:g} %."
    )


def _few_seeds_notes(scores: TransferScores) -> Sequence[str]:
    notes = []
    if any(method.few_seeds and len(method.seeds) > 1 for method in scores.methods):
        notes.append(_too_narrow(scores))
    if any(len(method.seeds) == 1 and method.method != RANDOM for method in scores.methods):
        notes.append("A method with one seed has no interval: the table does not show how other seeds would do.")
    return notes


def count(amount: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is 1."""
    return f"{amount} {noun}{'s' * (amount != 1)}"
