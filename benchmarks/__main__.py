"""Run the benchmarks that need no package of others, one after the other; nothing else should run meanwhile."""

import subprocess
import sys
from importlib.util import find_spec

BENCHMARKS = (
    "whole_way",
    "environment_steps --cpu-time",
    "training_steps",
    "evaluation_steps",
    "vae_training",
    "vae_training --model features",
    "vae_training --model dae",
    "metric_suite",
    "ground_truth_rendering",
    "hdf5_reading",
    "growth",
)
"""Each with its options."""
_NEEDS = {"hdf5_reading": "h5py"}


def main() -> int:
    """Print each benchmark's table; return the number of those that failed."""
    failed = 0
    for words in BENCHMARKS:
        name, *options = words.split()
        print(f"\n## {words}\n", flush=True)
        if name in _NEEDS and find_spec(_NEEDS[name]) is None:
            print(f"left out: it needs {_NEEDS[name]}, pip install 'darla[data]'")
            continue
        command = [sys.executable, "-m", f"benchmarks.{name}", *options]
        failed += subprocess.run(command, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
