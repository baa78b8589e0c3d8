"""The commands that run whole studies: `darla demo` and `darla study run | status | watch | list`."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from darla.cli.command import Command, Track
from darla.common.errors import InputError
from darla.common.progress import duration
from darla.common.speeds.wording import roughly
from darla.experiments import demos, studies

_DEMOS = "; ".join(f"`{name}`: {study.about}" for name, study in demos.DEMOS.items())
_STUDIES = ", ".join(f"`{name}`" for name in (*studies.STUDIES, *demos.DEMOS))
Workers = Annotated[
    tyro.conf.DisallowNone[int | None],
    tyro.conf.arg(
        help="Worker processes: each runs one job at a time with one thread. As many as there are cores if not given."
    ),
]
Ray = Annotated[
    tyro.conf.DisallowNone[str | None],
    tyro.conf.arg(
        help="Address of a Ray cluster to run the jobs on, such as `auto`; `local` starts one on this machine."
    ),
]


@dataclass(frozen=True, kw_only=True)
class DemoCommand(Command):
    """Run all stages for several methods, tasks and seeds.

    Collects frames, trains encoders and agents, evaluates the transfer, prints a table and writes a report. If it is
    stopped, the same command resumes; finished jobs are not run again.
    """

    preset: Annotated[str, tyro.conf.arg(help=f"Which demonstration. {_DEMOS}.")] = "demo"
    out: Path = Path("runs/demo")
    """Folder to write everything to."""
    workers: Workers = None
    ray: Ray = None
    track: Track = None

    def run(self) -> int:
        """Run the demonstration and print its table."""
        from darla.experiments.run_study import demo

        result = demo(self.preset, self.out, workers=self.workers, ray=self.ray)
        print(result.table)
        return 0


@dataclass(frozen=True, kw_only=True)
class StudyRunCommand(Command):
    """Run a study, on this machine or on a cluster.

    Runs the jobs that are not finished, then evaluates, and writes tables and a report. If it is stopped, the same
    command resumes; finished jobs are not run again.
    """

    name: Annotated[
        tyro.conf.Positional[str],
        tyro.conf.arg(metavar="NAME", help=f"Study: {_STUDIES}; `darla study list` describes them."),
    ]
    scale: Literal["small", "full"] = "small"
    """`small` takes some hours on two cores; `full` needs a cluster, or days."""
    out: tyro.conf.DisallowNone[Path | None] = None
    """Folder to write everything to; `runs/NAME-SCALE` if not given."""
    workers: Workers = None
    ray: Ray = None
    track: Track = None

    def run(self) -> int:
        """Run the study and print its tables."""
        from darla.experiments.run_study import run_study

        out = self.out or Path("runs") / f"{self.name}-{self.scale}"
        result = run_study(self.name, out, scale=self.scale, workers=self.workers, ray=self.ray)
        print(result.paper_table)
        if result.correlation is not None:
            print((result.correlation.folder / "table.md").read_text())
        return 0


@dataclass(frozen=True, kw_only=True)
class StudyStatusCommand(Command):
    """Show the progress of a study, also while it runs.

    Only the study's folder is read, so this works on any machine that can see it.
    """

    out: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="OUT", help="Folder of `darla study run` or `darla demo`."),
    ]
    json: bool = False
    """Print everything as JSON, for programs."""

    def run(self) -> int:
        """Print it."""
        from darla.experiments.status import study_status

        status = study_status(self.out)
        print(json.dumps(status.to_dict(), indent=2) if self.json else status)
        return 0


@dataclass(frozen=True, kw_only=True)
class StudyWatchCommand(Command):
    """Watch a running study: speeds, curves so far, time left.

    One screen, drawn again until the study is done or Ctrl-C is pressed; the study is left alone. Where the output is
    no terminal, it is printed once.
    """

    out: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="OUT", help="Folder of `darla study run` or `darla demo`."),
    ]
    every: float = 5.0
    """Seconds between two screens."""

    def run(self) -> int:
        """Watch."""
        from darla.experiments.watch import watch

        if not 0.1 <= self.every <= 3600.0:
            raise InputError(f"--every is {self.every:g}, but must be from 0.1 to 3600 seconds")
        watch(self.out, self.every)
        return 0


@dataclass(frozen=True, kw_only=True)
class StudyListCommand(Command):
    """List the studies, with the time that each takes."""

    def run(self) -> int:
        """Print them."""
        from darla.experiments.expected_time import study_time
        from darla.experiments.plan import plan

        listed = [(f"{name} --scale {scale}", make(scale))
                  for name, make in studies.STUDIES.items() for scale in studies.SCALES]  # fmt: skip
        listed += list(demos.DEMOS.items())
        for name, study in listed:
            work = plan(study, Path(os.devnull))  # where nothing is done yet
            cost = work.cost + study.correlates * work.correlation_cost
            expected = study_time(study, work, 2)
            time = f"about {duration(cost / 2)} on two cores"
            if any(expected.pieces):
                time = f"about {roughly(expected.seconds)} on two cores ({expected.basis})"
            methods, seeds = len(study.methods), len(study.seeds)
            print(f"{name}\n    {study.about}")
            print(
                f"    {methods} methods, {seeds} seed{'s' * (seeds > 1)}, {len(study.tasks)}"
                f" task{'s' * (len(study.tasks) > 1)}: {len(work.jobs)} jobs, {time}"
            )
        return 0
