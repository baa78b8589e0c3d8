"""Share a run on the Hugging Face hub: its artefacts, with a model card that has their tables and their commands."""

import json
import os
import re
from pathlib import Path

from darla.common import Artefact, InputError
from darla.common.artefact import CARD, ENCODER_PATH, TENSORBOARD, is_complete
from darla.common.checked_config import checked_arguments
from darla.common.sharing.hub import SUBJECT, is_on_hub, upload
from darla.evaluation.transfer_files import TRANSFER
from darla.reports.data import collect_artefacts
from darla.reports.model_card import model_card

_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_LEFT_OUT = ("frames", "dae")
"""Kinds that are made again by the command on the card, or that only training needs."""
_APART = 3
"""Levels by which an artefact and what it was made from may be apart; a repository has the folders between them."""
_EVENTS = "events.out.tfevents.*"
_ORDER = ("encoder", "metrics", "agent", TRANSFER)


@checked_arguments
def push(run: Artefact | Path | str, repo: str, *, private: bool = False) -> str:
    """Write a run into a repository of the Hugging Face hub.

    Args:
        run: an artefact, or a folder with one transfer. An agent goes with its encoder, and a transfer with its agents
            and their encoders, as long as they lie where they lay; frames and denoising autoencoders are left out.
        repo: `USER/REPO`; it is made if there is none. Another version is another commit.
        private: whether a repository that is made is private.

    Returns:
        The address of the repository. Everywhere in darla the run is `hf://USER/REPO` from now on.

    Raises:
        InputError: there is nothing to share, an artefact is damaged, the extra `hub` is not installed, or the
            repository cannot be written.
    """
    if not _NAME.fullmatch(repo):
        raise InputError(f"{repo!r} is no name of a repository; write USER/REPO")
    if is_on_hub(run.folder if isinstance(run, Artefact) else run):
        raise InputError(f"{run} is on the hub already")
    subject, artefacts = _artefacts_of(run)
    base = Path(os.path.commonpath([each.folder.resolve().parent for each in artefacts]))
    named = {each.folder.resolve().relative_to(base).as_posix(): each for each in artefacts}
    for path, artefact in named.items():
        if len(Path(path).parts) > _APART:
            raise InputError(
                f"{artefact.folder} lies too far from {subject.folder}, from which it is found by its relative path; "
                "move the artefacts of the run below one folder"
            )
    files: dict[str, Path | bytes] = {}
    for path, artefact in named.items():
        names = [CARD, *artefact.card["files"], *(each.relative_to(artefact.folder).as_posix()
                 for each in sorted((artefact.folder / TENSORBOARD).rglob(_EVENTS)))]  # fmt: skip
        files |= {f"{path}/{name}": artefact.folder / name for name in names}
        # A denoising autoencoder inside an encoder is among the encoder's files, but for its card.
        files |= {
            f"{path}/{card.relative_to(artefact.folder).as_posix()}": card
            for card in sorted(artefact.folder.glob(f"*/{CARD}"))
        }
    place = next(path for path, each in named.items() if each is subject)
    files[SUBJECT] = json.dumps({"subject": place}).encode()
    files["README.md"] = model_card(repo, place, named).encode()
    return upload(repo, files, list(named), private=private, message=f"{subject.kind} {subject.digest[:12]}")


def _artefacts_of(run: Artefact | Path | str) -> tuple[Artefact, list[Artefact]]:
    """Return the artefact that a run is, and all that go with it, in the order of the stages.

    Raises:
        InputError: it is no artefact, and does not hold exactly one transfer; or it is one of frames.
    """
    folder = run.folder if isinstance(run, Artefact) else Path(run)
    if not is_complete(folder) and folder.is_dir():
        transfers = collect_artefacts([folder]).transfers
        if len(transfers) != 1:
            raise InputError(
                f"{folder} is no artefact and holds {len(transfers)} transfers; name the artefact that is to be shared"
            )
        folder = transfers[0].artefact.folder
    subject = Artefact.load(folder)
    if subject.kind == "frames":
        raise InputError(
            f"{folder} holds frames, which the command on its card makes again; share what was made of them"
        )
    found = {subject.digest: subject}
    if subject.kind == TRANSFER:
        found |= {each.digest: each for each in collect_artefacts([folder]).all() if each.kind not in _LEFT_OUT}
    elif subject.kind == "agent" and (place := subject.place_of(ENCODER_PATH)) is not None:
        encoder = Artefact.load(place, "encoder")
        found[encoder.digest] = encoder
    order = {kind: number for number, kind in enumerate(_ORDER)}
    return subject, sorted(found.values(), key=lambda each: order.get(each.kind, len(order)))
