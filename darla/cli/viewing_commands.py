"""The commands that show something: options of each verb as a dataclass, which tyro turns into a command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from darla.cli.command import Command


@dataclass(frozen=True, kw_only=True)
class ExploreCommand(Command):
    """Move an encoder's latents by sliders, on a page of this machine.

    The page shows the decoded image, the code of any image that is dropped onto it, what each latent encodes, and what
    an agent would do.
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN")]
    """Folders of one encoder or two, from `darla see`, or of agents that act on codes, from `darla act`."""
    data: tyro.conf.DisallowNone[Path | None] = None
    """Folder of frames, from `darla collect`, to choose images from. If not given, those that the encoder was trained
    on."""
    port: int = 0
    """Port of the page on 127.0.0.1; any that is free if 0."""
    open: bool = True
    """Whether to open the page in a browser."""

    def run(self) -> int:
        """Serve the page until Ctrl-C."""
        from darla.explore_latents import explore

        explore(self.runs, data=self.data, port=self.port, open_browser=self.open)
        return 0
