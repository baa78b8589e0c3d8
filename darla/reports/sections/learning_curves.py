"""Learning curves in a report: return of snapshots in source and targets, or else the return in training."""

from collections.abc import Sequence
from pathlib import Path

from darla.agents.training.train import CURVE
from darla.common import Artefact
from darla.common.csv_rows import read_rows
from darla.reports.data import ReportData, TransferData
from darla.reports.document import Block, FigureBlock, Section
from darla.reports.figures.learning_curves import curve_figure, training_curve_figure
from darla.reports.figures.numbers import curve_numbers, training_curve_numbers
from darla.reports.figures.style import CROWD
from darla.reports.tables.transfer import count

Points = Sequence[tuple[int, float]]


def curves_section(data: ReportData) -> Section | None:
    """Return the section on learning curves: for each task those of snapshots, or else those of training.

    Agents that several tasks share are shown with the first of them.
    """
    agents = {agent.digest: agent for agent in data.agents}
    shown: set[str] = set()
    curves = []
    for transfer in data.transfers:
        blocks = _snapshots(transfer) if transfer.curves else _training(transfer, agents, shown)
        if blocks:
            curves.append((transfer, blocks))
    if len(curves) == 1:
        return Section("Learning curves", tuple(curves[0][1]))
    parts = [Section(f"Task {transfer.scores.task}", tuple(blocks)) for transfer, blocks in curves]
    return Section("Learning curves", tuple(parts)) if parts else None


def _snapshots(transfer: TransferData) -> list[Block]:
    scores = transfer.scores
    episodes = scores.settings.episodes_per_snapshot
    by_method = len(scores.methods) > CROWD
    domains = ", ".join(domain.name for domain in scores.domains if domain.split in ("source", "target"))
    several = any(len(seeds) > 1 for seeds in transfer.curves.values())
    random = not by_method and bool(scores.anchors.random_return)
    return [
        FigureBlock(
            f"curves {scores.task}",
            curve_figure(transfer.curves, scores),
            "Return of snapshots against environment steps of training in the source, "
            f"{count(episodes, 'episode')} for each point. {_lines(several, random)}No snapshot was chosen by these "
            "curves.",
            "Learning curves, a panel for each "
            f"{'method, a line for each domain' if by_method else 'domain'}: {domains}.",
            data=curve_numbers(transfer.curves),
        )
    ]


def _lines(several: bool, random: bool = False) -> str:
    """Return what the kinds of lines mean, of those that are there."""
    kinds = ["thick: mean over seeds; thin: single seeds"] * several + ["dashed: the random agent"] * random
    words = "; ".join(kinds)
    return f"{words[0].upper()}{words[1:]}. " if words else ""


def _training(transfer: TransferData, agents: dict[str, Artefact], shown: set[str]) -> list[Block]:
    """Return the curves in training of those agents of a transfer that are not in `shown`, and add them to it."""
    curves: dict[str, dict[int, Points]] = {}
    for record in transfer.scores.agents:
        agent = agents.get(record.digest)
        if agent is None or record.digest in shown:
            continue
        shown.add(record.digest)
        if points := _read(agent.folder / CURVE):
            curves.setdefault(record.method, {})[record.seed] = points
    if not curves:
        return []
    return [
        FigureBlock(
            f"training {transfer.scores.task}",
            training_curve_figure(curves, transfer.scores.anchors.baseline),
            "Return of training episodes against environment steps, in the domain that a method is trained in and with "
            f"its exploration. {_lines(any(len(seeds) > 1 for seeds in curves.values()))}".strip(),
            f"Learning curves, a panel for each method: {', '.join(curves)}.",
            data=training_curve_numbers(curves),
        )
    ]


def _read(path: Path) -> Points:
    """Return pairs of environment steps and mean return; none where an agent has no such file."""
    if not path.is_file():
        return []
    return read_rows(path, lambda cells: (int(cells["env_steps"]), float(cells["mean_return"])))
