"""How the results of a report were measured, and the artefacts, commands and machines behind them."""

from collections.abc import Sequence

from darla.common import Artefact
from darla.common.artefact import package_name
from darla.common.progress import duration
from darla.evaluation.score_types import RANDOM, TransferScores, algorithm_label
from darla.evaluation.transfer_config import TransferConfig
from darla.evaluation.transfer_files import TRANSFER
from darla.reports.data import TransferData
from darla.reports.document import Block, Bullets, Cell, Code, Collapsible, Section, Table, Text
from darla.reports.tables.transfer import LEAKS, count, leak_table

_SAMPLED = "Actions were sampled from the policy, as in training, with a generator for each episode."
_DETERMINISTIC = "The most probable action was taken at every step."
_ENCODERS_FIRST = ", encoders before the policies that share them"


def protocol_section(transfers: Sequence[TransferData]) -> Section | None:
    """Return the section on episodes, seeds, intervals, domains and leak levels; None without a transfer."""
    if not transfers:
        return None
    blocks: list[Block] = []
    described: list[TransferConfig] = []
    for transfer in transfers:
        settings = transfer.scores.settings
        if settings not in described:
            described.append(settings)
            alike = [each.scores for each in transfers if each.scores.settings == settings]
            blocks += _settings(alike, transfer.scores.task if described[1:] else "")
    blocks += [leak_table(transfer.scores, transfer.task) for transfer in transfers]
    shown = {domain.leak for transfer in transfers for domain in transfer.scores.domains}
    for transfer in transfers:
        shown.update(leak for method in transfer.scores.methods for leak in method.leaks.values())
    levels = tuple(f"*{level}*: {meaning}." for level, meaning in LEAKS.items() if level in shown)
    if levels:
        blocks += [Text("Leak levels are computed from the contexts, not declared:"), Bullets(levels)]
    blocks += [
        Collapsible(f"Published seeds of the evaluation episodes, task {transfer.scores.task}", (_seeds(transfer),))
        for transfer in transfers
    ]
    return Section("How it was measured", tuple(blocks))


def _settings(alike: Sequence[TransferScores], task: str) -> list[Block]:
    """Return how transfers of the same settings were evaluated."""
    settings = alike[0].settings
    scope = f"In task {task}, every" if task else "Every"
    blocks: list[Block] = [
        Text(
            f"{scope} episode was reset with its own seed, derived from {settings.evaluation_seed}, the name of the "
            f"domain and the number of the episode; all agents were evaluated on the same {settings.episodes} episodes "
            f"in each domain. {_DETERMINISTIC if settings.deterministic else _SAMPLED} The policies are those that "
            "training selected, never the best in a target."
        )
    ]
    methods = [method for scores in alike for method in scores.methods]
    if any(len(method.seeds) > 1 for method in methods):
        shared = any(method.encoders is not None and method.encoders < len(method.seeds) for method in methods)
        fixed = [
            *(["the random agent"] if any(method.method == RANDOM for method in methods) else []),
            *(["the return that normalizes the scores"] if any(s.anchors.reference_return for s in alike) else []),
        ]
        treated = f" {' and '.join(fixed)} {'are' if len(fixed) > 1 else 'is'} treated as fixed." if fixed else ""
        blocks.append(
            Text(
                f"Intervals of {100 * settings.confidence:g} % come from {settings.resamples:,} bootstrap resamples of "
                f"whole rows: a policy with its scores in all targets{_ENCODERS_FIRST if shared else ''}. They are "
                f"about other training runs, not about other episodes.{treated[:1]}{treated[1:2].upper()}{treated[2:]}"
            )
        )
    return blocks


def _seeds(transfer: TransferData) -> Code:
    by_domain = transfer.scores.episode_seeds
    return Code("\n\n".join(f"{domain}\n{' '.join(map(str, seeds))}" for domain, seeds in by_domain.items()))


def provenance_section(artefacts: Sequence[Artefact]) -> Section:
    """Return the section on artefacts, their commands, versions and hardware."""
    rows = tuple(
        (
            Cell(artefact.kind),
            Cell(artefact.folder.name),
            Cell(f"`{artefact.digest[:12]}`"),
            Cell(str(artefact.card["seed"])),
            Cell(duration(float(artefact.card["wall_seconds"]))),
        )
        for artefact in artefacts
    )
    table = Table(
        "Artefacts",
        (Cell("kind"), Cell("folder"), Cell("digest"), Cell("seed"), Cell("wall time")),
        rows,
        ("The digest is the SHA-256 over an artefact's files: the same content has the same digest.",),
        labels=3,
    )
    commands = list(dict.fromkeys(artefact.card["command"] for artefact in artefacts))
    return Section(
        "Provenance",
        (
            compute_table(artefacts),
            table,
            Text("Command:" if len(commands) == 1 else "Commands:"),
            Code("\n".join(commands)),
            *_versions(artefacts),
        ),
    )


def compute_table(artefacts: Sequence[Artefact]) -> Table:
    """Return how long each stage took: the wall time of its artefacts."""
    seconds: dict[str, list[float]] = {}
    for artefact in artefacts:
        seconds.setdefault(_stage(artefact), []).append(float(artefact.card["wall_seconds"]))
    rows = [
        (Cell(stage), Cell(str(len(each))), Cell(duration(sum(each) / len(each))), Cell(duration(sum(each))))
        for stage, each in seconds.items()
    ]
    every = [second for each in seconds.values() for second in each]
    notes = []
    if len(every) > 1:
        rows.append((Cell("**all**"), Cell(str(len(every))), Cell("–"), Cell(f"**{duration(sum(every))}**")))
        notes.append("A sum counts the time of each artefact, also of those that were made at the same time.")
    if any(artefact.kind == TRANSFER for artefact in artefacts):
        notes.append("The time of a transfer ends when its last worker is done.")
    return Table(
        "Compute used",
        (Cell("stage"), Cell("artefacts"), Cell("wall time", "mean"), Cell("wall time", "sum")),
        tuple(rows),
        (" ".join(notes),) if notes else (),
        last=int(len(every) > 1),
    )


def _stage(artefact: Artefact) -> str:
    names = {
        "dae": "denoisers", "encoder": "encoders", "transfer": "transfers", "correlation": "correlations",
        "concept-scores": "scores of concepts", "followers": "agents that follow instructions",
    }  # fmt: skip
    if artefact.kind != "agent":
        return names.get(artefact.kind, artefact.kind)
    act = artefact.config["act"]
    observation = (
        "codes"
        if artefact.card["inputs"].get("encoder")
        else "the state"
        if act["observation"] == "state"
        else "pixels"
    )
    return f"agents, {algorithm_label(str(act['algorithm']))} on {observation}"


def _versions(artefacts: Sequence[Artefact]) -> list[Block]:
    """Return versions, commit and hardware: what all artefacts share, then what is different, with whose it is."""
    parts = [_software_and_machine(artefact) for artefact in artefacts]
    shared = [part for part in parts[0] if all(part in of_one for of_one in parts)] if parts else []
    blocks: list[Block] = [Text("Versions and hardware:"), Code(", ".join(shared))] if shared else []
    owners: dict[tuple[str, ...], list[Artefact]] = {}
    for artefact, of_one in zip(artefacts, parts, strict=True):
        if rest := tuple(part for part in of_one if part not in shared):
            owners.setdefault(rest, []).append(artefact)
    if owners:
        blocks.append(Text("Beside that, of some artefacts:" if shared else "Versions and hardware:"))
        blocks.append(Bullets(tuple(f"{_whose(of, artefacts)}: {', '.join(rest)}." for rest, of in owners.items())))
    return blocks


def _whose(some: Sequence[Artefact], artefacts: Sequence[Artefact]) -> str:
    """Return which artefacts are meant: by their kind where it is all of a kind, else by their folders."""
    parts = []
    for kind in dict.fromkeys(artefact.kind for artefact in some):
        of_kind = [artefact for artefact in some if artefact.kind == kind]
        if len(of_kind) > 1 and len(of_kind) == sum(artefact.kind == kind for artefact in artefacts):
            parts.append(f"all of kind {kind}")
        else:
            parts += [f"{kind} `{artefact.folder.name}`" for artefact in of_kind]
    return ", ".join(parts)


def _software_and_machine(artefact: Artefact) -> list[str]:
    """Return the versions, the commit and the hardware behind an artefact, each in a few words."""
    card = artefact.card
    by_name = card["versions"]
    # Older cards have a package under both of its spellings.
    names = [name for name in by_name if package_name(name) == name or package_name(name) not in by_name]
    commit = [f"commit {card['commit']}"] if card.get("commit") else []
    hardware = card["hardware"]
    gpus = ", ".join(hardware["gpus"]) or "no GPU"
    machine = [hardware["machine"], count(hardware["cores"], "core"), gpus]
    return [*(f"{name} {by_name[name]}" for name in names), *commit, *machine]
