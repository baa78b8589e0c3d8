"""How the results of a report were measured, and the artefacts, commands and machines behind them."""

from collections.abc import Sequence

from darla.common import Artefact
from darla.common.progress import duration
from darla.evaluation.score_types import algorithm_label
from darla.evaluation.transfer_config import TransferConfig
from darla.reports.data import ReportData, TransferData
from darla.reports.document import Block, Bullets, Cell, Code, Collapsible, Section, Table, Text
from darla.reports.tables.transfer import LEAKS, count, leak_table

_SAMPLED = "Actions were sampled from the policy, as in training, with a generator for each episode."
_DETERMINISTIC = "The most probable action was taken at every step."


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
            blocks += _settings(settings, transfer.scores.task if described[1:] else "")
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


def _settings(settings: TransferConfig, task: str) -> list[Block]:
    scope = f"In task {task}, every" if task else "Every"
    return [
        Text(
            f"{scope} episode was reset with its own seed, derived from {settings.evaluation_seed}, the name of the "
            f"domain and the number of the episode; all agents were evaluated on the same {settings.episodes} episodes "
            f"in each domain. {_DETERMINISTIC if settings.deterministic else _SAMPLED} The policies are those that "
            "training selected, never the best in a target."
        ),
        Text(
            f"Intervals of {100 * settings.confidence:g} % come from {settings.resamples:,} bootstrap resamples of "
            "whole rows: a policy with its scores in all targets, encoders before the policies that share them. They "
            "are about other training runs, not about other episodes. The random agent and the return that normalizes "
            "the scores are treated as fixed."
        ),
    ]


def _seeds(transfer: TransferData) -> Code:
    by_domain = transfer.scores.episode_seeds
    return Code("\n\n".join(f"{domain}\n{' '.join(map(str, seeds))}" for domain, seeds in by_domain.items()))


def provenance_section(data: ReportData) -> Section:
    """Return the section on artefacts, commands, versions and hardware."""
    artefacts = data.all()
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
    machines = list(dict.fromkeys(map(_machine, artefacts)))
    return Section(
        "Provenance",
        (
            compute_table(artefacts),
            table,
            Text("Commands:"),
            Code("\n".join(commands)),
            Text("Versions and hardware:"),
            Code("\n\n".join(machines)),
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
    rows.append((Cell("**all**"), Cell(str(len(every))), Cell("–"), Cell(f"**{duration(sum(every))}**")))
    return Table(
        "Compute used",
        (Cell("stage"), Cell("artefacts"), Cell("wall time", "mean"), Cell("wall time", "sum")),
        tuple(rows),
        (
            "Artefacts that were made at the same time are summed. The time of a transfer ends when its last worker "
            "is done.",
        ),
        last=1,
    )


def _stage(artefact: Artefact) -> str:
    names = {"dae": "denoisers", "encoder": "encoders", "transfer": "transfers", "correlation": "correlations"}
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


def _machine(artefact: Artefact) -> str:
    """Return the versions, the commit and the hardware behind an artefact in one line."""
    card = artefact.card
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    commit = f", commit {card['commit']}" if card.get("commit") else ""
    hardware = card["hardware"]
    gpus = ", ".join(hardware["gpus"]) or "no GPU"
    return f"{versions}{commit}; {hardware['machine']}, {count(hardware['cores'], 'core')}, {gpus}"
