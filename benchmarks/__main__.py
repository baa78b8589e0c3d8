"""Run the benchmarks that need no other data or package, one after the other; nothing else should run meanwhile."""

import subprocess
import sys

BENCHMARKS = (
    "whole_way",
    "environment_steps",
    "training_steps",
    "evaluation_steps",
    "vae_training",
    "metric_suite",
    "ground_truth_rendering",
)


def main() -> int:
    """Print each benchmark's table; return the number of those that failed."""
    failed = 0
    for name in BENCHMARKS:
        print(f"\n## {name}\n", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
