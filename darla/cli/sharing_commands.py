"""The command that shares a run: its options as a dataclass, which tyro turns into a command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from darla.cli.command import Command


@dataclass(frozen=True, kw_only=True)
class PushCommand(Command):
    """Share a run on the Hugging Face hub, with a model card.

    An agent goes with its encoder, a transfer with its agents. Afterwards it is `hf://USER/REPO` wherever an artefact
    is asked for. Needs the extra `hub` and, once, `hf auth login`.
    """

    artefact: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="RUN", help="Folder of an encoder, an agent, a transfer or another artefact."),
    ]
    repo: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="USER/REPO")]
    """Repository on the hub; it is made if there is none."""
    private: bool = False
    """Whether a repository that is made is private."""

    def run(self) -> int:
        """Upload, and print the address."""
        from darla.reports.push_run import push

        print(push(self.artefact, self.repo, private=self.private))
        return 0
