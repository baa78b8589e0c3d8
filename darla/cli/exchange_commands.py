"""The commands that exchange agents with other software: options of each verb as a dataclass."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import tyro

from darla.cli.command import Command
from darla.cli.commands import Out, Task
from darla.common.graphics import require_graphics
from darla.envs.domains.task_files import find_task
from darla.exchange_agents import ImportConfig


@dataclass(frozen=True, kw_only=True)
class ExportCommand(Command):
    """Write an agent as a zip for Stable-Baselines3, or as ONNX.

    Encoder and policy become one file from images to actions, which is written only if it acts as the agent does.
    """

    agent: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="AGENT", help="Folder of an agent, from `darla act`.")
    ]
    out: Annotated[Path, tyro.conf.arg(help="The file to write, ending in .zip or .onnx.")]
    encoder: tyro.conf.DisallowNone[Path | None] = None
    """Folder of the agent's encoder, if it is no longer where it was when the agent was trained."""

    def run(self) -> int:
        """Export."""
        from darla.exchange_agents import export

        print(export(self.agent, self.out, encoder=self.encoder))
        return 0


@dataclass(frozen=True, kw_only=True)
class ImportCommand(ImportConfig, Command):
    """Make an agent of the weights in a zip of Stable-Baselines3.

    Nothing in the zip is unpickled. What its weights do not say is taken from the options.
    """

    file: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="ZIP", help="What `model.save` of SB3 has written.")
    ]
    task: Task
    out: Out
    encoder: tyro.conf.DisallowNone[Path | None] = None
    """Folder of the encoder whose normalized codes the policy was trained on; without it, it reads images."""

    def run(self) -> int:
        """Import."""
        from darla.exchange_agents import import_agent

        require_graphics()
        config = ImportConfig(**{part.name: getattr(self, part.name) for part in fields(ImportConfig)})
        print(import_agent(self.file, find_task(self.task), self.out, config, encoder=self.encoder).folder)
        return 0
