"""Peak memory of each stage at 1, 4 and 16 times the work.

    python -m benchmarks.peak_memory
    python -m benchmarks.peak_memory --task conjunction --only see act

A stage runs as a command of its own. Its memory is the most that its process, and the largest of its workers, had
resident at any time, and includes Python and the libraries: about 0.5 GB with PyTorch. What grows with the work says
how large a job fits into a machine.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FACTORS = (1, 4, 16)
_CHILD = (
    "import resource, sys; from darla.cli.main import main; code = main(sys.argv[1:]); "
    "peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)); "
    "print(f'peak {peak}'); sys.exit(code)"
)
_ENCODER = "--preset beta-4 --training.batch-size 64 --training.checkpoint-every 100000 --training.log-every 50"
_AGENT = "--checkpoint-interval 2048 --snapshots 4"


@dataclass(frozen=True)
class Stage:
    """A stage whose work can be multiplied."""

    grows: str
    """What there is more of."""
    words: Callable[[int], str]
    """The command of a factor, with {runs} for the folder of what other stages made."""


def stages(task: str) -> Mapping[str, Stage]:
    """Return the stages, in the order in which they need each other."""
    play = f"transfer {task} {{runs}}/act-1 --resamples 200 --snapshot-eval-episodes 0"
    return {
        "collect": Stage("frames, from 2,000", lambda n: f"collect {task} --frames {2000 * n}"),
        "see": Stage(
            "frames and steps, from 2,000 and 60",
            lambda n: f"see {{runs}}/collect-{n} {_ENCODER} --training.steps {60 * n}",
        ),
        "metrics": Stage(
            "images, from 500", lambda n: f"metrics {{runs}}/see-1 --data rooms --names mig dci sap --rows {500 * n}"
        ),
        "act": Stage(
            "environment steps, from 4,096",
            lambda n: f"act {task} --encoder {{runs}}/see-1 {_AGENT} --env-steps {4096 * n}",
        ),
        "act, DQN": Stage(
            "environment steps, from 2,000",
            lambda n: (
                f"act {task} --encoder {{runs}}/see-1 --algorithm dqn --checkpoint-interval 2000 --snapshots 1 "
                f"--env-steps {2000 * n}"
            ),
        ),
        "transfer": Stage("episodes of each domain, from 4", lambda n: f"{play} --episodes {4 * n}"),
        "report": Stage("episodes, from 4", lambda n: f"report {{runs}}/transfer-{n}"),
    }


def peak(words: Sequence[str]) -> float:
    """Run a command and return its peak memory in MB.

    Raises:
        RuntimeError: it failed.
    """
    ended = subprocess.run([sys.executable, "-c", _CHILD, *words], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"darla {' '.join(words)}: {ended.stderr.strip().splitlines()[-1:]}")
    return int(ended.stdout.split("peak ")[-1]) / 1024  # kilobytes on Linux


def main() -> None:
    """Run all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="conjunction", help="transfer task")
    parser.add_argument("--only", nargs="*", default=[], help="stages to print; those that they need run as well")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = ["| stage | what grows | " + " | ".join(f"{n}x" for n in FACTORS) + " |", "|---|---|" + "---:|" * 3]
    with tempfile.TemporaryDirectory() as folder:
        for name, stage in stages(options.task).items():
            if options.only and name not in options.only and name not in ("collect", "see", "act", "transfer"):
                continue
            cells = []
            for factor in FACTORS:
                out = Path(folder) / f"{name.replace(', ', '-')}-{factor}"
                cells.append(peak([*stage.words(factor).format(runs=folder).split(), "--out", str(out)]))
                print(f"{name} {factor}x: {cells[-1]:.0f} MB", file=sys.stderr, flush=True)
            if not options.only or name in options.only:
                rows.append(f"| {name} | {stage.grows} | " + " | ".join(f"{cell:,.0f} MB" for cell in cells) + " |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
