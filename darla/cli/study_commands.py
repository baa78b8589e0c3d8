"""What the verbs that run whole studies take: `darla demo` and `darla study run | status | list`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from darla.common.progress import duration


@dataclass(frozen=True, kw_only=True)
class DemoCommand:
    """Do all of it: collect, see, act, transfer and report, for several methods, tasks and seeds.

    Finished parts are kept: given again, the same command goes on where it was stopped.
    """

    preset: str = "demo"
    """`tiny` (a minute, learns nothing), `demo` (twenty minutes on two cores) or `quick` (ninety minutes)."""
    out: Path = Path("runs/demo")
    """Folder for everything that is made."""
    workers: int | None = None
    """Parts that are made at the same time, one thread each; one for each core if not given."""
    ray: str | None = None
    """Address of a Ray cluster to make the parts on, such as `auto`; `local` starts one on this machine."""

    def run(self) -> int:
        """Run the study and print its table."""
        from darla.experiments.run_study import demo

        found = demo(self.preset, self.out, workers=self.workers, ray=self.ray)
        print(found.table)
        return 0


@dataclass(frozen=True, kw_only=True)
class StudyRunCommand:
    """Run a study: every part of it that is not there yet, then transfers, tables and report.

    Finished parts are kept: given again, the same command goes on where it was stopped.
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """Which study; `darla study list` shows them."""
    size: Literal["small", "full"] = "small"
    """`small` fits two cores and an afternoon; `full` is for many machines."""
    out: Path | None = None
    """Folder for everything that is made; `runs/NAME-SIZE` if not given."""
    workers: int | None = None
    """Parts that are made at the same time, one thread each; one for each core if not given."""
    ray: str | None = None
    """Address of a Ray cluster to make the parts on, such as `auto`; `local` starts one on this machine."""

    def run(self) -> int:
        """Run the study and print its tables."""
        from darla.experiments.run_study import run_study

        out = self.out or Path("runs") / f"{self.name}-{self.size}"
        found = run_study(self.name, out, size=self.size, workers=self.workers, ray=self.ray)
        print(found.paper_table)
        if found.correlation is not None:
            print((found.correlation.folder / "table.md").read_text())
        return 0


@dataclass(frozen=True, kw_only=True)
class StudyStatusCommand:
    """Tell how far a study has come, also while it runs, here or on a cluster."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """The folder of `darla study run` or `darla demo`."""
    json: bool = False
    """Print everything that is known, for programs."""

    def run(self) -> int:
        """Print it."""
        from darla.experiments.status import study_status

        found = study_status(self.out)
        print(json.dumps(found.to_dict(), indent=2) if self.json else found)
        return 0


@dataclass(frozen=True, kw_only=True)
class StudyListCommand:
    """List the studies that `darla study run` knows, with what each would take."""

    def run(self) -> int:
        """Print them."""
        from darla.experiments import demos, studies
        from darla.experiments.plan import plan

        known = [(f"{name} --size {size}", make(size)) for name, make in studies.STUDIES.items()
                 for size in studies.SIZES]  # fmt: skip
        known += list(demos.STUDIES.items())
        for called, study in known:
            work = plan(study, Path())
            cost = work.cost + study.correlates * work.correlation_cost
            methods, seeds = len(study.methods), len(study.seeds)
            print(f"{called}\n    {study.about}")
            print(
                f"    {methods} methods, {seeds} seed{'s' * (seeds > 1)}, {len(study.tasks)} tasks: {len(work.jobs)}"
                f" parts, about {duration(cost / 2)} on two cores"
            )
        return 0
