"""The model card of artefacts on the Hugging Face hub: what they are, their tables, and the commands that made them."""

from collections.abc import Mapping
from pathlib import Path

from darla.analysis.encoder_probes import EncoderProbes
from darla.common import Artefact
from darla.common.sharing.hub import HubReference
from darla.evaluation.score_types import TransferScores
from darla.evaluation.transfer_files import TRANSFER
from darla.reports.document import Cell, Table
from darla.reports.tables.transfer import number, score_table

_TAGS = {
    "encoder": ("disentanglement", "representation-learning"),
    "agent": ("reinforcement-learning",),
    TRANSFER: ("zero-shot-transfer",),
}
"""The hub's tags for each kind of artefact, beside `darla`."""
_TABLE = "table.md"
"""File of artefacts (metrics, selections, scores of concepts) that have a table of their own."""


def model_card(repo: str, subject: str, artefacts: Mapping[str, Artefact]) -> str:
    """Return the content of a repository's README.md.

    Args:
        repo: `USER/REPO`.
        subject: path of the artefact that is shared; the others were needed to make it.
        artefacts: by their paths in the repository, in the order of the stages.
    """
    kinds = [artefact.kind for artefact in artefacts.values()]
    tags = dict.fromkeys(["darla", *(tag for kind in kinds for tag in _TAGS.get(kind, ()))])
    place = HubReference(repo)
    parts = [
        "\n".join(["---", "library_name: darla", "tags:", *(f"- {tag}" for tag in tags), "---"]),
        f"# {repo.partition('/')[2]}",
        f"Made with darla {artefacts[subject].card['versions']['darla']} (zero-shot transfer in reinforcement learning "
        f"through disentangled vision). `{place}` is the {artefacts[subject].kind} in `{subject}`.",
        *_tables(artefacts),
        "## Use",
        "\n".join(["```bash", "pip install 'darla[hub]'", *_uses(place, artefacts), "```"]),
        "## Commands",
        "\n".join(["```bash", *dict.fromkeys(str(each.card["command"]) for each in artefacts.values()), "```"]),
        "## Content",
        _content(artefacts).markdown(),
        "Every artefact is checked against the hashes on its `card.json` when it is opened, and nothing is unpickled.",
    ]
    return "\n\n".join(parts) + "\n"


def _tables(artefacts: Mapping[str, Artefact]) -> list[str]:
    """Return the tables of results, each below a heading."""
    parts = []
    for path, artefact in artefacts.items():
        if artefact.kind == TRANSFER:
            scores = TransferScores.load(artefact.folder)
            parts += [f"## Zero-shot transfer: {scores.task}", score_table(scores).markdown()]
        elif artefact.kind == "encoder":
            if not EncoderProbes.load(artefact.folder).targets:
                continue
            parts += [f"## What the codes of `{path}` encode", _probes(artefact.folder).markdown()]
        elif (table := artefact.folder / _TABLE).is_file():
            parts += [f"## {artefact.kind.capitalize()}", table.read_text(encoding="utf-8").strip()]
    return parts


def _probes(encoder: Path) -> Table:
    """Return a table of the probes of an encoder: a row for each fact of the world."""
    targets = EncoderProbes.load(encoder).targets
    rows = [
        (Cell(name), Cell(each.measure), *(Cell(number(value, 2)) for value in
         (each.linear, each.nonlinear, each.chance, each.ceiling)))
        for name, each in targets.items()
    ]  # fmt: skip
    header = ("of the image", "measure", "linear", "non-linear", "chance", "ceiling")
    return Table("", tuple(map(Cell, header)), tuple(rows), labels=2)


def _uses(place: HubReference, artefacts: Mapping[str, Artefact]) -> list[str]:
    """Return commands in which the artefacts can be used."""
    kinds = {artefact.kind for artefact in artefacts.values()}
    uses = []
    if kinds & {"encoder", "agent"}:
        uses.append(f"darla explore {place}")
    if "encoder" in kinds and "agent" not in kinds:
        uses.append(f"darla act TASK --encoder {place} --out runs/agent")
    if "agent" in kinds:
        uses.append(f"darla transfer TASK {place} --out runs/transfer")
    if TRANSFER in kinds:
        uses.append(f"darla report {place} --out runs/report")
    return uses or [f"python -c \"import darla; print(darla.Artefact.load('{place}').card)\""]


def _content(artefacts: Mapping[str, Artefact]) -> Table:
    rows = [
        (Cell(path), Cell(artefact.kind), Cell(str(artefact.card["seed"])), Cell(artefact.digest))
        for path, artefact in artefacts.items()
    ]
    return Table("", tuple(map(Cell, ("folder", "artefact", "seed", "digest"))), tuple(rows), labels=4)
