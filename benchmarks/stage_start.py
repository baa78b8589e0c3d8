"""What checking costs when a stage starts: each stage with and without its checks, in turns.

    python -m benchmarks.stage_start
    python -m benchmarks.stage_start --frames 40000 --repeats 15

Checked are the types of all options and arguments, the card of every artefact that is opened, and each of its files
against its SHA-256. A stage does as little as it can after its start: one step of training, one episode. The two sides
take turns within a repeat. Seconds are those of the CPU: a wall clock also counts waiting for other work on the
machine.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap

GOAL = 1.05
"""Times as long as without checks, at most."""
_UNCHECKED = """
import darla.common.artefact as artefact, darla.common.checked_config as config
artefact._check_files = artefact._check_card = artefact._check_inner = lambda *_: None
config._fits = lambda *_: True
"""
_RUN = "import sys; from darla.cli.main import main; sys.exit(main(sys.argv[1:]))"
_TINY = "--training.steps 1 --training.batch-size 16 --statistics-frames 64"
_ROLLOUT = "--env-steps 16 --settings.n-envs 2 --settings.n-steps 8 --settings.batch-size 8 --settings.n-epochs 1"
STAGES: Mapping[str, str] = {
    "see": f"see {{runs}}/frames --preset beta-4 {_TINY}",
    "metrics": "metrics {runs}/encoder --data rooms --names active_units --rows 50",
    "act": f"act conjunction --encoder {{runs}}/encoder --snapshots 1 {_ROLLOUT}",
    "transfer": "transfer conjunction {runs}/agent --splits source --episodes 1 --resamples 10",
    "report": "report {runs}/transfer",
}
"""By stage a command that ends soon after its start, and the work of which is the same at every start."""


def seconds(words: Sequence[str], checks: bool) -> float:
    """Return the CPU seconds of a command in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    before = os.times()
    code = _RUN if checks else _UNCHECKED + _RUN
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    after = os.times()
    if ended.returncode:
        raise RuntimeError(f"darla {' '.join(words)}: {ended.stderr.strip().splitlines()[-1:]}")
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Run all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="repeats of each side")
    parser.add_argument("--frames", type=int, default=10_000, help="frames of 64 x 64 that `see` opens")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print("| stage | with checks, CPU s | without | ratio | 95 % interval |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        runs, number = Path(folder), 0

        def timed(line: str, checks: bool) -> float:
            nonlocal number
            number += 1
            return seconds([*line.format(runs=folder).split(), "--out", str(runs / f"try-{number}")], checks)

        made = {
            "frames": f"collect conjunction --frames {options.frames}",
            "encoder": STAGES["see"],
            "agent": STAGES["act"],
            "transfer": STAGES["transfer"],
        }
        for name, line in made.items():
            seconds([*line.format(runs=folder).split(), "--out", str(runs / name)], checks=True)
        for name, line in STAGES.items():
            timed(line, True)  # files are in memory from now on, for both sides
            pairs = []
            for repeat in range(options.repeats):
                order = (True, False) if repeat % 2 else (False, True)
                both = {checks: timed(line, checks) for checks in order}
                pairs.append((both[True], both[False]))
            checked, unchecked = np.array(pairs).T
            ratios = checked / unchecked
            low, high = bootstrap((ratios,), np.median, rng=0).confidence_interval
            print(
                f"| {name} | {statistics.median(checked):.2f} | {statistics.median(unchecked):.2f} "
                f"| {np.median(ratios):.3f} | {low:.3f} to {high:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
