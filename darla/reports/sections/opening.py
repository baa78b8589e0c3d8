"""The first sentences of a report: which methods learned the source at all, what they keep of it, and how sure that is.

Each follows from the numbers below it.
"""

from collections.abc import Mapping, Sequence
from math import inf

from darla.analysis.encoder_probes import EncoderProbes
from darla.evaluation.against_random import learned_clearly
from darla.evaluation.bootstrap import FEW_SEEDS
from darla.evaluation.score_types import ALL_TARGETS, RANDOM, BaselineComparison, MethodScores, TransferScores
from darla.reports.data import TransferData
from darla.reports.document import Text
from darla.reports.sections.vision import Model
from darla.reports.tables.transfer import count, estimate, listed, number, percent, return_digits

_CHANCE = 0.02
"""Share of the way from chance to perfect below which a probe has learned nothing."""


def opening(transfer: TransferData, *, named: bool = False) -> Text:
    """Return three sentences on a transfer.

    Args:
        transfer: its scores and episodes.
        named: whether they begin with the name of the task.
    """
    scores = transfer.scores
    task = f"**Task {scores.task}.**" if named else ""
    methods = [method for method in scores.methods if method.method != RANDOM]
    in_source = [method for method in methods if not method.leaks]
    if not in_source:
        first = "No method was trained in the source, so nothing is transferred: these are upper bounds."
        return Text(" ".join(filter(None, (task, first, _how_sure(scores, methods)))))
    learned = [method for method in in_source if scores.beats_random(method)]
    clear = learned_clearly(scores, transfer.episodes, methods)
    parts = (
        task,
        _who_learned(scores, in_source, learned, clear),
        _what_is_kept(scores, learned, clear),
        _how_sure(scores, methods),
    )
    return Text(" ".join(filter(None, parts)))


def encoder_opening(models: Sequence[Model], *, scored: bool = False, factors: bool = False) -> Text | None:
    """Return sentences on encoders that no agent of the report acts on: how full their codes are, and what of.

    Args:
        models: the encoders.
        scored: whether the report has their metrics.
        factors: whether the factors behind their images are known.
    """
    models = [model for model in models if model.loss != "dae"]
    if not models:
        return None
    probes = {model.full_label: model.probes() for model in models}
    seeds = sorted({len(model.members) for model in models})
    sentences = [_how_full(probes), _what_is_encoded(probes, scored, factors)]
    if seeds[-1] == 1:
        sentences.append(_one_seed("encoder", len(models)))
    else:
        several = count(seeds[-1], "seed") if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} seeds"
        sentences.append(f"Numbers are means over {several}, with the lowest and the highest.")
    return Text(" ".join(filter(None, sentences)))


def _how_full(probes: Mapping[str, Sequence[EncoderProbes]]) -> str:
    """Return how many latents of each model encode anything."""
    parts, empty = [], []
    for label, members in probes.items():
        codes = [member.kl for member in members if member.kl is not None]
        if not codes:
            continue
        active = sum(code.active_units for code in codes) / len(codes)
        if not active:
            empty.append(label)
            continue
        nats = sum(code.total for code in codes) / len(codes)
        of = f"{number(active, 0)} of {len(codes[0].per_latent)} latents"
        parts.append(f"**{label}** encodes images in {of}" + (f" ({number(nats)} nats)" if nats else ""))
    sentence = f"{'; '.join(parts)}." if parts else ""
    if empty:
        sentence += f" {_names(empty)}: no latent is active, so the code is the same for every image and says nothing."
    return sentence.strip()


def _what_is_encoded(probes: Mapping[str, Sequence[EncoderProbes]], scored: bool, factors: bool) -> str:
    """Return which fact about the state is predicted best and worst from codes, as a share of what is possible."""
    shares: dict[tuple[str, str], float] = {}
    for label, members in probes.items():
        for fact in dict.fromkeys(fact for member in members for fact in member.targets):
            scores = [member.targets[fact] for member in members if fact in member.targets]
            each = [(score.nonlinear - score.chance) / (score.ceiling - score.chance) for score in scores]
            shares[label, fact] = sum(each) / len(each)
    if not shares:
        if scored:
            return "What the codes keep of the factors behind the images is in the metrics below."
        if factors:
            return "The factors behind these images are known: `darla metrics` says what the codes keep of them."
        return "No facts about the state behind these images are known, so no probe says what the codes keep of it."
    (best, fact), share = max(shares.items(), key=lambda entry: entry[1])
    if share < _CHANCE:
        return "No fact about the state is predicted from the codes better than by chance."
    (worst, other), least = min(shares.items(), key=lambda entry: entry[1])
    first = (
        f"From the codes of **{best}** a small network predicts {_fact(fact)}, {percent(share)} of the way from chance"
    )
    if (worst, other) == (best, fact):
        return f"{first} to perfect."
    from_worst = "" if worst == best else f" from those of **{worst}**"
    return f"{first} to perfect, and {_fact(other)}{from_worst} {percent(max(least, 0.0))}."


def _fact(name: str) -> str:
    return f"*{name.replace('_', ' ')}*"


def _who_learned(
    scores: TransferScores,
    methods: Sequence[MethodScores],
    learned: Sequence[MethodScores],
    clear: Sequence[MethodScores],
) -> str:
    source = scores.source
    level = scores.anchors.random_return.get(source)
    if level is None:
        return "The random agent was not evaluated, so it is not known whether any method learned the source."
    digits = return_digits(scores)
    random = f"the random agent ({number(level, digits)})"
    no = [method.method for method in methods if method not in learned]
    if not learned:
        who = _names(no) if len(no) < 4 else f"all {len(no)} methods"
        return f"In the source, {who} {_agree('returns', no)} no more than {random}, so nothing was learned there."
    shown = [f"**{method.method}** ({number(method.domains[source].return_.value, digits)})" for method in learned]
    sentence = f"In the source, {_names(shown, bold=False)} {_agree('returns', learned)} more than {random}"
    doubtful = [method.method for method in learned if method not in clear]
    if doubtful:
        sentence += f", {_names(doubtful)} by no more than chance" if len(doubtful) < len(learned) else \
                    ", but by no more than chance"  # fmt: skip
    return f"{sentence}; {_names(no)} {_agree('does', no)} not." if no else f"{sentence}."


def _what_is_kept(scores: TransferScores, learned: Sequence[MethodScores], clear: Sequence[MethodScores]) -> str:
    targets = scores.targets
    if not targets:
        return "No target was evaluated."
    if not learned or not clear:
        returns = "the returns in the targets say" if len(targets) > 1 else f"the return in *{targets[0]}* says"
        return f"So {returns} {'little' if learned else 'nothing'} about transfer."
    kept = [
        (method, method.over_targets.retention.value)
        for method in clear
        if method.over_targets is not None and method.over_targets.retention is not None
    ]
    if not kept:
        return ""
    kept.sort(key=lambda pair: -pair[1])
    where = f"Over the {len(targets)} targets" if len(targets) > 1 else f"In *{targets[0]}*"
    (best, share), *others = kept
    sentence = f"{where}, **{best.method}** keeps {number(share, 2)} of its return in the source"
    if others:
        sentence += f", {_names([f'**{method.method}** {number(value, 2)}' for method, value in others], bold=False)}"
    floors = [floor for target in targets if (floor := scores.anchors.random_return.get(target)) is not None]
    floor = sum(floors) / len(floors) if len(floors) == len(targets) else -inf
    level = [
        method.method for method, _ in kept if method.over_targets and method.over_targets.return_.mean.value <= floor
    ]
    if level:
        there = "in them" if len(targets) > 1 else "there"
        sentence += f"; {_names(level)} {_agree('returns', level)} no more than the random agent {there}"
    return f"{sentence}."


def _how_sure(scores: TransferScores, methods: Sequence[MethodScores]) -> str:
    seeds = sorted({len(method.seeds) for method in methods})
    if not methods:
        return ""
    if seeds[-1] == 1:
        return _one_seed("method", len(methods))
    several = f"{seeds[0]} to {seeds[-1]} seeds" if seeds[0] != seeds[-1] else f"{count(seeds[0], 'seed')}"
    few = any(method.few_seeds for method in methods)
    compared = _largest(scores)
    if compared is None:
        narrow = f", and too narrow with fewer than {FEW_SEEDS} independent ones" if few else ""
        return f"Each method has {several}: the intervals below are about other seeds{narrow}."
    cell = estimate(compared.difference, return_digits(scores))
    where = "over all targets" if compared.domain == ALL_TARGETS else f"in *{compared.domain}*"
    low, high = compared.difference.low, compared.difference.high
    inside = low is None or high is None or low <= 0 <= high
    narrow = f", which is too narrow with fewer than {FEW_SEEDS} independent seeds" if few else ""
    return (
        f"With {several} each, the difference between **{compared.method}** and {scores.anchors.baseline} {where} is "
        f"{cell.text} {cell.detail}: zero is {'inside' if inside else 'outside'} this interval{narrow}."
    )


def _largest(scores: TransferScores) -> BaselineComparison | None:
    """Return the largest difference from the baseline over all targets, of methods of which one learned the source."""
    targets = scores.targets
    learned = {method.method: scores.beats_random(method) for method in scores.methods}
    domain = ALL_TARGETS if len(targets) > 1 else targets[0] if targets else ""
    entries = [
        entry
        for entry in scores.comparisons
        if entry.domain == domain and entry.difference.low is not None
        and (learned.get(entry.method) or learned.get(entry.baseline))
    ]  # fmt: skip
    return max(entries, key=lambda entry: abs(entry.difference.value), default=None)


def _names(names: Sequence[str], *, bold: bool = True) -> str:
    """Return names in a sentence."""
    return listed([f"**{name}**" for name in names] if bold else names)


def _agree(singular: str, subjects: Sequence[object]) -> str:
    """Return a verb in the number of its subjects."""
    return singular if len(subjects) == 1 else {"returns": "return", "does": "do"}[singular]


def _one_seed(noun: str, amount: int) -> str:
    """Return what is not known of methods or encoders of one seed each."""
    who = f"The {noun}" if amount == 1 else f"Every {noun}"
    return f"{who} has one seed: other seeds may do otherwise, and nothing here says by how much."
