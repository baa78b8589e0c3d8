"""What a report shows of learning: snapshots in source and targets, or else the return in training."""

import csv
from collections.abc import Sequence
from pathlib import Path

from darla.agents.training.train import CURVE
from darla.common import Artefact, InputError
from darla.reports.data import ReportData, TransferData
from darla.reports.document import Block, Picture, Section
from darla.reports.figures.learning_curves import curve_figure, training_curve_figure
from darla.reports.figures.style import CROWD
from darla.reports.tables.transfer import count

Points = Sequence[tuple[int, float]]


def curves_section(material: ReportData) -> Section | None:
    """Return the section on learning curves: for each task its snapshots', or else those of training.

    Agents that several tasks share are shown with the first.
    """
    agents = {agent.digest: agent for agent in material.agents}
    shown: set[str] = set()
    found = []
    for transfer in material.transfers:
        blocks = _snapshots(transfer) if transfer.curves else _training(transfer, agents, shown)
        if blocks:
            found.append((transfer, blocks))
    if len(found) == 1:
        return Section("Learning curves", tuple(found[0][1]))
    parts = [Section(f"Task {transfer.scores['task']}", tuple(blocks)) for transfer, blocks in found]
    return Section("Learning curves", tuple(parts)) if parts else None


def _snapshots(transfer: TransferData) -> list[Block]:
    scores = transfer.scores
    episodes = scores["settings"]["snapshot_eval_episodes"]
    by_method = len(scores["methods"]) > CROWD
    domains = ", ".join(domain["name"] for domain in scores["domains"] if domain["split"] in ("source", "target"))
    return [
        Picture(
            f"curves {scores['task']}",
            curve_figure(transfer.curves, scores),
            "Return of snapshots against environment steps of training in the source, "
            f"{count(episodes, 'episode')} for each point. Thick: mean over seeds; thin: single seeds"
            f"{'' if by_method else '; dashed: the random agent'}. No snapshot was chosen by these curves.",
            "Learning curves, a panel for each "
            f"{'method, a line for each domain' if by_method else 'domain'}: {domains}.",
        )
    ]


def _training(transfer: TransferData, agents: dict[str, Artefact], shown: set[str]) -> list[Block]:
    """Show the return in training of those agents of a transfer that are not in `shown`, and add them to it."""
    curves: dict[str, dict[int, Points]] = {}
    for said in transfer.scores["agents"]:
        agent = agents.get(said["digest"])
        if agent is None or said["digest"] in shown:
            continue
        shown.add(said["digest"])
        if points := _read(agent.folder / CURVE):
            curves.setdefault(said["method"], {})[said["seed"]] = points
    if not curves:
        return []
    return [
        Picture(
            f"training {transfer.scores['task']}",
            training_curve_figure(curves, transfer.scores["anchors"]["baseline"]),
            "Return of training episodes against environment steps, each method where it is trained and as it explores "
            "there. Thick: mean over seeds; thin: single seeds.",
            f"Learning curves, a panel for each method: {', '.join(curves)}.",
        )
    ]


def _read(path: Path) -> Points:
    """Return pairs of environment steps and mean return; none where an agent was not trained here."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [(int(row["env_steps"]), float(row["mean_return"])) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a learning curve: {error}") from error
